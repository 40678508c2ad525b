"""What the command-line tools share."""

import argparse
import os
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from mmengine.config import Config, DictAction

from ..checkpoint import use_safe_loading
from ..compat import CLASSIFICATION_HINT, prepare_distributed
from .abnn_section import expand_abnn_section
from .abnn_settings import SECTION
from .config_parts import type_name
from .section_name import check_options


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags that training and testing share, as MMSegmentation names them."""
    parser.add_argument('--work-dir', help='the folder for logs, checkpoints and metrics')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        help='settings that override the config, as key=value; nested keys are joined by dots, '
        'lists are written key="[a,b]" without spaces',
    )
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='what started the processes of a distributed run',
    )
    # torch.distributed.launch passes --local-rank, older versions --local_rank
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)


def load_config(
    args: argparse.Namespace, read: Callable[[str], Config] = Config.fromfile
) -> Config:
    """Read the config, expand its section ``abnn`` and apply the common flags to it.

    Args:
        args: Of a parser with a ``config`` and :func:`add_common_arguments`.
        read: Reads the file.
    """
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    use_safe_loading()
    if not os.path.isfile(args.config):
        raise FileNotFoundError(f'there is no config file {args.config}')
    try:
        cfg = read(args.config)
    except ModuleNotFoundError as error:  # of `mmpretrain::...`
        if 'mmpretrain' in str(error):
            raise ImportError(f'{error}\n{CLASSIFICATION_HINT}') from error
        raise
    merge_options(cfg, args.cfg_options or {})
    cfg.launcher = args.launcher
    prepare_distributed(cfg, args.launcher)
    # the command line, then the config, then the config's name
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        name = os.path.splitext(os.path.basename(args.config))[0]
        cfg.work_dir = os.path.join('work_dirs', name)
    return cfg


def merge_options(cfg: Config, options: Mapping[str, Any]) -> None:
    """Apply settings to a config and expand its section ``abnn``, in place.

    Args:
        cfg: A config as it was read.
        options: Values by the dotted names of settings; those of the section are applied before it
            is expanded, the others after.
    """
    check_options(options)
    section = {key: value for key, value in options.items() if key.partition('.')[0] == SECTION}
    cfg.merge_from_dict(section)
    if f'{SECTION}.max_iters' in section and f'{SECTION}.max_epochs' not in section:
        cfg[SECTION]['max_epochs'] = None  # the budget that was given last counts
    if is_classifier(cfg):
        import_module('mmseg_abnn.classification')  # the config need not name it
    expand_abnn_section(cfg)
    cfg.merge_from_dict({key: value for key, value in options.items() if key not in section})


def is_classifier(cfg: Config) -> bool:
    """Tell whether a config is that of a classifier of MMPretrain."""
    name = type_name(cfg.get('model'))
    return cfg.get('default_scope') == 'mmpretrain' or name.endswith('ImageClassifier')


def check_segmentor(cfg: Config, what: str) -> None:
    """Raise ValueError if a config is that of a classifier, which ``what`` does not serve."""
    if is_classifier(cfg):
        raise ValueError(f'{what} is for segmentors, got the config of a classifier')
