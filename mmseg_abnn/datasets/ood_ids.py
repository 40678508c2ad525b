"""Which ids of loaded labels mark out-of-distribution pixels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np


def check_ood_ids(name: str, value: Any) -> tuple[int, ...]:
    """Return an argument as different integers, in ascending order.

    Args:
        name: What the argument is called in an error.
        value: An integer, several of them, or None for none.

    Raises:
        ValueError: If it is something else.
    """
    if value is None:
        return ()
    several = list(value) if isinstance(value, Iterable) and not isinstance(value, str) else [value]
    if not all(isinstance(i, int) and not isinstance(i, bool) for i in several):
        raise ValueError(f'`{name}` must be an integer or several of them, got {value!r}')
    return tuple(sorted(set(several)))


def ood_ids_of(meta: Mapping[str, Any] | None) -> tuple[int, ...]:
    """Return the ids of OOD pixels after loading that a ``metainfo`` names in ``ood_id``."""
    return check_ood_ids("ood_id` of the dataset's `metainfo", (meta or {}).get('ood_id'))


def with_one_ood_id(
    labels: np.ndarray, meta: Mapping[str, Any] | None
) -> tuple[np.ndarray, int | None]:
    """Give all OOD pixels of a label the first of their ids, as pictures want it.

    Args:
        labels: Integers of any shape.
        meta: See :func:`ood_ids_of`.

    Returns:
        The labels, and the id; None if there is none.
    """
    ids = ood_ids_of(meta)
    if not ids:
        return labels, None
    return np.where(np.isin(labels, ids), ids[0], labels), ids[0]


def ood_ids_line(ids: Sequence[int]) -> str:
    """Return the line of a config that makes ids those of OOD pixels."""
    one = ids[0] if len(ids) == 1 else list(ids)
    return f'UncertaintyMetric(ood_ids={list(ids)}), or metainfo=dict(ood_id={one}) of the dataset'
