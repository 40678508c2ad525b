"""Which cells hold equal scores only, of scores that were compared one by one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

_FEW = 2**20


class Extremes(NamedTuple):
    """What is known of some cells; each of shape (cells,), the cells ascending.

    Attributes:
        cells: Int64; places in the table.
        low: Float64; the smallest magnitude.
        high: Float64; the largest one. The scores are equal where it is the smallest, too.
        compared: Int64; number of scores.
    """

    cells: np.ndarray
    low: np.ndarray
    high: np.ndarray
    compared: np.ndarray


class ComparedScores:
    """The value of each cell in which all scores that were compared are equal.

    A cell in which they are not is forgotten: fewer scores than it holds will then have been
    compared, whatever comes later and in any order, so it is never called equal.
    """

    def __init__(self) -> None:
        none = np.zeros(0, dtype=np.int64)
        self._known = Extremes(none, none.astype(np.float64), none.astype(np.float64), none)
        self._parts: list[Extremes] = []
        self._waiting = 0

    def add(self, cells: np.ndarray, magnitudes: np.ndarray) -> None:
        """Compare scores.

        Args:
            cells: Int64; the cell of each, of shape (scores,).
            magnitudes: Float64.
        """
        ones = np.ones(len(cells), dtype=np.int64)
        self.join(_merge([Extremes(cells, magnitudes, magnitudes, ones)]))

    def join(self, part: Extremes) -> None:
        """Add the extremes of other scores."""
        self._parts.append(part)
        self._waiting += len(part.cells)
        # Now and then, so that all the merging takes no longer than a sort of everything.
        if self._waiting > max(_FEW, len(self._known.cells)):
            self.extremes()

    def extremes(self) -> Extremes:
        """Return what is known of the cells with one value."""
        if self._parts:
            merged = _merge([self._known, *self._parts])
            equal = merged.low == merged.high
            self._known = Extremes(*(column[equal] for column in merged))
            self._parts, self._waiting = [], 0
        return self._known

    def equal(self, cells: np.ndarray, totals: np.ndarray) -> np.ndarray:
        """Tell in which cells all scores have been compared and are equal.

        Args:
            cells: Int64, of shape (cells,).
            totals: Number of all scores of each.
        """
        known = self.extremes()
        if not known.cells.size:
            return np.zeros(len(cells), dtype=bool)
        place = np.minimum(np.searchsorted(known.cells, cells), known.cells.size - 1)
        return (known.cells[place] == cells) & (known.compared[place] == totals)

    @property
    def nbytes(self) -> int:
        """Memory in bytes."""
        return sum(column.nbytes for part in (self._known, *self._parts) for column in part)


def _merge(parts: list[Extremes]) -> Extremes:
    cells, low, high, compared = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(cells, kind='stable')
    cells = cells[order]
    starts = np.flatnonzero(np.diff(cells, prepend=-1))
    return Extremes(
        cells[starts],
        np.minimum.reduceat(low[order], starts),
        np.maximum.reduceat(high[order], starts),
        np.add.reduceat(compared[order], starts),
    )
