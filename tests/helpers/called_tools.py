"""Tools that call other tools."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from comparison import runs
from helpers.in_process import run_script
from mmseg_abnn.evaluation.metrics.segmentation import uncertainty_metric


@contextmanager
def calls_in_process() -> Iterator[None]:
    """Let ``comparison.runs.call_tool`` run its tools in this process, and nothing draw reports."""

    def start(command, check):
        executable, script, *arguments = command
        assert (executable, check) == (sys.executable, False)
        result = run_script(script, *arguments, cwd=os.getcwd())
        print(result.stdout, end='', flush=True)
        print(result.stderr, end='', file=sys.stderr, flush=True)
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, 'subprocess', SimpleNamespace(run=start))
        patch.setattr(uncertainty_metric, 'write_plots', lambda *arguments: None)
        yield
