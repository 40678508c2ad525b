"""An ablation as a user runs it, in small."""

import json
import re
import sys

import pytest
from mmengine.config import Config

from ablation import bench
from helpers.called_tools import calls_in_process
from helpers.in_process import run_script
from helpers.pictures import count_panels, places_of, read_picture
from helpers.sharing import made_once
from helpers.tool_loader import load_tool
from helpers.tool_runner import ABNN_CONFIG, BASE_CONFIG, ROOT, SMALL, succeeded
from mmseg_abnn.checkpoint import read_checkpoint

TOOL = ROOT / 'tools/analysis_tools/ablation.py'
# a variant may choose how it predicts
MODEL = {k: v for k, v in SMALL.items() if k.startswith('model.') and 'test_cfg' not in k}
CONFIG = Config.fromfile(ABNN_CONFIG)
ALPHA = CONFIG.abnn.alpha
NAMES = ('mIoU', 'ECE', 'AUPR', 'AUROC', 'FPR95')
VARIANTS = [
    dict(
        name='noise alone',
        test={'abnn.alpha': 0.7, 'abnn.num_samples': 2},
        fine_tuned=False,
        value=0.7,
    ),
    dict(name='one member', members=1, value=ALPHA),
    dict(name='equal effect', train={'abnn.num_members': 1}, equal_effect=ALPHA, value=ALPHA),
    dict(name='the same', train={'abnn.alpha': ALPHA}),
]


@pytest.fixture(scope='module')
def small_list(tmp_path_factory):
    """Write a list; return its path."""
    group = dict(name='kinds', title='Kinds', question='Which?', axis='alpha', variants=VARIANTS)
    other = dict(
        name='other', title='Other', question='What?', variants=[dict(name='a', members=2)]
    )
    content = dict(
        title='Small',
        config=str(ABNN_CONFIG),
        base=str(BASE_CONFIG),
        base_checkpoint='nowhere/{seed}/iter_700.pth',
        data_root='nowhere',
        split='images that are not there',
        seeds=[2, 5],
        scores=['msp', 'mutual_information'],
        train={
            **MODEL,
            'val_cfg': None,
            'val_dataloader': None,
            'val_evaluator': None,
            'default_hooks.checkpoint.interval': -1,
            'default_hooks.checkpoint.save_last': False,
        },
        test=MODEL,
        groups=[group, other],
    )
    text = '\n'.join(f'{key} = {value!r}' for key, value in content.items())
    return made_once(
        tmp_path_factory, 'ablation_list', lambda folder: (folder / 'small.py').write_text(text)
    ).joinpath('small.py')


@pytest.fixture(scope='module')
def tried(small_list, tmp_path_factory):
    """Try one group; return its folder and what was printed."""

    def run(folder):
        arguments = [small_list, '--quick', '--groups', 'kinds', '--out', folder / 'out']
        with calls_in_process():
            result = succeeded(run_script(TOOL, *arguments, cwd=ROOT))
        (folder / 'printed.txt').write_text(result.stdout)

    folder = made_once(tmp_path_factory, 'tried_ablation', run)
    return folder / 'out', (folder / 'printed.txt').read_text()


@pytest.fixture(scope='module')
def content(tried):
    return json.loads((tried[0] / 'small.json').read_text())


def test_numbers_are_those_of_the_tests(tried, content):
    keys = ['deterministic', 'reference', *(f'kinds/{v["name"]}' for v in VARIANTS)]
    assert list(content['results']) == keys
    for entry in content['results'].values():
        assert list(entry['numbers']) == ['2']
        work_dir = tried[0] / 'tests' / entry['settings']['fingerprint'] / '2'
        expected = json.loads((work_dir / 'metrics.json').read_text())
        for score, found in entry['numbers']['2'].items():
            prefix = '' if score == 'msp' else f'{score}/'
            for name in NAMES:
                of_score = '' if name in ('mIoU', 'ECE') else prefix
                assert found[name] == expected[of_score + name]
                if name != 'mIoU':
                    assert found[f'pooled/{name}'] == expected[f'pooled/{of_score}{name}']
    scores = [list(entry['numbers']['2']) for entry in content['results'].values()]
    assert scores == [['msp']] + [['msp', 'mutual_information']] * 5
    found = [str(entry['numbers']) for entry in content['results'].values()]
    assert found[1] == found[5]  # the same settings
    assert len(set(found)) == 5
    assert len(list((tried[0] / 'trainings').iterdir())) == 2
    assert len(list((tried[0] / 'tests').iterdir())) == 5


def config_of_test(tried, content, key):
    folder = tried[0] / 'tests' / content['results'][key]['settings']['fingerprint'] / '2'
    (path,) = folder.glob('*/vis_data/config.py')
    return Config.fromfile(path)


def test_each_is_what_its_name_says(tried, content):
    cfg = config_of_test(tried, content, 'deterministic')
    assert cfg.model.type == 'EncoderDecoder'
    members = {}
    for key in ('reference', 'kinds/noise alone', 'kinds/one member', 'kinds/equal effect'):
        cfg = config_of_test(tried, content, key)
        assert (cfg.model.type, cfg.model.test_cfg.seed) == ('MCEncoderDecoder', 2)
        roots = {part.data_root for part in cfg.test_dataloader.dataset.datasets}
        assert roots == {str(tried[0] / 'data')}
        members[key] = [fact['seed'] for fact in facts_of(cfg)]
    assert members == {
        'reference': [2000, 2001, 2002],
        'kinds/noise alone': [],
        'kinds/one member': [2000],
        'kinds/equal effect': [2000],
    }
    alphas = cfg.custom_hooks[0].alpha
    assert len(alphas) > 20
    assert len(set(alphas.values())) > 5
    assert {alpha for alpha in alphas.values() if 0 < alpha <= 1.0} == set(alphas.values())
    # the member was fine-tuned with them too
    assert facts_of(cfg)[0]['alpha'] == dict(alphas)
    noisy = config_of_test(tried, content, 'kinds/noise alone')
    assert (noisy.custom_hooks[0].alpha, noisy.model.test_cfg.num_samples) == (0.7, 2)


def facts_of(cfg):
    return read_checkpoint(cfg.load_from)['meta'].get('members', [])


def test_what_is_written(tried):
    out, printed = tried
    assert 'mean over images, in percent' in printed
    assert '| noise alone   | msp   |     1 |' in printed
    page = (out / 'ablation.md').read_text()
    assert '![Kinds](small_kinds.png)' in page
    assert f'`alpha={ALPHA}`' in page
    assert f'`test_cfg={CONFIG.model.test_cfg.to_dict()}`' in page
    assert re.search(r'^Options of each training: .*`model\.', page, re.MULTILINE)
    picture = read_picture(out / 'small_kinds.png')
    assert count_panels(picture) == len(NAMES)
    assert len(places_of(picture, 'C0')) > 20
    assert re.search(
        r'^\| \*\*Kinds\.\*\* Which\? \|  \| \*.* \(1 seed\): AUPR [+-]', page, re.MULTILINE
    )
    assert '| **Other.** What? |  | not measured |' in page
    summary = '<summary><b>Other.</b> What?</summary>'
    assert page.rstrip().endswith(f'{summary}\n\nNot measured: a.\n\n</details>')


def call(monkeypatch, *arguments):
    """Run the tool in this process, which must not start any other."""

    def fail(*args):
        raise AssertionError('something is run again')

    monkeypatch.setattr(bench, 'carry_out', fail)
    monkeypatch.setattr(bench, 'carry_out_training', fail)
    monkeypatch.setattr(sys, 'argv', ['ablation.py', *map(str, arguments)])
    load_tool('analysis_tools/ablation.py').main()


def test_what_was_finished_is_kept(tried, content, small_list, monkeypatch, capsys):
    call(monkeypatch, small_list, '--quick', '--groups', 'kinds', '--out', tried[0])
    assert capsys.readouterr().out.count('test finished before') == 5
    assert json.loads((tried[0] / 'small.json').read_text()) == content


def test_the_page_is_made_of_the_stored_numbers_alone(tried, small_list, tmp_path, monkeypatch):
    edited = tmp_path / 'edited.py'
    text = small_list.read_text().replace(
        "'question': 'Which?'", "'question': 'Which?', 'answer': 'This.', 'remark': 'All.'"
    )
    edited.write_text(text)
    results, page = tmp_path / 'docs/small.json', tmp_path / 'page.md'
    results.parent.mkdir()
    results.write_bytes((tried[0] / 'small.json').read_bytes())
    call(monkeypatch, edited, '--render', '--results', results, '--page', page)
    before = (tried[0] / 'ablation.md').read_text()
    expected = before.replace(' Which? |  |', ' Which? | This. |')
    expected = expected.replace(' Which?</summary>\n', ' Which?</summary>\n\nAll.\n')
    for name in ('small_kinds.png', 'small.json'):
        expected = expected.replace(f']({name})', f'](docs/{name})')
    assert page.read_text() == expected
    picture = (tmp_path / 'docs/small_kinds.png').read_bytes()
    assert picture == (tried[0] / 'small_kinds.png').read_bytes()


def test_errors_come_before_anything_runs(small_list, tmp_path, monkeypatch, capsys):
    with pytest.raises(FileNotFoundError) as error:
        call(monkeypatch, small_list, '--out', tmp_path / 'out', '--results', tmp_path / 'r.json')
    command = f'python tools/train.py {BASE_CONFIG} --work-dir nowhere/5'
    assert f'{command} --cfg-options randomness.seed=5' in str(error.value)
    with pytest.raises(ValueError, match=r"the groups are \['kinds', 'other'\], got \['none'\]"):
        call(monkeypatch, small_list, '--groups', 'none')
    with pytest.raises(ValueError, match='no results are stored yet'):
        call(monkeypatch, small_list, '--render', '--results', tmp_path / 'r.json')
    with pytest.raises(SystemExit):
        call(monkeypatch, small_list, '--render', '--quick')
    assert '--quick renders its own page' in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
