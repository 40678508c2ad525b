"""Counts over the cells of the scores of one sign, and which cells hold equal scores only."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from .score_grid import (
    FINEST,
    NUM_OCTAVES,
    describe_cells,
    num_cells,
    octave_table,
    split_pattern,
)

_INT32_MAX = 2**31 - 1
_CHUNK = 2**17
_SAMPLE = 8192
_MANY_REPEATS = 0.02


class CountedCells(NamedTuple):
    """The cells that hold a score, in the order of their magnitude; each of shape (cells,).

    Attributes:
        edges: Float64; the smallest magnitude of the cell.
        totals: Int64; number of scores.
        positives: Int64; how many of them are positives.
        tied: Whether the scores are known to be equal.
    """

    edges: Tensor
    totals: Tensor
    positives: Tensor
    tied: Tensor


class _Values(NamedTuple):
    """The single value of each cell among the pixels that were compared; (cells,) each."""

    value: Tensor  # float64, NaN: no pixel yet
    differs: Tensor  # bool, two values were seen
    compared: Tensor  # int64, number of pixels


class _Placed(NamedTuple):
    """Where scores fall; (pixels,) each."""

    cells: Tensor  # int64
    octaves: Tensor  # int32
    unaligned: Tensor  # bool, and the octave was aligned before


class ScoreTable:
    """Counts of scores of one sign.

    Ties are told in two ways. A score is aligned if its bits below the resolution of its cell are
    zero: in an octave with aligned scores only, every cell holds one value. And scores of maps in
    which values repeat are compared with each other, one by one.

    Args:
        negative: Whether the scores are below zero.
        bits: See ``ScoreHistogram``.
        device: Where to count.
    """

    def __init__(self, negative: bool, bits: int, device: torch.device) -> None:
        self.negative = negative
        self.bits = bits
        self._coarser = FINEST - bits
        self._octaves = octave_table(negative, self._coarser, device)
        self._size = num_cells(negative, self._coarser)
        # A row for each of two threads: adding up is bound by memory access.
        rows = 2 if device.type == 'cpu' and torch.get_num_threads() > 1 else 1
        # Filled, not only reserved: the memory in use is what it will be to the end.
        self._totals = torch.full((rows, self._size), 0, dtype=torch.int32, device=device)
        self._positives = torch.full((self._size,), 0, dtype=torch.int32, device=device)
        self._aligned = torch.ones(NUM_OCTAVES, dtype=torch.bool, device=device)
        # Residues of the octaves that are still aligned, 0 for the others.
        self._residues = self._octaves.residues.clone()
        self._values: _Values | None = None
        self._num_scores = 0

    def add(self, scores: Tensor, positives: Tensor) -> None:
        """Count scores of the table's sign.

        Args:
            scores: Finite, of shape (pixels,).
            positives: Bool, of the same shape.
        """
        self._reserve(len(scores))
        repeats = self._has_repeats(scores)
        # In chunks whose temporary arrays stay in the cache
        for chunk, labels in zip(scores.split(_CHUNK), positives.split(_CHUNK), strict=True):
            placed = self._place(chunk)
            self._count(placed.cells, labels)
            if bool(placed.unaligned.any()):
                self._aligned[placed.octaves[placed.unaligned].long()] = False
                self._residues = self._octaves.residues * self._aligned
            if repeats:
                self._compare(placed.cells, chunk.abs().double())

    def _non_empty(self) -> tuple[Tensor, Tensor]:
        """Return the cells that hold a score, and how many; int64."""
        cells = self._totals.any(0).nonzero().flatten()
        return cells, self._totals[:, cells].sum(0)

    def _place(self, scores: Tensor) -> _Placed:
        magnitudes = scores.abs()
        rounded = magnitudes.float().clamp(max=torch.finfo(torch.float32).max)
        pattern, octaves = split_pattern(rounded)
        start = self._octaves.starts.index_select(0, octaves)
        shift = self._octaves.shifts.index_select(0, octaves)
        unaligned = (pattern & self._residues.index_select(0, octaves)) != 0
        if scores.dtype == torch.float64:
            unaligned |= rounded.double() != magnitudes
        return _Placed((pattern >> shift).add_(start).long(), octaves, unaligned)

    def __iadd__(self, other: ScoreTable) -> ScoreTable:
        """Add the counts of another table of the same cells."""
        self._reserve(other._num_scores)
        for row in other._totals:
            self._totals[0] += row.to(self._totals)
        self._positives += other._positives.to(self._positives)
        self._aligned &= other._aligned.to(self._aligned.device)
        self._residues = self._octaves.residues * self._aligned
        if other._values is not None:
            values = [column.to(self._totals.device) for column in other._values]
            self._join(torch.arange(self._size, device=self._totals.device), *values)
        return self

    def counted(self) -> CountedCells:
        """Return the cells that hold a score, on the CPU."""
        cells, totals = self._non_empty()
        octaves, edges = describe_cells(cells, self.negative, self._coarser)
        tied = (totals == 1) | self._aligned[octaves]
        if self._values is not None:
            all_compared = self._values.compared[cells] == totals
            tied |= all_compared & ~self._values.differs[cells]
        columns = (edges, totals, self._positives[cells].long(), tied)
        return CountedCells(*(column.cpu() for column in columns))

    def nbytes(self) -> int:
        """Return the memory of the counts in bytes."""
        columns = [self._totals, self._positives, *(self._values or ())]
        return sum(column.nbytes for column in columns)

    def __getstate__(self) -> dict[str, Any]:
        """Keep the cells that hold a score."""
        state = self.__dict__.copy()
        cells, totals = self._non_empty()
        state |= {
            '_totals': (cells, totals, self._totals.shape[0], self._totals.dtype),
            '_positives': self._positives[cells],
            '_values': self._values and tuple(column[cells] for column in self._values),
        }
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore the dense tables."""
        cells, totals, rows, dtype = state['_totals']
        self.__dict__.update(state, _values=None)
        self._totals = torch.full((rows, self._size), 0, dtype=dtype, device=cells.device)
        self._totals[0, cells] = totals.to(dtype)
        self._positives = torch.full((self._size,), 0, dtype=dtype, device=cells.device)
        self._positives[cells] = state['_positives'].to(dtype)
        if state['_values'] is not None:
            self._values = self._new_values()
            for column, kept in zip(self._values, state['_values'], strict=True):
                column[cells] = kept

    def _count(self, cells: Tensor, positives: Tensor) -> None:
        ones = torch.ones_like(cells, dtype=self._totals.dtype)
        rows = self._totals.shape[0]
        even = len(cells) - len(cells) % rows
        self._totals.scatter_add_(1, cells[:even].view(rows, -1), ones[:even].view(rows, -1))
        self._totals[0].index_add_(0, cells[even:], ones[even:])
        found = cells[positives.nonzero().flatten()]
        self._positives.index_add_(0, found, ones[: len(found)])

    def _reserve(self, num_scores: int) -> None:
        """Make sure that no count can overflow."""
        self._num_scores += num_scores
        if self._num_scores > _INT32_MAX and self._totals.dtype == torch.int32:
            self._totals, self._positives = self._totals.long(), self._positives.long()

    def _has_repeats(self, scores: Tensor) -> bool:
        """Tell from a map alone, by a sample, whether scores repeat that are not aligned."""
        step = max(1, len(scores) // _SAMPLE)
        magnitudes = scores[::step].abs()
        rounded = magnitudes.float().clamp(max=torch.finfo(torch.float32).max)
        pattern, octaves = split_pattern(rounded)
        unaligned = (pattern & self._octaves.residues.index_select(0, octaves)) != 0
        if scores.dtype == torch.float64:
            unaligned |= rounded.double() != magnitudes
        values = magnitudes[unaligned]
        repeats = len(values) - len(values.unique())
        return repeats > (_MANY_REPEATS * len(magnitudes) if step > 1 else 0)

    def _compare(self, cells: Tensor, magnitudes: Tensor) -> None:
        order = cells.argsort()
        cells, magnitudes = cells[order], magnitudes[order]
        cells, inverse, compared = cells.unique_consecutive(return_inverse=True, return_counts=True)
        low = torch.full_like(cells, float('inf'), dtype=torch.float64)
        low.scatter_reduce_(0, inverse, magnitudes, 'amin')
        high = torch.zeros_like(low).scatter_reduce_(0, inverse, magnitudes, 'amax')
        self._join(cells, low, low != high, compared)

    def _join(self, cells: Tensor, value: Tensor, differs: Tensor, compared: Tensor) -> None:
        """Add what is known of some cells, each named once, to what was known."""
        if self._values is None:
            self._values = self._new_values()
        known = self._values.value[cells]
        empty = known.isnan()
        self._values.differs[cells] |= differs | (~empty & ~value.isnan() & (known != value))
        self._values.value[cells] = torch.where(empty, value, known)
        self._values.compared[cells] += compared

    def _new_values(self) -> _Values:
        device = self._totals.device
        return _Values(
            torch.full((self._size,), float('nan'), dtype=torch.float64, device=device),
            torch.full((self._size,), False, device=device),
            torch.full((self._size,), 0, dtype=torch.int64, device=device),
        )
