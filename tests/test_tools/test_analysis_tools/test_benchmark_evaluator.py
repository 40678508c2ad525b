"""tools/analysis_tools/benchmark_evaluator.py, small."""

import json
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from helpers.in_process import run_script
from helpers.pictures import count_panels, places_of, read_picture
from helpers.sharing import made_once
from helpers.tool_loader import load_tool
from helpers.tool_runner import ROOT, run, succeeded

PATH = ROOT / 'tools/analysis_tools/benchmark_evaluator.py'
METRICS = {'AUROC', 'AUPR', 'FPR95'}


@pytest.fixture(scope='module')
def tool():
    return load_tool('analysis_tools/benchmark_evaluator.py')


@pytest.fixture(scope='module')
def quick(tmp_path_factory):
    """Run the tool; return what it printed, and its folder."""

    def measure(folder):
        result = succeeded(run([sys.executable, PATH, '--quick', '--out', folder / 'out']))
        (folder / 'printed.txt').write_text(result.stdout)

    folder = made_once(tmp_path_factory, 'benchmark_evaluator', measure)
    return (folder / 'printed.txt').read_text(), folder / 'out'


def test_quick_run(tool, quick):
    printed, out = quick
    names = {'benchmark.json', 'benchmark.md', 'benchmark.png'}
    assert {path.name for path in out.iterdir()} == names  # the maps are gone
    report = json.loads((out / 'benchmark.json').read_text())
    assert set(report) == {'settings', 'environment', 'results'}
    assert {'numpy', 'torch', 'scikit-learn'} <= set(report['environment']['packages'])
    assert report['settings']['threads'] >= 1
    assert [(row['images'], row['contender']) for row in report['results']] == [
        (images, name) for images in (1, 2) for name in tool.contenders.CONTENDERS
    ]
    page = (out / 'benchmark.md').read_text()
    assert all(
        printed.count(name) >= 2 and page.count(name) >= 2 for name in tool.contenders.CONTENDERS
    )
    # speed on the left, memory on the right, of all that were run
    picture = read_picture(out / 'benchmark.png')
    assert count_panels(picture) == 2
    above_the_legend = picture[: int(0.8 * len(picture))]
    run_ones = {row['contender'] for row in report['results'] if not row['not_run']}
    colors = ('red', 'blue', 'green', 'olive', 'gray', 'red', 'blue')
    expected = {c for n, c in zip(tool.contenders.CONTENDERS, colors, strict=True) if n in run_ones}
    for half in np.array_split(above_the_legend, 2, axis=1):
        shown = {c for c in set(colors) if len(places_of(half, f'tab:{c}')) > 10}
        assert shown == expected


def test_some_contenders(tool, tmp_path, monkeypatch):
    """Without scikit-learn there is nothing to compare with."""
    name = 'ours: ScoreHistogram'
    monkeypatch.setattr(tool.measuring, 'in_a_fresh_process', tool.measuring.measure)
    arguments = ['--quick', '--contenders', name, '--out', tmp_path / 'out']
    succeeded(run_script(PATH, *arguments, cwd=ROOT))
    rows = json.loads((tmp_path / 'out/benchmark.json').read_text())['results']
    assert [(row['images'], row['contender']) for row in rows] == [(1, name), (2, name)]
    assert all(row['median_seconds'] > 0 and 'speedup' not in row for row in rows)


def test_rows(quick):
    rows = json.loads((quick[1] / 'benchmark.json').read_text())['results']
    for row in rows:
        if row['contender'].startswith('torchmetrics') and find_spec('torchmetrics') is None:
            assert row['not_run'] == 'torchmetrics is not installed'
            assert row['contender'] in quick[0]
            continue
        assert row['not_run'] == ''
        assert len(row['seconds']) == len(row['peak_mb']) == 1
        assert row['median_seconds'] == row['seconds'][0] > 0
        speed = row['images'] * 180 * 320 / 1e6 / row['median_seconds']
        assert row['megapixels_per_second'] == pytest.approx(speed)
        assert set(row['errors']) == METRICS
        assert row['speedup'] > 0


def test_the_values_of_scikit_learn_lie_inside_our_bounds(quick):
    rows = json.loads((quick[1] / 'benchmark.json').read_text())['results']
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


def test_bad_arguments(tmp_path):
    result = run_script(PATH, '--sizes', 0, '--out', tmp_path / 'out', cwd=ROOT)
    assert result.returncode == 2
    assert '--sizes must be at least 1, got 0' in result.stderr
    assert not (tmp_path / 'out').exists()
