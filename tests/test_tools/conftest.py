"""A small MiniStreets, a network trained on it and an ABNN made from it."""

import sys
from pathlib import Path

import pytest

from helpers.tool_runner import (
    ABNN_CONFIG,
    BASE_CONFIG,
    ROOT,
    data_options,
    run,
    run_tool,
    succeeded,
)


@pytest.fixture(scope='session')
def data(tmp_path_factory) -> Path:
    """Render a small MiniStreets by the tool."""
    out = tmp_path_factory.mktemp('data') / 'mini_streets'
    counts = ['--train', 6, '--val', 2, '--test-id', 3, '--test-ood', 4]
    tool = ROOT / 'tools/dataset_converters/mini_streets.py'
    succeeded(run([sys.executable, tool, out, '--size', 64, 128, *counts]))
    return out


@pytest.fixture(scope='session')
def base(tmp_path_factory, data) -> Path:
    """Train the deterministic base; return its checkpoint."""
    work_dir = tmp_path_factory.mktemp('base')
    options = data_options(data)
    succeeded(run_tool('train.py', BASE_CONFIG, '--work-dir', work_dir, options=options))
    return work_dir / 'iter_3.pth'


@pytest.fixture(scope='session')
def abnn(tmp_path_factory, data, base) -> Path:
    """Fine-tune two members from the base; return the work dir."""
    work_dir = tmp_path_factory.mktemp('abnn') / 'run'
    options = {**data_options(data), 'load_from': base, 'num_members': 2}
    succeeded(run_tool('train.py', ABNN_CONFIG, '--work-dir', work_dir, options=options))
    return work_dir
