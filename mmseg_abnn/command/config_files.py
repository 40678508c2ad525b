"""``list-configs`` and ``copy-config``."""

import argparse
import sys
from fnmatch import fnmatchcase

from ..package_configs import own_configs
from .subcommand import Subcommand


def _add_list_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        'pattern',
        nargs='?',
        default='',
        help='a part of the names, or a pattern of whole ones such as "*/deeplabv3plus_muad*"',
    )
    parser.add_argument(
        '--all',
        action='store_true',
        help='list the parts that configs inherit from, and lists of methods, too',
    )


def _list(args: argparse.Namespace) -> None:
    names = own_configs(parts=args.all)
    # of the path behind the package's name, unless that is part of the pattern
    own = any(sign in args.pattern for sign in '*?[') or '::' in args.pattern
    pattern = args.pattern if own else f'*::*{args.pattern}*'
    found = [name for name in names if fnmatchcase(name, pattern)]
    if not found:
        sys.exit(f'none of the {len(names)} configs matches {args.pattern!r}')
    print('\n'.join(found))


def _add_copy_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('name', metavar='NAME', help='as `mmseg-abnn list-configs` names it')
    parser.add_argument(
        'out', metavar='OUT', nargs='?', default='.', help='the file to write, or a folder for it'
    )


def _copy(args: argparse.Namespace) -> None:
    from ..apis.config_copy import copy_config

    print(f'Written: {copy_config(args.name, args.out)}')


LIST_CONFIGS = Subcommand(
    'list-configs',
    """List the configs of this package.

Each name can be given to train and test, and a config may inherit it by `_base_ = 'NAME'`.
""",
    _add_list_arguments,
    _list,
    needs_import=False,
)
COPY_CONFIG = Subcommand(
    'copy-config',
    """Copy a config of this package, to change it.

The copy inherits from the package's files by their names, so it works wherever it lies. No file is
overwritten.
""",
    _add_copy_arguments,
    _copy,
)
