"""Parts of a config: their class names, and the dicts inside them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any


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
