"""tools/analysis_tools/benchmark_evaluator.py, small."""

import json
import sys
from importlib.util import find_spec

import numpy as np
import pytest
import torch

from helpers.tool_loader import load_tool
from helpers.tool_runner import ROOT, run, succeeded

PATH = ROOT / 'tools/analysis_tools/benchmark_evaluator.py'
METRICS = {'AUROC', 'AUPR', 'FPR95'}


@pytest.fixture(scope='module')
def tool():
    return load_tool('analysis_tools/benchmark_evaluator.py')


@pytest.fixture
def call(tool, monkeypatch):
    """Call the tool in this process, its contenders too."""
    monkeypatch.setattr(tool.measuring, 'in_a_fresh_process', tool.measuring.measure)
    threads = torch.get_num_threads()

    def main(*arguments):
        monkeypatch.setattr(sys, 'argv', [str(PATH), *map(str, arguments)])
        tool.main()

    yield main
    torch.set_num_threads(threads)


def test_a_run_as_a_user_types_it(tool, tmp_path):
    """Each contender in a fresh process."""
    out, chosen = tmp_path / 'out', ['ours: ScoreHistogram', 'scikit-learn']
    command = [sys.executable, PATH, '--quick', '--out', out, '--contenders', *chosen]
    check_report(succeeded(run(command)).stdout, out, chosen)


def test_all_contenders(tool, call, tmp_path, capsys):
    names = list(tool.contenders.CONTENDERS)
    call('--quick', '--out', tmp_path / 'out')
    rows = check_report(capsys.readouterr().out, tmp_path / 'out', names)
    check_values(rows)


def check_report(printed, out, contenders):
    """What is written and printed is complete; return its rows."""
    names = {'benchmark.json', 'benchmark.md', 'benchmark.png'}
    assert {path.name for path in out.iterdir()} == names  # the maps are gone
    report = json.loads((out / 'benchmark.json').read_text())
    assert set(report) == {'settings', 'environment', 'results'}
    assert {'numpy', 'torch', 'scikit-learn'} <= set(report['environment']['packages'])
    assert report['settings']['threads'] >= 1
    rows = report['results']
    assert [(row['images'], row['contender']) for row in rows] == [
        (images, name) for images in (1, 2) for name in contenders
    ]
    page = (out / 'benchmark.md').read_text()
    assert all(printed.count(name) >= 2 and page.count(name) >= 2 for name in contenders)
    assert (out / 'benchmark.png').read_bytes().startswith(b'\x89PNG')
    check_rows(rows, printed)
    return rows


def check_rows(rows, printed):
    for row in rows:
        if row['contender'].startswith('torchmetrics') and find_spec('torchmetrics') is None:
            assert row['not_run'] == 'torchmetrics is not installed'
            assert row['contender'] in printed
            continue
        assert row['not_run'] == ''
        assert len(row['seconds']) == len(row['peak_mb']) == 1
        assert row['median_seconds'] == row['seconds'][0] > 0
        speed = row['images'] * 180 * 320 / 1e6 / row['median_seconds']
        assert row['megapixels_per_second'] == pytest.approx(speed)
        assert set(row['errors']) == METRICS
        assert row['speedup'] > 0


def check_values(rows):
    """The values of scikit-learn lie inside our bounds."""
    found = {(row['images'], row['contender']): row for row in rows}
    for images in (1, 2):
        exact = found[images, 'scikit-learn']['values']
        for name in ('ours: ScoreHistogram', 'everything: ours'):
            row = found[images, name]
            for metric in METRICS:
                low, high = row['values'][f'{metric}_bounds']
                assert low <= exact[metric] <= high
                assert high - low <= row['values']['gap'] < 1e-4
            assert row['inside'] is True
        # the same numbers of each image
        assert set(row['mean_errors']) == METRICS | {'ECE'}
        assert max(row['mean_errors'].values()) < 1e-9
        binned = found[images, 'NumPy, 1000 percentile bins']
        assert 0 < binned['errors']['AUPR'] < 0.05


def test_some_contenders(call, tmp_path):
    """Without scikit-learn there is nothing to compare with."""
    name = 'ours: ScoreHistogram'
    call('--quick', '--contenders', name, '--out', tmp_path / 'out')
    rows = json.loads((tmp_path / 'out/benchmark.json').read_text())['results']
    assert [(row['images'], row['contender']) for row in rows] == [(1, name), (2, name)]
    assert all(row['median_seconds'] > 0 and 'speedup' not in row for row in rows)


def test_figure(tool):
    """One line a contender in either panel, at the numbers of images that it was run with."""
    speeds = {name: [k + 1.0, k + 2.0] for k, name in enumerate(tool.contenders.CONTENDERS)}
    rows = [
        dict(
            images=images,
            contender=name,
            not_run='' if (name, images) != ('scikit-learn', 5) else 'would take long',
            megapixels_per_second=found[index],
            median_peak_mb=10 * found[index],
        )
        for index, images in enumerate((1, 5))
        for name, found in speeds.items()
    ]
    figure = tool.report.figure(rows)
    panels = figure.axes
    titles = [axes.get_title() for axes in panels]
    assert titles == ['megapixels per second', 'peak memory in MB']
    for axes, factor in zip(panels, (1, 10), strict=True):
        assert (axes.get_xscale(), axes.get_yscale()) == ('log', 'log')
        assert [tick.get_text() for tick in axes.get_xticklabels()] == ['1', '5']
        for line, (name, found) in zip(axes.lines, speeds.items(), strict=True):
            assert line.get_label() == name
            points = [[1, factor * found[0]], [5, factor * found[1]]]
            assert line.get_xydata().tolist() == points[: 1 if name == 'scikit-learn' else 2]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == list(speeds)


@pytest.mark.parametrize('score', ['msp', 'entropy'])
def test_maps(tool, score):
    images = [tool.score_maps.render(index, (180, 320), 0, score) for index in range(12)]
    again = tool.score_maps.render(3, (180, 320), 0, score)
    assert all(np.array_equal(a, b) for a, b in zip(images[3], again, strict=True))
    assert not np.array_equal(images[2].scores, images[3].scores)
    assert 0.015 < np.mean([maps.positives.mean() for maps in images]) < 0.025
    assert 0.98 < np.median([maps.confidence for maps in images]) < 0.998
    for maps in images:
        assert maps.scores.shape == (180 * 320,)
        assert maps.positives.sum() > 0
        assert not maps.correct[maps.positives].any()
        assert maps.scores[maps.positives].mean() > maps.scores[~maps.positives].mean()


def test_long_runs_are_left_out(tool):
    def row(images, seconds, megabytes):
        return dict(images=images, median_seconds=seconds, median_peak_mb=megabytes)

    forecast = tool.measuring.forecast
    assert forecast([], 10, max_seconds=1) == ''
    assert forecast([row(1, 2.0, 1.0)], 10, max_seconds=25) == ''
    assert forecast([row(1, 2.0, 1.0)], 10, max_seconds=15) == 'would take about 20 s'
    # what costs once is not multiplied
    assert forecast([row(1, 2.0, 1.0), row(2, 2.5, 1.0)], 10, max_seconds=7) == ''
    if sys.platform == 'linux':
        reason = forecast([row(1, 2.0, 2.0**30)], 2, max_seconds=15)
        assert reason == 'would need about 2097152.0 GB'
    rows = [dict(images=2, contender='scikit-learn', not_run='would take long')]
    text = tool.report.text_table(rows)
    assert 'scikit-learn (not run: would take long)' in text


def test_bad_arguments(call, tmp_path, capsys):
    with pytest.raises(SystemExit, match='2'):
        call('--sizes', 0, '--out', tmp_path / 'out')
    assert '--sizes must be at least 1, got 0' in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()
