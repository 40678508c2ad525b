"""``env``."""

import argparse
import platform
import sys

from .. import __version__
from ..compat import configs_folder, installed_versions
from ..startup import import_everything
from .subcommand import Subcommand


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    pass  # it takes none


def _show(args: argparse.Namespace) -> None:
    print(f'Python: {platform.python_version()} ({sys.executable})')
    print(f'mmseg_abnn: {__version__}, configs in {configs_folder()}')
    for name, version in installed_versions().items():
        print(f'{name}: {version}')
    try:
        import_everything()
    except ImportError as error:  # a report of what is wrong needs the versions above all the more
        sys.exit(str(error))
    from mmengine.utils.dl_utils import collect_env

    for name, value in collect_env().items():
        print(f'{name}: {value}')


ENV = Subcommand(
    'env',
    'Show the versions of all packages that matter, and what the machine has.',
    _add_arguments,
    _show,
    needs_import=False,
)
