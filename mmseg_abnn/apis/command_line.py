"""Reading a config as a command line asks for it."""

import argparse
import os
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

from mmengine.config import Config, DictAction

from ..checkpoint import use_safe_loading
from ..compat import CLASSIFICATION_HINT, prepare_distributed
from ..package_configs import find_config
from .abnn_section import expand_abnn_section
from .abnn_settings import SECTION
from .config_parts import type_name
from .section_name import check_options


def load_config(
    args: argparse.Namespace,
    read: Callable[[str], Config] = Config.fromfile,
    analysis: str | None = None,
) -> Config:
    """Read the config, expand its section ``abnn`` and apply the common flags to it.

    Args:
        args: Of a parser with a ``config``, which is a path or the name of a config of a package,
            and :func:`add_common_arguments`.
        read: Reads the file.
        analysis: Without ``--work-dir`` the work dir is the folder of this name in the config's,
            so that nothing is written between the files of a training.

    Raises:
        FileNotFoundError: If there is no such config.
        ValueError: If the section holds an unknown or unusable setting.
    """
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    use_safe_loading()
    try:
        path = find_config(args.config)
        cfg = read(path)
    except ModuleNotFoundError as error:  # of `mmpretrain::...`
        if 'mmpretrain' in str(error):
            raise ImportError(f'{error}\n{CLASSIFICATION_HINT}') from error
        raise
    merge_options(cfg, read_options(args.cfg_options))
    cfg.launcher = args.launcher
    prepare_distributed(cfg, args.launcher)
    # the command line, then the config, then the config's name
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        name = os.path.splitext(os.path.basename(path))[0]
        cfg.work_dir = os.path.join('work_dirs', name)
    if args.work_dir is None and analysis is not None:
        cfg.work_dir = os.path.join(cfg.work_dir, analysis)
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


def read_options(options: Sequence[str] | Mapping[str, Any] | None) -> dict[str, Any]:
    """Return ``--cfg-options`` by name, with their values; those that are read already stay.

    Args:
        options: Texts of the form key=value, read as MMEngine's ``DictAction`` reads them.
    """
    if options is None or isinstance(options, Mapping):
        return dict(options or {})
    found = argparse.Namespace()
    DictAction([], 'options')(argparse.ArgumentParser(), found, list(options))
    return found.options


def is_classifier(cfg: Config) -> bool:
    """Tell whether a config is that of a classifier of MMPretrain."""
    name = type_name(cfg.get('model'))
    return cfg.get('default_scope') == 'mmpretrain' or name.endswith('ImageClassifier')


def check_segmentor(cfg: Config, what: str) -> None:
    """Raise ValueError if a config is that of a classifier, which ``what`` does not serve."""
    if is_classifier(cfg):
        raise ValueError(f'{what} is for segmentors, got the config of a classifier')
