"""The command ``mmseg-abnn``, also ``python -m mmseg_abnn``.

A subcommand is a :class:`Subcommand`: arguments, and a function that does the work by what
``mmseg_abnn.apis`` offers. The tools of the repository run the same subcommands by
:func:`run_tool`, so that neither knows more than the other.

Help comes in a fraction of a second, because nothing here imports PyTorch or MMEngine at the top of
a file: ``mmseg_abnn/__init__.py`` waits in the process of the command (see ``startup.py``), and
:func:`Subcommand.main` completes the import once the arguments are read.
"""

from .subcommands import main, run_tool

__all__ = ['main', 'run_tool']
