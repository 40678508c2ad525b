"""Configs that packages bring: finding them by names such as ``mmseg_abnn::abnn/NAME.py``."""

import os
from functools import wraps

from .compat import configs_folder
from .messages import did_you_mean, located

_PACKAGE = 'mmseg_abnn'
_OTHERS = ('mmseg', 'mmpretrain')
_NO_NETWORKS = ('_base_', 'compare', 'ablation')  # folders of configs


def own_configs(parts: bool = False) -> list[str]:
    """Return the names of this package's configs, ``mmseg_abnn::...``, sorted.

    Args:
        parts: Name the files that are no config of a network, too: parts that configs inherit
            from, and lists of methods and variants.
    """
    folder = configs_folder()
    paths = (path.relative_to(folder) for path in folder.rglob('*.py'))
    kept = (path for path in paths if parts or path.parts[0] not in _NO_NETWORKS)
    return sorted(f'{_PACKAGE}::{path.as_posix()}' for path in kept)


def find_config(name: str) -> str:
    """Return the file of a config.

    Args:
        name: A path, or the name of a config that a package brings: ``mmseg_abnn::...``,
            ``mmseg::...`` or ``mmpretrain::...``.

    Raises:
        FileNotFoundError: If there is no such file. The message names the closest one.
        ValueError: If a package has no configs by that name.
        ModuleNotFoundError: If the package is not installed.
    """
    package = name.partition('::')[0]
    if package == name:
        if not os.path.isfile(name):
            known = f'{_PACKAGE}::{name.removeprefix("configs/")}'
            hint = f' (did you mean {known}?)' if known in own_configs(parts=True) else ''
            raise FileNotFoundError(f'there is no config file {located(name)}{hint}')
        return name
    if package == _PACKAGE:
        return _own_config(name)
    if package not in _OTHERS:
        allowed = [_PACKAGE, *_OTHERS]
        raise ValueError(
            f'the config {name!r} is of the package {package!r}{did_you_mean(package, allowed)}; '
            f'allowed are {allowed}'
        )
    from mmengine.config import Config

    return Config._get_cfg_path(name, name)[0]


def _own_config(name: str) -> str:
    """Return the file of ``mmseg_abnn::...``."""
    path = configs_folder() / name.partition('::')[2]
    if not path.is_file():
        raise FileNotFoundError(
            f'there is no config {name}{did_you_mean(name, own_configs(parts=True))}; allowed '
            f'are the paths of configs below {configs_folder()}, which `mmseg-abnn list-configs` '
            'lists'
        )
    return str(path)


def enable_own_config_inheritance() -> None:
    """Let configs inherit from ``mmseg_abnn::...``, of a wheel and of the sources alike.

    MMEngine resolves the prefixes of OpenMMLab's own packages only, looks for configs in the
    package's folder ``.mim``, which a wheel has and the sources have not, and builds what it finds
    there from registries that have the prefix's name, while ours register with MMSegmentation and
    MMPretrain. So this prefix is resolved here, to a file that is read like one given by its path.
    ``mmengine.hub.get_config`` takes the prefix too, where a wheel is installed. Must run before
    the config is read; a second call changes nothing.
    """
    from mmengine.config import Config
    from mmengine.config.utils import MODULE2PACKAGE

    if _PACKAGE in MODULE2PACKAGE:
        return
    MODULE2PACKAGE[_PACKAGE] = _PACKAGE
    others = Config._get_cfg_path

    @wraps(others)
    def resolve(cfg_path: str, filename: str) -> tuple[str, str | None]:
        if not cfg_path.startswith(f'{_PACKAGE}::'):
            return others(cfg_path, filename)
        try:
            return _own_config(cfg_path), None
        except FileNotFoundError as error:
            message = f'{filename}: `_base_` names {cfg_path!r}, but {error}'
            raise FileNotFoundError(message) from error

    Config._get_cfg_path = staticmethod(resolve)
