"""Parts of a config: their class names, and the dicts inside them."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

LOADING = ('num_workers', 'persistent_workers', 'pin_memory', 'prefetch_factor')
"""Settings of a data loader that change how fast it is, and not what it gives."""


def type_name(part: Mapping[str, Any] | None) -> str:
    """Return the name of the class that a part builds: registered, with its scope, or a class."""
    kind = (part or {}).get('type', '')
    return getattr(kind, '__name__', str(kind)).rpartition('.')[2]


def registered_name(cfg: Mapping[str, Any], scope: str, name: str) -> str:
    """Return the name by which a config finds a class of ``scope``, whatever its default scope.

    The pure Python style of MMEngine has ``default_scope = None``: nothing is found by a bare name
    there but MMEngine's own.
    """
    return name if cfg.get('default_scope') == scope else f'{scope}.{name}'


def type_names(parts: Any) -> list[str]:
    """Return the names of the classes that the parts of a list, or a single part, build."""
    several = parts if isinstance(parts, (list, tuple)) else [parts]
    return [type_name(part) for part in several if isinstance(part, Mapping)]


def dicts_in(part: Any) -> Iterator[dict[str, Any]]:
    """Yield a part of a config and all dicts in it."""
    if isinstance(part, dict):
        yield part
        part = list(part.values())
    if isinstance(part, (list, tuple)):
        for item in part:
            yield from dicts_in(item)


def has_hook(hooks: Sequence[Any] | None, name: str) -> bool:
    """Tell whether ``custom_hooks`` of a config hold a hook of this class."""
    return name in type_names(list(hooks or []))


def drop_initialization(model: Any) -> None:
    """Take away what a network's config loads into it at first, in place.

    All weights come from a checkpoint: nothing needs to be downloaded for the backbone before.
    """
    for part in dicts_in(model):
        if 'pretrained' in part:
            part['pretrained'] = None
        if 'checkpoint' in str(part.get('init_cfg')):
            part['init_cfg'] = None


def plain(value: Any, without: Collection[str] = ()) -> Any:
    """Return a part of a config as data that JSON can hold, without some keys."""
    if isinstance(value, Mapping):
        return {str(k): plain(v, without) for k, v in value.items() if k not in without}
    if isinstance(value, (list, tuple)):
        return [plain(item, without) for item in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)


def conversion_settings(hook: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the config of an ``ABNNConversionHook`` says of the conversion."""
    return {key: value for key, value in hook.items() if key not in ('type', '_scope_', 'priority')}
