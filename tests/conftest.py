"""Settings for all tests."""

import gc
import logging
import os

# several test processes share the CPUs; read when PyTorch is imported, here and in the tools
if 'PYTEST_XDIST_WORKER' in os.environ:
    os.environ.setdefault('OMP_NUM_THREADS', '1')
# the tests compare what a CPU computes; MMEngine chooses its device when it is imported
os.environ['CUDA_VISIBLE_DEVICES'] = ''

import pytest
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from yapf.yapflib import yapf_api

import mmseg_abnn  # noqa: F401  registers what the tests build


def pytest_collection_finish():
    """Keep all that was imported out of garbage collection.

    MMEngine asks for one with each data set, and would look through hundreds of thousands of
    objects that stay anyway.
    """
    gc.freeze()


_format_code, _formatted = yapf_api.FormatCode, {}


@pytest.fixture(autouse=True)
def _format_configs_once(monkeypatch):
    """Remember the text of a config, which MMEngine formats anew for each log and checkpoint.

    That takes longer than the small trainings of the tests.
    """

    def once(text, **settings):
        if text not in _formatted:
            _formatted[text] = _format_code(text, **settings)
        return _formatted[text]

    monkeypatch.setattr(yapf_api, 'FormatCode', once)


@pytest.fixture(autouse=True)
def _mmseg_scope():
    """Look up registered names in MMSegmentation first, as a config's default scope does."""
    init_default_scope('mmseg')


@pytest.fixture
def log():
    """The messages that are logged during the test."""
    messages = []
    handler = logging.Handler()
    handler.emit = lambda record: messages.append(record.getMessage())
    logger = MMLogger.get_current_instance()
    logger.addHandler(handler)
    yield messages
    logger.removeHandler(handler)
