"""The options of variants, and which variants are the same."""

import pytest

from ablation import Variant
from ablation.settings import (
    arguments_of,
    cached_reader,
    find_fingerprint,
    options_of_test,
    options_of_training,
)
from ablation.variants import DETERMINISTIC_VARIANT, REFERENCE_VARIANT
from helpers.ablation_lists import make_ablation
from mmseg_abnn.apis import load_config

DATA = {
    'test_dataloader.dataset.datasets.0.data_root': 'images',
    'test_dataloader.dataset.datasets.1.data_root': 'images',
}


@pytest.fixture(scope='module')
def read():
    return cached_reader()


def variant(kind='fine-tuned', train=None, test=None, **changes):
    return Variant('g/v', 'v', kind, train or {}, test or {}, **changes)


def test_options_of_the_tools(read):
    ablation = make_ablation()
    one = variant(train={'abnn.alpha': '0.3'}, test={'abnn.alpha': '0.2', 'note': 's{seed}'})
    assert options_of_training(ablation, one, 2) == {
        'val_cfg': 'None',
        'abnn.alpha': '0.3',
        'load_from': 'base/2.pth',
        'randomness.seed': '2000',
    }
    common = {'test_evaluator.pooled': 'False', **DATA}
    assert options_of_test(ablation, one, 2, read) == {
        **common,
        'model.test_cfg.seed': '2',
        'abnn.alpha': '0.2',
        'note': 's2',
    }
    assert options_of_test(ablation, DETERMINISTIC_VARIANT, 2, read) == common
    expected = ['--work-dir', 'out', '--cfg-options', 'a=1', 'b=[2]']
    assert arguments_of('out', {'a': '1', 'b': '[2]'}) == expected
    assert arguments_of('out', {}) == ['--work-dir', 'out']


def test_the_reader_gives_each_its_own_config(read, tmp_path):
    path = tmp_path / 'config.py'
    path.write_text('a = dict(b=1)')
    read(str(path)).a.b = 2
    path.write_text('a = dict(b=3)')
    assert read(str(path)).a.b == 1
    assert load_config.__defaults__ is not None  # the tools read the file each time


def test_equal_settings_are_the_same_however_they_are_written(read):
    ablation = make_ablation()

    def find(one, other=ablation):
        return find_fingerprint(other, one, read)

    reference = find(REFERENCE_VARIANT)
    cfg = read(ablation.config)
    same = {'abnn.alpha': str(cfg.abnn.alpha), 'abnn.max_iters': str(cfg.abnn.max_iters)}
    assert find(variant(train=same)) == reference
    # another test of the same training
    more = find(variant(test={'abnn.num_samples': '7'}))
    fewer = find(variant(members=2))
    for found in (more, fewer):
        assert found.training == reference.training
        assert found.test != reference.test
    # other trainings
    noisy = find(variant('noisy'))
    others = [
        find(variant(train={'abnn.alpha': '0.4'})),
        find(variant(train={'custom_hooks.0.norm_eval': 'False'})),
        find(variant(train={'abnn.num_members': '4'})),
        find(variant(equal_effect=0.1)),
        find(variant(equal_effect=0.2)),
        find(REFERENCE_VARIANT, make_ablation(base_checkpoint='other/{seed}.pth')),
    ]
    assert len({found.training for found in (reference, noisy, *others)}) == 8
    assert noisy.training == ''
    # other data, other scores
    others += [
        more,
        fewer,
        noisy,
        find(REFERENCE_VARIANT, make_ablation(data_root='others')),
        find(REFERENCE_VARIANT, make_ablation(scores=('entropy', 'msp'))),
        find(REFERENCE_VARIANT, make_ablation(test={'test_cfg.fp16': 'True'})),
    ]
    assert len({found.test for found in (reference, *others)}) == 13
    # how often seeds are repeated is no setting
    assert find(REFERENCE_VARIANT, make_ablation(seeds=(5,))) == reference


def test_the_deterministic_network_has_fewer_scores(read):
    ablation = make_ablation()
    assert find_fingerprint(ablation, DETERMINISTIC_VARIANT, read).scores == ('entropy', 'msp')
    assert find_fingerprint(ablation, REFERENCE_VARIANT, read).scores == ablation.scores
    with pytest.raises(
        ValueError, match=r"variant 'deterministic': the `scores` of EncoderDecoder"
    ):
        find_fingerprint(make_ablation(scores=('variation_ratio',)), DETERMINISTIC_VARIANT, read)
    with pytest.raises(ValueError, match=r"variant 'reference': the `scores` of MCEncoderDecoder"):
        find_fingerprint(make_ablation(scores=('msp', 'density')), REFERENCE_VARIANT, read)


def test_wrong_options_name_the_variant(read):
    for one, message in (
        (variant(train={'abnn.alpha': '-1'}), r"variant 'g/v': `abnn.alpha` must be .*, got -1"),
        (variant(members=4), r"variant 'g/v': `members` must be at most 3, got 4"),
        (variant('noisy', test={'abnn.nothing': '1'}), r"variant 'g/v': `abnn` may hold"),
    ):
        with pytest.raises(ValueError, match=message):
            find_fingerprint(make_ablation(), one, read)
    plain = make_ablation(config=make_ablation().base)
    with pytest.raises(ValueError, match=r"variant 'reference': .* it has no `num_members`"):
        find_fingerprint(plain, REFERENCE_VARIANT, read)
