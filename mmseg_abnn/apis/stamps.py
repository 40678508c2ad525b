"""Stamps: what a finished result was made with, so that it is made again only if that changes."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Stamp = Mapping[str, Any]
"""Facts that a result depends on, ready for JSON."""


def differences(old: Any, new: Any, name: str = '') -> Iterator[str]:
    """Name what differs between two stamps, as ``a.b: old -> new``."""
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        old, new = (dict(enumerate(values)) for values in (old, new))
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            inner = f'{name}.{key}' if name else str(key)
            yield from differences(old.get(key), new.get(key), inner)
    elif old != new:
        yield f'{name}: {old} -> {new}'


def is_current(path: str | os.PathLike, stamp: Stamp) -> bool:
    """Tell whether a file holds this stamp."""
    return read_stamp(path) == stamp


def read_stamp(path: str | os.PathLike) -> Stamp | None:
    """Return the stamp in a file; None if there is none, or not a whole one."""
    try:
        return json.loads(Path(path).read_text(encoding='utf-8'))
    except (FileNotFoundError, json.JSONDecodeError):
        return None


def write_stamp(path: str | os.PathLike, stamp: Stamp) -> None:
    """Write a stamp; the file appears whole or not at all."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix('.part')
    partial.write_text(json.dumps(stamp, indent=2), encoding='utf-8')
    os.replace(partial, path)


@contextmanager
def stamped(path: str | os.PathLike, stamp: Stamp) -> Iterator[None]:
    """Make a result anew, in the folder of the stamp: it is gone until that has succeeded."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).unlink(missing_ok=True)
    yield
    write_stamp(path, stamp)


def settings_hash(settings: Any) -> str:
    """Return a SHA-256 over settings, whatever the order of their keys."""
    text = json.dumps(settings, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
