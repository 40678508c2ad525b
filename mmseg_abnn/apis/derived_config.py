"""Writing a config that inherits another one and holds what ``--cfg-options`` changed in it."""

import os
from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.config import Config

from ..models.prediction_settings import PredictionSettings
from ..package_configs import find_config
from .abnn_settings import SECTION

_TEST_CFG = 'model.test_cfg.'


def derived_text(config: str, options: Mapping[str, Any], path: str) -> str:
    """Return the text of a config that inherits from another one and sets options.

    A config sets an entry of a list by the whole list. Settings of the prediction belong into the
    section ``abnn``, where the config has one.

    Args:
        config: The config that is inherited: a path, or the name of a package's config.
        options: Settings by their names, joined by dots.
        path: Where the text will lie.

    Returns:
        The text. Left out is what no config can say: entries of lists that the config does not
        have, as the section ``abnn`` makes them.
    """
    base = Config.fromfile(find_config(config))
    has_section = base.get(SECTION) is not None
    named = {_moved(key) if has_section else key: value for key, value in options.items()}
    kept = {key: value for key, value in named.items() if _can_be_set(base, key)}
    base.merge_from_dict(kept)
    changed = base.to_dict()
    lines: dict[str, Any] = {}
    for key in kept:
        _set(lines, changed, key)
    texts = [f'_base_ = {_base_name(config, path)!r}']
    texts += [f'{name} = {value!r}' for name, value in lines.items()]
    return ''.join(f'{text}\n' for text in texts)


def value_of(cfg: Any, key: str) -> Any:
    """Return the setting of a config by its name, joined by dots; None if there is none."""
    for part in key.split('.'):
        if isinstance(cfg, (list, tuple)) and part.lstrip('-').isdigit():
            cfg = cfg[int(part)] if int(part) < len(cfg) else None
        else:
            cfg = cfg.get(part) if isinstance(cfg, (Mapping, Config)) else None
    return cfg


def _moved(key: str) -> str:
    """Return the name of a setting in the section, if it is one of the prediction."""
    name = key.removeprefix(_TEST_CFG)
    return f'{SECTION}.{name}' if name != key and name in PredictionSettings.names() else key


def _base_name(config: str, path: str) -> str:
    if '::' in config:
        return config
    folder = os.path.dirname(os.path.abspath(path))
    return os.path.relpath(os.path.abspath(config), folder).replace(os.sep, '/')


def _steps(cfg: Any, key: str) -> Iterator[tuple[str, Any]]:
    """Yield the parts of a name, with what each is looked up in; None where there is nothing."""
    for part in key.split('.'):
        yield part, cfg
        cfg = value_of(cfg, part)


def _can_be_set(cfg: Config, key: str) -> bool:
    return all(
        not part.isdigit() or (isinstance(holder, (list, tuple)) and int(part) < len(holder))
        for part, holder in _steps(cfg, key)
    )


def _set(lines: dict[str, Any], changed: dict[str, Any], key: str) -> None:
    """Set an option in the new config: the value, or the first list on the way to it."""
    path: list[str] = []
    for part, holder in _steps(changed, key):
        if isinstance(holder, (list, tuple)):
            break
        path.append(part)
    inner = lines
    for part in path[:-1]:
        inner = inner.setdefault(part, {})
    inner[path[-1]] = value_of(changed, '.'.join(path))
