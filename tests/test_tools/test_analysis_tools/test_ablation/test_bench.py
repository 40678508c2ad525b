"""What is trained and tested, in which order, and what is not repeated; by tools that note it."""

import json
import os

import pytest
import torch

from ablation import Bench, Variant
from ablation.variants import DETERMINISTIC_VARIANT, REFERENCE_VARIANT
from helpers.ablation_lists import make_ablation
from mmseg_abnn.apis.member_files import save_ensemble, save_member
from mmseg_abnn.checkpoint import BaseNetwork, read_checkpoint

NOTE = """
import json, pathlib, sys
calls = pathlib.Path('calls.json')
before = json.loads(calls.read_text()) if calls.is_file() else []
calls.write_text(json.dumps([*before, sys.argv]))
folder = pathlib.Path(sys.argv[sys.argv.index('--work-dir') + 1])
"""
TRAIN = f"""{NOTE}
(folder / 'abnn.pth').write_text('members')
sys.exit('abnn.alpha=0.6' in sys.argv)
"""
# the numbers tell which call they are of
TEST = f"""{NOTE}
n = len(before)
of_score = dict(AUPR=n + 0.1, AUROC=n + 0.2, FPR95=n + 0.3)
metrics = dict(mIoU=n, ECE=n + 0.4, **of_score)
metrics |= {{f'msp/{{k}}': v + 100 for k, v in of_score.items()}}
(folder / 'metrics.json').write_text(json.dumps(metrics))
"""
NOISY = Variant('g/noisy', 'noisy', 'noisy', test={'abnn.alpha': '0.7'})
STRONG = Variant('g/strong', 'strong', train={'abnn.alpha': '0.7'})
LONG = Variant('g/long', 'long', train={'abnn.alpha': '0.7'}, test={'abnn.num_samples': '9'})
AGAIN = Variant('h/again', 'again', train={'abnn.alpha': '0.7'})
ALL = (DETERMINISTIC_VARIANT, REFERENCE_VARIANT, NOISY, STRONG, LONG, AGAIN)


@pytest.fixture
def tools(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / 'tools'
    folder.mkdir()
    (folder / 'train.py').write_text(TRAIN)
    (folder / 'test.py').write_text(TEST)
    (tmp_path / 'base').mkdir()
    for seed in (0, 1):
        torch.save({'state_dict': {'w': torch.tensor([float(seed)])}}, f'base/{seed}.pth')
    return folder


def calls():
    return json.loads(open('calls.json').read())


def make(tmp_path, tools, **changes):
    return Bench(make_ablation(scores=('entropy', 'msp'), **changes), tmp_path / 'out', tools)


def value_of(call, option):
    return next(text.partition('=')[2] for text in call if text.startswith(f'{option}='))


def test_equal_trainings_and_tests_run_once(tmp_path, tools):
    bench = make(tmp_path, tools)
    found = {(v.key, seed): bench.measure(v, seed) for seed in (0, 1) for v in ALL}
    names = [os.path.basename(call[0]) for call in calls()]
    one_seed = ['test.py', 'train.py', 'test.py', 'test.py', 'train.py', 'test.py', 'test.py']
    assert names == one_seed * 2
    assert found['g/strong', 1] == found['h/again', 1] != found['g/long', 1]
    # the first call is the test of the deterministic network
    expected = dict(mIoU=0, ECE=0.4, AUPR=0.1, AUROC=0.2, FPR95=0.3)
    undefined = dict.fromkeys(f'pooled/{name}' for name in expected if name != 'mIoU')
    assert found['deterministic', 0] == {
        'entropy': {**expected, **undefined},
        'msp': {**expected, 'AUPR': 100.1, 'AUROC': 100.2, 'FPR95': 100.3, **undefined},
    }
    deterministic, train, reference, noisy, strong_train, strong, long = calls()[7:]
    ablation = bench.ablation
    assert deterministic[1:3] == [ablation.base, 'base/1.pth']
    assert noisy[1:3] == [ablation.config, 'base/1.pth']
    assert [value_of(call, 'randomness.seed') for call in (train, strong_train)] == ['1000'] * 2
    assert [value_of(call, 'load_from') for call in (train, strong_train)] == ['base/1.pth'] * 2
    for call, trained in ((reference, train), (strong, strong_train), (long, strong_train)):
        assert call[1] == ablation.config
        assert call[2] == os.path.join(trained[trained.index('--work-dir') + 1], 'abnn.pth')
        assert value_of(call, 'model.test_cfg.seed') == '1'
    assert value_of(long, 'abnn.num_samples') == '9'
    for call in (noisy, strong_train, strong, long):
        assert value_of(call, 'abnn.alpha') == '0.7'
    work_dirs = [call[call.index('--work-dir') + 1] for call in calls()]
    assert len(set(work_dirs)) == len(work_dirs)


def test_what_was_finished_is_kept(tmp_path, tools, capsys):
    bench = make(tmp_path, tools)
    first = [bench.measure(variant, 0) for variant in ALL]
    number = len(calls())
    capsys.readouterr()
    again = make(tmp_path, tools)
    assert [again.measure(variant, 0) for variant in ALL] == first
    assert len(calls()) == number
    assert capsys.readouterr().out.count('training finished before') == 3
    # another base network: its training and test are made again
    torch.save({'state_dict': {'w': torch.tensor([7.0, 8.0])}}, 'base/0.pth')
    make(tmp_path, tools).measure(STRONG, 0)
    assert [os.path.basename(call[0]) for call in calls()[number:]] == ['train.py', 'test.py']
    # other test data: the training is kept
    make(tmp_path, tools, data_root='other').measure(STRONG, 0)
    assert [os.path.basename(call[0]) for call in calls()[number + 2 :]] == ['test.py']


def test_a_training_is_kept_if_other_options_say_the_same(tmp_path, tools):
    make(tmp_path, tools).measure(REFERENCE_VARIANT, 0)
    default = Variant('g/default', 'default', train={'abnn.noise_shape': 'channel'})
    make(tmp_path, tools).measure(default, 0)
    names = [os.path.basename(call[0]) for call in calls()]
    assert names == ['train.py', 'test.py', 'test.py']


def test_variants_of_equal_effect_share_scales_and_training(tmp_path, tools, monkeypatch):
    written = []

    def write_layer_scales(path, config, checkpoint, cfg, arguments, alpha):
        written.append((str(path), arguments[-1], alpha))
        path.parent.mkdir(parents=True, exist_ok=True)
        alpha_only = "abnn = dict(alpha={'_delete_': True, '*': 0.4})"
        path.write_text(f'_base_ = {os.path.abspath(config)!r}\n{alpha_only}\n')

    monkeypatch.setattr('ablation.bench.write_layer_scales', write_layer_scales)
    common = dict(train={'abnn.num_members': '2'}, equal_effect=0.3)
    bench = make(tmp_path, tools)
    for temperature in ('0.8', '0.9'):
        test = {'model.test_cfg.temperature': temperature}
        bench.measure(Variant(f'g/{temperature}', temperature, test=test, **common), 1)
    assert len(set(written)) == 1
    assert written[0][1:] == ('abnn.num_members=2', 0.3)
    train, first, second = calls()
    assert [os.path.basename(call[0]) for call in calls()] == ['train.py', 'test.py', 'test.py']
    assert train[1] == first[1] == second[1] == written[0][0]
    assert first[2] == second[2]


def test_a_failure_is_told_and_not_kept(tmp_path, tools):
    wrong = Variant('g/wrong', 'wrong', train={'abnn.alpha': '0.6'})
    for _ in range(2):
        with pytest.raises(
            RuntimeError, match="training of 'g/wrong' with seed 0 failed with exit"
        ):
            make(tmp_path, tools).measure(wrong, 0)
    assert len(calls()) == 2


def test_the_first_members(tmp_path, tools):
    """Those that a training of fewer members would have made."""
    base = BaseNetwork.read('base/0.pth')
    facts = dict(base_hash=base.hash, alpha=0.1, noise_shape='channel')
    banks = [{'w': torch.tensor([10.0 + m])} for m in range(3)]
    few = Variant('g/few', 'few', members=2)
    bench = make(tmp_path, tools)
    bench.measure(REFERENCE_VARIANT, 0)
    whole = calls()[-1][2]
    paths = [f'{os.path.dirname(whole)}/member_{m}.safetensors' for m in range(3)]
    for m, path in enumerate(paths):
        save_member(path, banks[m], {**facts, 'seed': m})
    bench.measure(few, 0)
    assert [os.path.basename(call[0]) for call in calls()] == ['train.py', 'test.py', 'test.py']
    used = calls()[-1][2]
    assert os.path.basename(used) == 'abnn_2.pth'
    save_ensemble('expected.pth', base, paths[:2])
    found, expected = (read_checkpoint(path) for path in (used, 'expected.pth'))
    assert found == expected
    bench.measure(Variant('g/all', 'all', members=3), 0)
    assert calls()[-1][2] == whole
