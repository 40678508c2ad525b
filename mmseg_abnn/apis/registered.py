"""Classes by their registered names, found without importing anything.

MMEngine takes a name that nothing has registered for that of a module, and imports it. What comes
from a file must not do that.
"""

from collections.abc import Iterator
from typing import Any

from mmengine import registry

_ROOTS = [value for value in vars(registry).values() if isinstance(value, registry.Registry)]


def registries(*roots: registry.Registry) -> Iterator[registry.Registry]:
    """Yield registries of MMEngine, all by default, and those of other packages below them."""
    found = list(roots or _ROOTS)
    while found:
        inner = found.pop()
        yield inner
        found += inner.children.values()


def registered_class(kind: Any, root: registry.Registry) -> Any:
    """Return the class that a ``type`` of a config means, None if nothing has registered it.

    Args:
        kind: A class, or its name, with the scope before it or without.
        root: Registry of MMEngine that it belongs to.
    """
    if not isinstance(kind, str):
        return kind
    name = kind.rpartition('.')[2]
    found = (inner.module_dict.get(name) for inner in registries(root))
    return next((each for each in found if each is not None), None)


def name_of_class(kind: Any) -> str | None:
    """Return the name that a class or function is registered by, None if it is not."""
    entries = (entry for inner in registries() for entry in inner.module_dict.items())
    return next((name for name, own in entries if own is kind), None)


def name_of_path(path: str) -> str | None:
    """Return the name of the registered class that a dotted path means, None if there is none.

    The path is that of the module that defines it.
    """
    entries = (entry for inner in registries() for entry in inner.module_dict.items())
    classes = ((name, own) for name, own in entries if isinstance(own, type))
    paths = ((name, f'{own.__module__}.{own.__qualname__}') for name, own in classes)
    return next((name for name, other in paths if other == path), None)
