"""What the data sets of this folder check about their arguments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar('T')


def check_choice(name: str, value: T, allowed: Sequence[T]) -> T:
    """Return an argument's value, or raise ValueError if it is not one of those allowed."""
    if value not in allowed:
        raise ValueError(f'`{name}` must be one of {list(allowed)}, got {value!r}')
    return value
