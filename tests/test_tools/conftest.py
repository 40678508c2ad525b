"""A small MiniStreets, a network trained on it and an ABNN made from it."""

from pathlib import Path

import pytest

from helpers.in_process import run_script
from helpers.sharing import made_once
from helpers.tool_runner import (
    ABNN_CONFIG,
    BASE_CONFIG,
    ROOT,
    data_options,
    run_tool,
    succeeded,
)
from mmseg_abnn.evaluation.metrics.segmentation import uncertainty_metric


@pytest.fixture(scope='session')
def data(tmp_path_factory) -> Path:
    """Render a small MiniStreets by the tool."""

    def render(folder):
        tool = ROOT / 'tools/dataset_converters/mini_streets.py'
        counts = ['--train', 6, '--val', 2, '--test-id', 3, '--test-ood', 4]
        arguments = [folder / 'images', '--size', 64, 128, *counts, '--workers', 1]
        succeeded(run_script(tool, *arguments, cwd=folder))

    return made_once(tmp_path_factory, 'mini_streets', render) / 'images'


@pytest.fixture(scope='session')
def base(tmp_path_factory, data) -> Path:
    """Train the deterministic base; return its checkpoint."""

    def train(folder):
        options = data_options(data)
        succeeded(run_tool('train.py', BASE_CONFIG, '--work-dir', folder, options=options))

    return made_once(tmp_path_factory, 'base', train) / 'iter_3.pth'


@pytest.fixture(scope='session')
def abnn(tmp_path_factory, data, base) -> Path:
    """Fine-tune two members from the base; return the work dir."""

    def fine_tune(folder):
        options = {**data_options(data), 'load_from': base, 'num_members': 2}
        arguments = (ABNN_CONFIG, '--work-dir', folder)
        succeeded(run_tool('train.py', *arguments, options=options))

    return made_once(tmp_path_factory, 'abnn', fine_tune)


@pytest.fixture(scope='session')
def tested(abnn, data, tmp_path_factory) -> Path:
    """Test the ABNN with tools/test.py; return the work dir, with the predictions below it."""
    options = {**data_options(data), 'test_evaluator.scores': '[msp,entropy,mutual_information]'}

    def test(work_dir):
        arguments = (ABNN_CONFIG, abnn / 'abnn.pth', '--work-dir', work_dir)
        succeeded(run_tool('test.py', *arguments, '--out', work_dir / 'out', options=options))

    return made_once(tmp_path_factory, 'tested', test)


@pytest.fixture
def without_plots(monkeypatch):
    """Let reports of tests have no plots, which take as long as a small test: nobody reads them."""
    monkeypatch.setattr(uncertainty_metric, 'write_plots', lambda folder, counts, settings: None)
