"""Counts over the cells of the scores of one sign, and which cells hold equal scores only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch

from .compared_scores import ComparedScores, Extremes
from .score_grid import (
    FINEST,
    NUM_OCTAVES,
    Placed,
    cell_edges,
    num_cells,
    octave_bits,
    octave_runs,
    octave_slices,
    place,
)

_INT32_MAX = 2**31 - 1
_FLOAT32_MAX = np.finfo(np.float32).max
# Scores and cells at a time: temporary arrays stay in the cache
_CHUNK = 2**16
_BLOCK = 2**14
_SAMPLE = 8192
_MANY_REPEATS = 0.25
_FREQUENT = 0.01


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


class ScoreTable:
    """Counts of scores of one sign.

    Ties are told in two ways. A score is aligned if its bits below the resolution of its cell are
    zero: in an octave with aligned scores only, every cell holds one value. And scores of maps in
    which values repeat are compared with each other, one by one; of other maps, those that are
    equal to a frequent value.

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
        self._compared = ComparedScores()
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
        table = torch.from_numpy(self._totals)  # its scatter_add_ is faster than NumPy's add.at
        ones = torch.ones(min(_CHUNK, len(scores)), dtype=table.dtype)
        for run in octave_runs(self._sorted(scores), self.negative, self._coarser):
            if self._aligned[run.octave] and not run.is_aligned():
                self._aligned[run.octave] = False
            for start in range(0, len(run.patterns), _CHUNK):
                cells = torch.from_numpy(run.cells(slice(start, start + _CHUNK)))
                table.scatter_add_(0, cells, ones[: len(cells)])
        if self._has_repeats(scores):
            self._compared.add(self._place(scores)[0].cells, np.abs(scores).astype(np.float64))
        else:
            self._note_frequent(scores)

    def __iadd__(self, other: ScoreTable) -> ScoreTable:
        """Add the counts of another table of the same cells."""
        self._reserve(other._num_scores)
        self._num_positives += other._num_positives
        self._totals += other._totals.astype(self._totals.dtype, copy=False)
        self._positives += other._positives.astype(self._positives.dtype, copy=False)
        self._aligned &= other._aligned
        self._compared.join(other._compared.extremes())
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
        for table in (self._totals, self._positives):
            parts = [
                table[part].reshape(1 << kept, -1).sum(axis=1, dtype=np.int64)
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
        return self._totals.nbytes + self._positives.nbytes + self._compared.nbytes

    def __getstate__(self) -> dict[str, Any]:
        """Keep the cells that hold a score."""
        cells = np.flatnonzero(self._totals)
        counts = (cells, self._totals[cells], self._positives[cells])
        return self.__dict__ | {'_totals': counts, '_positives': None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore the dense tables."""
        cells, totals, positives = state['_totals']
        self.__dict__.update(state)
        self._totals = _filled(self._size, totals.dtype)
        self._totals[cells] = totals
        self._positives = _filled(self._size, totals.dtype)
        self._positives[cells] = positives

    def _sorted(self, scores: np.ndarray) -> np.ndarray:
        """Return the bit patterns of the magnitudes in float32, ascending.

        A sort of integers costs less than it saves: the cells are then incremented in the order in
        which they lie in memory. Octaves in which rounding to float32 moved a score are noted.
        """
        rounded, inexact = _rounded(scores)
        patterns = rounded.view(np.int32)
        if inexact is not None:
            self._aligned[place(rounded[inexact], self.negative, self._coarser).octaves] = False
        patterns.sort()
        return patterns

    def _place(self, scores: np.ndarray) -> tuple[Placed, np.ndarray]:
        """Return the places of scores, and which are not aligned."""
        rounded, inexact = _rounded(scores)
        placed = place(rounded, self.negative, self._coarser)
        unaligned = placed.residues > 0
        return placed, unaligned if inexact is None else unaligned | inexact

    def _block(self, block: slice, aligned: bool) -> Iterator[CountedCells]:
        cells = np.flatnonzero(self._totals[block] != 0)  # of booleans it is faster
        if cells.size == 0:
            return
        totals = self._totals[block][cells].astype(np.int64)
        positives = self._positives[block][cells].astype(np.int64)
        cells += block.start
        if aligned:
            tied = np.ones_like(cells, dtype=bool)
        else:
            tied = (totals == 1) | self._compared.equal(cells, totals)
        found = CountedCells(cells, totals, positives, tied)
        yield found if self.negative else CountedCells(*(column[::-1] for column in found))

    def _reserve(self, num_scores: int) -> None:
        """Make sure that no count can overflow."""
        self._num_scores += num_scores
        if self._num_scores > _INT32_MAX and self._totals.dtype == np.int32:
            self._totals = self._totals.astype(np.int64)
            self._positives = self._positives.astype(np.int64)

    def _note_frequent(self, scores: np.ndarray) -> None:
        """Count the values that take a large part of a map, such as a floor or a ceiling."""
        sample = scores[:: max(1, len(scores) // _SAMPLE)]
        values, counts = np.unique(sample, return_counts=True)
        frequent = values[counts >= _FREQUENT * len(sample)]
        if frequent.size:
            numbers = np.array([np.count_nonzero(scores == value) for value in frequent])
            cells = self._place(frequent)[0].cells
            magnitudes = np.abs(frequent).astype(np.float64)
            self._compared.join(Extremes(cells, magnitudes, magnitudes, numbers))

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
            values = sample[self._place(sample)[1]]
            repeats = len(values) - len(np.unique(values))
            if repeats > _MANY_REPEATS * len(values):
                return True
        return False


def _rounded(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the magnitudes in float32, a new array, and where they are inexact (None: nowhere)."""
    magnitudes = np.abs(scores)
    if scores.dtype == np.float32:
        return magnitudes, None
    rounded = np.minimum(magnitudes, _FLOAT32_MAX).astype(np.float32)
    return rounded, rounded != magnitudes


def _filled(size: int, dtype: Any) -> np.ndarray:
    """Return zeros that are written, not only reserved: the memory in use stays what it is."""
    return np.full(size, 0, dtype=dtype)
