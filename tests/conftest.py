"""Settings for all tests."""

import os

# several test processes share the CPUs; read when PyTorch is imported, here and in the tools
if 'PYTEST_XDIST_WORKER' in os.environ:
    os.environ.setdefault('OMP_NUM_THREADS', '1')

import pytest
from mmengine.registry import init_default_scope

import mmseg_abnn  # noqa: F401  registers what the tests build


@pytest.fixture(autouse=True)
def _mmseg_scope():
    """Look up registered names in MMSegmentation first, as a config's default scope does."""
    init_default_scope('mmseg')
