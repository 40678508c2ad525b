"""A script run in the process of the tests, as if in a new one.

Starting a process takes several seconds, for the imports of PyTorch and MMSegmentation, and a small
training less than one.
"""

import gc
import io
import os
import random
import runpy
import subprocess
import sys
import traceback
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path
from unittest.mock import patch

import cv2
import numpy as np
import torch
from mmengine.fileio import load
from mmengine.logging import MMLogger
from mmengine.runner import CheckpointLoader
from mmengine.utils import ManagerMixin
from mmengine.utils.dl_utils import collect_env
from torch import distributed, multiprocessing
from torch.backends import cudnn

_CUDNN = ('benchmark', 'deterministic', 'enabled')


# What takes longest in a small run has nothing to do with it, and is always the same: it is made
# once. Configs in logs and checkpoints are not laid out nicely.
_SAVINGS = {
    'mmengine.config.utils.load': cache(load),  # the lists of MMSegmentation's configs
    'mmengine.runner.runner.collect_env': cache(collect_env),
    'yapf.yapflib.yapf_api.FormatCode': lambda text, **style: (text, True),
}


def run_script(script, *arguments, cwd) -> subprocess.CompletedProcess:
    """Run a Python script as ``python script arguments`` does, with its output captured.

    Args:
        script: Its file.
        arguments: Of its command line; as in :func:`run`, their text counts.
        cwd: The working directory.

    Returns:
        What a process would give: an exception is a traceback on stderr and the exit status 1.
    """
    argv = [str(script), *map(str, arguments)]
    out, err = io.StringIO(), io.StringIO()
    with ExitStack() as stack:
        stack.enter_context(_as_in_a_new_process(argv, cwd))
        for name, cheap in _SAVINGS.items():
            stack.enter_context(patch(name, cheap))
        stack.enter_context(redirect_stdout(out))
        stack.enter_context(redirect_stderr(err))
        code = _execute(argv[0])
    return subprocess.CompletedProcess(argv, code, out.getvalue(), err.getvalue())


def _execute(script: str) -> int:
    try:
        runpy.run_path(script, run_name='__main__')
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except Exception:
        traceback.print_exc()
        return 1
    return 0


@contextmanager
def _as_in_a_new_process(argv: Sequence[str], cwd) -> Iterator[None]:
    """Hide what the tests have left in this process from a script, and the reverse."""
    folder, old_argv, path = os.getcwd(), sys.argv, list(sys.path)
    environment = dict(os.environ)
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    flags = {flag: getattr(cudnn, flag) for flag in _CUDNN}
    threads = cv2.getNumThreads()
    start_method = multiprocessing.get_start_method(allow_none=True)
    schemes = CheckpointLoader._schemes.copy()
    # loggers, message hubs, visualizers and default scopes, by name
    instances = {manager: manager._instance_dict for manager in _managers()}
    try:
        os.chdir(cwd)
        os.environ['CUDA_VISIBLE_DEVICES'] = ''
        sys.argv = list(argv)
        sys.path.insert(0, str(Path(argv[0]).resolve().parent))
        for manager in instances:
            manager._instance_dict = OrderedDict()
        yield
        assert not distributed.is_initialized(), 'a distributed run needs processes of its own'
    finally:
        for logger in MMLogger._instance_dict.values():
            for handler in logger.handlers:
                handler.close()
        for manager in _managers():
            manager._instance_dict = instances.get(manager, OrderedDict())
        CheckpointLoader._schemes = schemes
        multiprocessing.set_start_method(start_method, force=True)
        cv2.setNumThreads(threads)
        for flag, value in flags.items():
            setattr(cudnn, flag, value)
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])
        os.environ.clear()
        os.environ.update(environment)
        sys.path[:] = path
        sys.argv = old_argv
        os.chdir(folder)
        gc.collect()  # ends the workers of data loaders that are in circles


def _managers(root: type = ManagerMixin) -> Iterator[type]:
    yield root
    for manager in root.__subclasses__():
        yield from _managers(manager)
