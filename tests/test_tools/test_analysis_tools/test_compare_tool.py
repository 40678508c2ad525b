"""A comparison as a user runs it, in small."""

import csv
import json
import sys

import pytest
from safetensors.torch import load_file

from comparison import PredictionTimes
from helpers.called_tools import calls_in_process
from helpers.in_process import run_script
from helpers.pictures import places_of, read_picture
from helpers.sharing import made_once
from helpers.tool_loader import load_tool
from helpers.tool_runner import ABNN_CONFIG, BASE_CONFIG, ROOT, SMALL, data_options, run, succeeded
from mmseg_abnn.checkpoint import read_checkpoint

TOOL = ROOT / 'tools/analysis_tools/compare.py'
SCORES = {
    'deterministic': ['msp', 'max_logit', 'entropy', 'energy'],
    'ABNN (M=2)': ['entropy', 'msp', 'mutual_information'],
}
METRICS = ('AUPR', 'AUROC', 'FPR95')


@pytest.fixture(scope='module')
def lists(abnn, base, data, tmp_path_factory):
    """Write a list; return its path."""
    options = {**SMALL, **data_options(data), 'test_evaluator.histogram_bits': 10}
    methods = [
        dict(
            name='deterministic',
            config=str(BASE_CONFIG),
            checkpoint=str(base),
            trained_in=[str(base.parent)],
            options=options,
        ),
        dict(
            name='ABNN (M=2)',
            config=str(ABNN_CONFIG),
            checkpoint=str(abnn / 'abnn.pth'),
            trained_in=[str(base.parent), str(abnn)],
            options={**options, 'abnn.seed': '{seed}'},
        ),
    ]
    for method in methods:
        method['scores'] = SCORES[method['name']]
    content = dict(title='Small', seeds=[3], reference='deterministic', methods=methods)
    text = '\n'.join(f'{key} = {value!r}' for key, value in content.items())
    return made_once(
        tmp_path_factory, 'comparison_list', lambda folder: (folder / 'small.py').write_text(text)
    ).joinpath('small.py')


@pytest.fixture(scope='module')
def compared(lists, tmp_path_factory):
    """Run the comparison; return its folder and what it printed."""

    def compare(folder):
        arguments = [lists, '--out', folder / 'out', '--images', 2]
        with calls_in_process():
            result = succeeded(run_script(TOOL, *arguments, cwd=ROOT))
        (folder / 'printed.txt').write_text(result.stdout)

    folder = made_once(tmp_path_factory, 'compared', compare)
    return folder / 'out', (folder / 'printed.txt').read_text()


@pytest.fixture(scope='module')
def content(compared):
    return json.loads((compared[0] / 'compare.json').read_text())


def values(content, method, score):
    (row,) = [r for r in content['rows'] if (r['method'], r['score']) == (method, score)]
    return {name: value and value['mean'] for name, value in row['values'].items()}


def last_times(work_dir):
    """Three iterations, each logged as the mean of all so far."""
    (path,) = work_dir.glob('*/vis_data/scalars.json')
    return 3 * json.loads(path.read_text().splitlines()[2])['time']


@pytest.mark.parametrize(('method', 'folder'), [('deterministic',) * 2, ('ABNN (M=2)', 'ABNN_M_2')])
def test_numbers_are_those_of_the_tests(method, folder, compared, content):
    expected = json.loads((compared[0] / folder / '3/metrics.json').read_text())
    assert content['measured'][method]['metrics'] == {'3': expected}
    for score in SCORES[method]:
        found = values(content, method, score)
        assert (found['mIoU'], found['ECE']) == (expected['mIoU'], expected['ECE'])
        prefix = '' if score == SCORES[method][0] else f'{score}/'
        for pooled in ('', 'pooled/'):
            for name in METRICS:
                assert found[pooled + name] == expected[f'{pooled}{prefix}{name}']
    report = json.loads((compared[0] / folder / '3/report/report.json').read_text())
    assert report['settings']['scores'] == SCORES[method]


def test_costs(base, abnn, content):
    plain, bayesian = (values(content, m, 'msp') for m in SCORES)
    seconds = last_times(base.parent), sum(last_times(abnn / f'member_{m}') for m in (0, 1))
    assert plain['training_time'] == 1
    assert bayesian['training_time'] == pytest.approx(1 + seconds[1] / seconds[0])
    state = read_checkpoint(base)['state_dict']
    statistics = ('running_mean', 'running_var', 'num_batches_tracked')
    weights = sum(t.numel() for n, t in state.items() if not n.endswith(statistics))
    members = [load_file(abnn / f'member_{m}.safetensors') for m in (0, 1)]
    trained = sum(t.numel() for member in members for t in member.values())
    assert plain['trained_parameters'] == weights
    assert bayesian['added_trained_parameters'] == trained
    assert bayesian['trained_parameters'] == weights + trained
    assert (plain['storage'], bayesian['storage']) == (0, 4 * trained)
    size = sum(t.numel() * t.element_size() for t in state.values())
    assert bayesian['storage_share'] == pytest.approx(4 * trained / size)
    times = content['prediction_times']
    assert (times['images'], plain['prediction_time']) == (2, 1)
    ratio = times['seconds']['ABNN (M=2)'] / times['seconds']['deterministic']
    assert bayesian['prediction_time'] == pytest.approx(ratio)
    assert ratio > 2  # 6 passes


def test_what_is_written(compared, content):
    out, printed = compared
    assert 'mean over images, in percent' in printed
    assert '| ABNN (M=2)    | mutual_information |' in printed
    assert '**' in (out / 'compare.md').read_text()
    with open(out / 'compare.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        expected = values(content, row['method'], row['score'])
        assert {name: float(row[name]) for name in expected} == expected
    assert len(rows) == 7
    # the markers stand where costs and AUPR are higher, and no two methods have the same cost
    picture = read_picture(out / 'cost_vs_aupr.png')
    (x, y), (other_x, other_y) = (places_of(picture, f'C{i}').mean(axis=0) for i in range(2))
    assert x < other_x
    one, other = (values(content, method, score[0])['AUPR'] for method, score in SCORES.items())
    assert (y > other_y) == (one < other)
    assert content['notes'] == []


def test_in_processes_of_its_own(lists, content, tmp_path):
    """As a user runs it, for one method."""
    path = tmp_path / 'one.py'
    path.write_text(f'_base_ = {str(lists)!r}\nmethods = _base_.methods[:1]\n')
    out = tmp_path / 'out'
    result = succeeded(run([sys.executable, TOOL, path, '--out', out, '--images', 1]))
    assert '=== 1 of 1: deterministic, seed 3: test' in result.stdout
    assert '/tools/test.py' in result.stdout
    found = json.loads((out / 'compare.json').read_text())
    for key in ('metrics', 'training', 'storage'):
        assert found['measured']['deterministic'][key] == content['measured']['deterministic'][key]


def call(monkeypatch, *arguments):
    """Run the tool in this process."""
    tool = load_tool('analysis_tools/compare.py')

    def no_test(planned, path):
        raise AssertionError(f'{planned.work_dir} is tested again')

    def no_measurement(configs, images, work_dir):
        return PredictionTimes(dict.fromkeys(configs, 1.0), images, 'nothing')

    monkeypatch.setattr(tool, 'carry_out', no_test)
    monkeypatch.setattr(tool, 'measure_prediction_times', no_measurement)
    monkeypatch.setattr(sys, 'argv', ['compare.py', *map(str, arguments)])
    tool.main()


def test_finished_tests_are_not_repeated(compared, content, lists, monkeypatch, capsys):
    call(monkeypatch, lists, '--out', compared[0], '--images', 2)
    assert capsys.readouterr().out.count('seed 3: finished before') == 2
    again = json.loads((compared[0] / 'compare.json').read_text())
    for row, before in zip(again['rows'], content['rows'], strict=True):
        row['values'].pop('prediction_time')
        assert row['values'].items() <= before['values'].items()


def test_errors_come_before_any_test(lists, tmp_path, monkeypatch, capsys):
    text = lists.read_text()
    cases = {
        "'deterministic': the `scores` of EncoderDecoder are": ("'max_logit'", "'density'"),
        '1 files are missing': ('abnn.pth', 'nowhere.pth'),
    }
    for message, (old, new) in cases.items():
        path = tmp_path / 'wrong.py'
        path.write_text(text.replace(old, new))
        with pytest.raises((ValueError, FileNotFoundError), match=message):
            call(monkeypatch, path, '--out', tmp_path / 'out')
    with pytest.raises(SystemExit):
        call(monkeypatch, lists, '--images', 0)
    assert '--images must be at least 1, got 0' in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()
