"""tools/analysis_tools/suggest_alpha.py as a user runs it."""

import json

import pytest

from helpers.tool_runner import ABNN_CONFIG, data_options, run_tool

TOOL = 'analysis_tools/suggest_alpha.py'


def test_suggestion(abnn, data, tmp_path):
    arguments = (ABNN_CONFIG, abnn / 'abnn.pth', '--work-dir', tmp_path)
    arguments += ('--alphas', 0.3, 0.05, '--max-loss', 100)
    # with the labels of the network itself no alpha changes the mIoU
    options = {**data_options(data), 'abnn.labels_from': 'mean'}
    result = run_tool(TOOL, *arguments, options=options)
    assert result.returncode == 0, result.stderr
    found = json.loads((tmp_path / 'alpha.json').read_text())
    assert [row['alpha'] for row in found['rows']] == [None, 0.05, 0.3]
    assert found['suggested'] == 0.3
    assert 'suggested, for a loss of at most 100.0 points: abnn.alpha=0.3' in result.stdout
    assert 'Note: 0.3 is the largest alpha that was tried' in result.stdout
    assert any('the largest alpha that was tried' in remark for remark in found['remarks'])
    base, *rows = found['rows']
    assert all(0 <= row['miou'] <= 1 for row in found['rows'])
    assert all(row['nll'] != pytest.approx(base['nll'], abs=1e-9) for row in rows)


def test_wrong_arguments(abnn, tmp_path):
    arguments = (ABNN_CONFIG, abnn / 'abnn.pth', '--work-dir', tmp_path, '--alphas', 0)
    result = run_tool(TOOL, *arguments)
    assert result.returncode == 2
    assert 'argument --alphas: must be > 0, got 0' in result.stderr
