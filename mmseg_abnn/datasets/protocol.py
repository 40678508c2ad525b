"""What the stored label ids of a benchmark stand for, under one of its conventions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from mmseg_abnn.datasets.ood_dataset import IGNORE_ID, OOD_ID

T = TypeVar('T')


@dataclass(frozen=True)
class Protocol:
    """One convention: which stored ids are in-distribution classes, OOD pixels, or ignored.

    Attributes:
        classes: The stored id of each in-distribution class, by name, in the order of the classes.
        ood: Stored ids of OOD pixels.
        ignored: Stored ids of pixels that take part in nothing.
    """

    classes: Mapping[str, int]
    ood: tuple[int, ...]
    ignored: tuple[int, ...] = ()

    def label_map(self, order: Sequence[str]) -> dict[int, int]:
        """Return stored id -> id after loading.

        Args:
            order: The class names of the dataset class, which hold those of the protocol: a
                class becomes its place in there.
        """
        return {
            **{stored: order.index(name) for name, stored in self.classes.items()},
            **dict.fromkeys(self.ood, OOD_ID),
            **dict.fromkeys(self.ignored, IGNORE_ID),
        }


def choose_protocol(protocols: Mapping[str, Protocol], name: str) -> Protocol:
    """Return a protocol by name, or raise ValueError if there is none of that name."""
    return protocols[check_choice('protocol', name, list(protocols))]


def check_choice(name: str, value: T, allowed: Sequence[T]) -> T:
    """Return an argument's value, or raise ValueError if it is not one of those allowed."""
    if value not in allowed:
        raise ValueError(f'`{name}` must be one of {list(allowed)}, got {value!r}')
    return value
