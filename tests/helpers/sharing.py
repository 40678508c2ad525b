"""What is expensive to make is made once in a test run, not once in each of its processes."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock


def made_once(
    tmp_path_factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]
) -> Path:
    """Make a folder once and share it between the processes of pytest-xdist.

    Args:
        tmp_path_factory: The fixture of this name.
        name: Of the folder; the same name is the same folder in the whole test run.
        make: Fills the empty folder that it is given. If it raises, the next one who asks makes
            the folder anew.

    Returns:
        The filled folder. Other tests read it too: do not write to it.
    """
    base = tmp_path_factory.getbasetemp()
    if 'PYTEST_XDIST_WORKER' in os.environ:
        base = base.parent  # the folder of the run, in which each process has one of its own
    folder = base / 'shared' / name
    done = folder.with_name(f'{name}.done')
    folder.parent.mkdir(exist_ok=True)
    with FileLock(folder.with_name(f'{name}.lock')):
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            done.touch()
    return folder
