"""Counts over the cells of the scores of one sign, and which cells hold equal scores only."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import torch

from .score_grid import (
    FINEST,
    NUM_OCTAVES,
    Placed,
    cell_edges,
    num_cells,
    octave_bits,
    octave_slices,
    place,
)

_INT32_MAX = 2**31 - 1
_FLOAT32_MAX = np.finfo(np.float32).max
# Scores and cells at a time: temporary arrays stay in the cache
_CHUNK = 2**15
_BLOCK = 2**18
_SAMPLE = 8192
_MANY_REPEATS = 0.02


class CountedCells(NamedTuple):
    """Cells that hold a score; each of shape (cells,).

    Attributes:
        cells: Int64; their places in the table.
        totals: Int64; number of scores.
        positives: Int64; how many of them are positives.
        tied: Whether the scores are known to be equal.
    """

    cells: np.ndarray
    totals: np.ndarray
    positives: np.ndarray
    tied: np.ndarray


class _Values(NamedTuple):
    """The single value of each cell among the scores that were compared; (cells,) each."""

    value: np.ndarray  # float64, NaN: no score yet
    differs: np.ndarray  # bool, two values were seen
    compared: np.ndarray  # int64, number of scores


class ScoreTable:
    """Counts of scores of one sign.

    Ties are told in two ways. A score is aligned if its bits below the resolution of its cell are
    zero: in an octave with aligned scores only, every cell holds one value. And scores of maps in
    which values repeat are compared with each other, one by one.

    Args:
        negative: Whether the scores are below zero.
        bits: See ``ScoreHistogram``.
    """

    def __init__(self, negative: bool, bits: int) -> None:
        self.negative = negative
        self._coarser = FINEST - bits
        self._size = num_cells(negative, self._coarser)
        self._totals = _filled(self._size, np.int32)
        self._positives = _filled(self._size, np.int32)
        self._aligned = np.ones(NUM_OCTAVES, dtype=bool)
        self._values: _Values | None = None
        self._num_scores = 0
        self._num_positives = 0

    def add(self, scores: np.ndarray, positives: np.ndarray) -> None:
        """Count scores of the table's sign.

        Args:
            scores: Finite float32 or float64, of shape (scores,).
            positives: Bool, of the same shape.
        """
        self._reserve(len(scores))
        found = self._place(scores[positives])[0].cells
        self._num_positives += len(found)
        np.add.at(self._positives, found, self._positives.dtype.type(1))
        repeats = self._has_repeats(scores)
        # Counting waits for the memory: meanwhile the next cells are found. NumPy would not let
        # go of the interpreter, and this function of PyTorch is as fast.
        totals = torch.from_numpy(self._totals)
        ones = torch.ones(_CHUNK, dtype=totals.dtype)
        with ThreadPoolExecutor(1) as counting:
            jobs = []
            for start in range(0, len(scores), _CHUNK):
                chunk = scores[start : start + _CHUNK]
                placed, unaligned = self._place(chunk)
                cells = torch.from_numpy(placed.cells)
                jobs.append(counting.submit(totals.scatter_add_, 0, cells, ones[: len(chunk)]))
                if unaligned is not None:
                    unaligned &= self._aligned.take(placed.octaves)  # mostly known already
                    if unaligned.any():
                        self._aligned[placed.octaves[unaligned]] = False
                if repeats:
                    self._compare(placed.cells, np.abs(chunk).astype(np.float64))
            for job in jobs:
                job.result()

    def __iadd__(self, other: ScoreTable) -> ScoreTable:
        """Add the counts of another table of the same cells."""
        self._reserve(other._num_scores)
        self._num_positives += other._num_positives
        self._totals += other._totals.astype(self._totals.dtype, copy=False)
        self._positives += other._positives.astype(self._positives.dtype, copy=False)
        self._aligned &= other._aligned
        if other._values is not None:
            self._join(np.arange(self._size), *other._values)
        return self

    def blocks(self) -> Iterator[CountedCells]:
        """Yield the cells that hold a score in blocks, from high scores to low."""
        octaves = list(enumerate(octave_slices(self.negative, self._coarser)))
        for octave, part in octaves if self.negative else reversed(octaves):
            if not self._totals[part].any():
                continue
            starts = range(part.start, part.stop, _BLOCK)
            for start in starts if self.negative else reversed(starts):
                block = slice(start, min(start + _BLOCK, part.stop))
                yield from self._block(block, bool(self._aligned[octave]))

    def coarsened(self, bits: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return edges, totals and positives of coarser cells that hold a score, by magnitude.

        Args:
            bits: Binary logarithm of the number of cells in the finest octaves, at most that of
                the table.
        """
        coarser = FINEST - bits
        columns = []
        for counts in (self._totals, self._positives):
            parts = [
                counts[part].reshape(1 << kept, -1).sum(axis=1, dtype=np.int64)
                for part, kept in zip(
                    octave_slices(self.negative, self._coarser),
                    octave_bits(self.negative, coarser),
                    strict=True,
                )
            ]
            columns.append(np.concatenate(parts))
        totals, positives = columns
        cells = np.flatnonzero(totals)
        return cell_edges(cells, self.negative, coarser), totals[cells], positives[cells]

    def edges(self, cells: np.ndarray) -> np.ndarray:
        """Return the smallest magnitude of each cell, float64."""
        return cell_edges(cells, self.negative, self._coarser)

    def num_scores(self) -> tuple[int, int]:
        """Return the numbers of all scores and of positives."""
        return self._num_scores, self._num_positives

    def nbytes(self) -> int:
        """Return the memory of the counts in bytes."""
        columns = [self._totals, self._positives, *(self._values or ())]
        return sum(column.nbytes for column in columns)

    def __getstate__(self) -> dict[str, Any]:
        """Keep the cells that hold a score."""
        cells = np.flatnonzero(self._totals)
        values = self._values and tuple(column[cells] for column in self._values)
        counts = (cells, self._totals[cells], self._positives[cells])
        return self.__dict__ | {'_totals': counts, '_positives': None, '_values': values}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore the dense tables."""
        cells, totals, positives = state['_totals']
        self.__dict__.update(state, _values=None)
        self._totals = _filled(self._size, totals.dtype)
        self._totals[cells] = totals
        self._positives = _filled(self._size, totals.dtype)
        self._positives[cells] = positives
        if state['_values'] is not None:
            self._values = self._new_values()
            for column, kept in zip(self._values, state['_values'], strict=True):
                column[cells] = kept

    def _place(self, scores: np.ndarray) -> tuple[Placed, np.ndarray | None]:
        """Return the places of scores, and which are not aligned; None: all of them are."""
        magnitudes = rounded = np.abs(scores)
        if scores.dtype == np.float64:
            rounded = np.minimum(magnitudes, _FLOAT32_MAX).astype(np.float32)
        placed = place(rounded, self.negative, self._coarser)
        unaligned = None
        if placed.residues.any():
            unaligned = placed.residues > 0
        if scores.dtype == np.float64:
            inexact = rounded != magnitudes
            unaligned = inexact if unaligned is None else unaligned | inexact
        return placed, unaligned

    def _block(self, block: slice, aligned: bool) -> Iterator[CountedCells]:
        cells = np.flatnonzero(self._totals[block] != 0)  # of booleans it is faster
        if cells.size == 0:
            return
        totals = self._totals[block][cells].astype(np.int64)
        positives = self._positives[block][cells].astype(np.int64)
        tied = np.ones_like(cells, dtype=bool) if aligned else totals == 1
        if self._values is not None:
            compared = self._values.compared[block][cells] == totals
            tied |= compared & ~self._values.differs[block][cells]
        found = CountedCells(cells + block.start, totals, positives, tied)
        yield found if self.negative else CountedCells(*(column[::-1] for column in found))

    def _reserve(self, num_scores: int) -> None:
        """Make sure that no count can overflow."""
        self._num_scores += num_scores
        if self._num_scores > _INT32_MAX and self._totals.dtype == np.int32:
            self._totals = self._totals.astype(np.int64)
            self._positives = self._positives.astype(np.int64)

    def _has_repeats(self, scores: np.ndarray) -> bool:
        """Tell from a map alone, by samples, whether scores repeat that are not aligned.

        Samples at even distances find maps with few values, and stretches of neighbours those that
        were enlarged. Small maps are always compared.
        """
        if len(scores) <= 2 * _SAMPLE:
            return True
        starts = range(0, len(scores), len(scores) // 16)
        stretches = [scores[start : start + _SAMPLE // 16] for start in starts]
        for sample in (scores[:: len(scores) // _SAMPLE], np.concatenate(stretches)):
            unaligned = self._place(sample)[1]
            if unaligned is not None:
                values = sample[unaligned]
                repeats = len(values) - len(np.unique(values))
                if repeats > _MANY_REPEATS * len(values):
                    return True
        return False

    def _compare(self, cells: np.ndarray, magnitudes: np.ndarray) -> None:
        order = cells.argsort()
        cells, magnitudes = cells[order], magnitudes[order]
        starts = np.flatnonzero(np.diff(cells, prepend=-1))
        low = np.minimum.reduceat(magnitudes, starts)
        high = np.maximum.reduceat(magnitudes, starts)
        compared = np.diff(starts, append=len(cells))
        self._join(cells[starts], low, low != high, compared)

    def _join(
        self, cells: np.ndarray, value: np.ndarray, differs: np.ndarray, compared: np.ndarray
    ) -> None:
        """Add what is known of some cells, each named once, to what was known."""
        if self._values is None:
            self._values = self._new_values()
        known = self._values.value[cells]
        empty = np.isnan(known)
        self._values.differs[cells] |= differs | (~empty & ~np.isnan(value) & (known != value))
        self._values.value[cells] = np.where(empty, value, known)
        self._values.compared[cells] += compared

    def _new_values(self) -> _Values:
        return _Values(
            np.full(self._size, np.nan),
            np.zeros(self._size, dtype=bool),
            np.zeros(self._size, dtype=np.int64),
        )


def _filled(size: int, dtype: Any) -> np.ndarray:
    """Return zeros that are written, not only reserved: the memory in use stays what it is."""
    return np.full(size, 0, dtype=dtype)
