"""Choosing a subcommand."""

import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from .. import __version__
from ..messages import did_you_mean
from ..parsers import CommandParser
from .config_files import COPY_CONFIG, LIST_CONFIGS
from .environment import ENV
from .exporting import EXPORT
from .members import MERGE, SUGGEST_ALPHA
from .networks import TEST, TRAIN
from .predicting import PREDICT
from .subcommand import Subcommand

PROG = 'mmseg-abnn'
_FOR_USERS = (ValueError, TypeError, OSError, ImportError)
_DESCRIPTION = 'Make a trained MMSegmentation segmentor Bayesian, test it, and predict with it.'
_SUBCOMMANDS: dict[str, Subcommand] = {
    subcommand.name: subcommand
    for subcommand in (
        TRAIN,
        TEST,
        PREDICT,
        EXPORT,
        SUGGEST_ALPHA,
        MERGE,
        LIST_CONFIGS,
        COPY_CONFIG,
        ENV,
    )
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command.

    Args:
        arguments: Its command line; None: that of the process.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = _parser()
    name: str = parser.parse_args(arguments[:1]).subcommand  # the others are the subcommand's
    if name not in _SUBCOMMANDS:
        parser.error(
            f'there is no subcommand {name!r}{did_you_mean(name, _SUBCOMMANDS)}; there are '
            f'{", ".join(_SUBCOMMANDS)}'
        )
    prog = f'{PROG} {name}'
    try:
        _SUBCOMMANDS[name].main(arguments[1:], prog)
    except _FOR_USERS as error:
        if not _raised_by_us(error):
            raise
        sys.exit(f'{prog}: error: {error}')


def _raised_by_us(error: BaseException) -> bool:
    """Tell whether an error was raised in this package: its message says all, and no traceback."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return Path(last.filename).is_relative_to(Path(__file__).parents[1])


def run_tool(name: str) -> None:
    """Run a subcommand as the script that Python was started with."""
    _SUBCOMMANDS[name].main(sys.argv[1:], Path(sys.argv[0]).name)


def _parser() -> CommandParser:
    width = max(map(len, _SUBCOMMANDS)) + 2
    lines = [f'  {name:{width}}{one.summary}' for name, one in _SUBCOMMANDS.items()]
    parser = CommandParser(
        prog=PROG,
        usage=f'{PROG} [-h] [--version] SUBCOMMAND ...',
        description=_DESCRIPTION,
        epilog='\n'.join(
            ['subcommands:', *lines, '', f'`{PROG} SUBCOMMAND --help` says how to use one.']
        ),
    )
    parser.add_argument('--version', action='version', version=f'mmseg_abnn {__version__}')
    parser.add_argument('subcommand', metavar='SUBCOMMAND', help='one of those below')
    return parser
