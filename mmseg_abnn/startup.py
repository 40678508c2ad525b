"""Whether the import of the package may wait, so that ``mmseg-abnn --help`` answers at once.

``import mmseg_abnn`` registers everything, in a script, in a config's ``custom_imports`` and in the
processes that load data alike, which takes the seconds that PyTorch and MMSegmentation take. The
one process that has something to do before is the command itself: Python imports the package first
of all when it starts ``mmseg-abnn`` or ``python -m mmseg_abnn``. There, and nowhere else, the
package imports nothing until the command has read its arguments and calls
:func:`import_everything`.
"""

import importlib
import os
import sys
from collections.abc import Sequence

_PACKAGE = 'mmseg_abnn'
# as installers name it on Unix and on Windows
_SCRIPTS = ('mmseg-abnn', 'mmseg-abnn.exe', 'mmseg-abnn-script.py')


def import_waits() -> bool:
    """Tell whether the package shall not import everything yet."""
    return _waits


def started_as_command(orig_argv: Sequence[str], argv: Sequence[str]) -> bool:
    """Tell whether a process is the command, from ``sys.orig_argv`` and ``sys.argv``.

    A process that the command spawns takes over its ``sys.argv`` and has an ``orig_argv`` of its
    own, in which no such name is.
    """
    # the script or module that Python was told to run stands before its arguments
    started = orig_argv[-len(argv)] if 0 < len(argv) <= len(orig_argv) else ''
    if argv[:1] == ['-m']:  # as long as Python is looking for the module
        return started == _PACKAGE
    return started == argv[0] and os.path.basename(started) in _SCRIPTS if argv else False


def import_everything() -> None:
    """Complete the import of the package, where it waits; its public names are there afterwards.

    Raises:
        ImportError: If a package that it needs is missing, see ``compat.check_stack``.
    """
    global _waits
    if _waits:
        _waits = False
        importlib.reload(sys.modules[_PACKAGE])  # runs its __init__ again


_waits = started_as_command(sys.orig_argv, sys.argv)
