"""Parsers of command lines, of the command and of the tools; they need nothing but Python."""

import argparse
import sys
from collections.abc import Callable
from typing import Any

from .messages import did_you_mean


class CommandParser(argparse.ArgumentParser):
    """An argument parser that asks whether another option was meant by a misspelt one.

    Its description is shown as it is written.
    """

    def __init__(self, **settings: Any) -> None:
        settings.setdefault('formatter_class', argparse.RawDescriptionHelpFormatter)
        super().__init__(**settings)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse, but first refuse an option that no option begins with."""
        args = sys.argv[1:] if args is None else list(args)
        options = [name for name in self._option_string_actions if name.startswith('--')]
        for argument in args:
            if argument == '--':
                break
            name = argument.partition('=')[0]
            is_option = name.startswith('--') and ' ' not in argument  # as argparse tells it
            if is_option and not any(option.startswith(name) for option in options):
                self.error(f'there is no option {name}{did_you_mean(name, options)}')
        return super().parse_known_args(args, namespace)


class _KeyValues(argparse.Action):
    """Collects settings that are written as key=value."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Check and add them."""
        for text in values:
            if '=' not in text:
                parser.error(f'{option_string} takes key=value, got {text!r}')
        setattr(namespace, self.dest, [*(getattr(namespace, self.dest) or []), *values])


def add_config_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--cfg-options``; its texts are read by ``apis.load_config``."""
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=_KeyValues,
        metavar='KEY=VALUE',
        help='settings that override the config, as key=value; nested keys are joined by dots, '
        'lists are written key="[a,b]" without spaces',
    )


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags that training and testing share, as MMSegmentation names them."""
    parser.add_argument('--work-dir', help='the folder for logs, checkpoints and metrics')
    add_config_options(parser)
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='what started the processes of a distributed run',
    )
    # torch.distributed.launch passes --local-rank, older versions --local_rank
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)


def number(
    kind: Callable[[str], float], lowest: float, without: bool = False
) -> Callable[[str], Any]:
    """Return the ``type`` of an argument that is a number from ``lowest`` on.

    Args:
        kind: int or float.
        lowest: The lowest number that is allowed.
        without: Whether it is not allowed itself.
    """

    def read(text: str) -> float:
        value = kind(text)  # argparse says what is wrong with a text that is no number
        if not (value > lowest if without else value >= lowest):
            sign = '>' if without else '>='
            raise argparse.ArgumentTypeError(f'must be {sign} {lowest}, got {text}')
        return value

    read.__name__ = kind.__name__
    return read
