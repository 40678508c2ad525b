"""AUROC, average precision and FPR95 of any number of pixels in constant memory, with bounds."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import torch

from ._arrays import Array, as_bool_tensor, as_tensor, check_same_shape
from .bounds import average_precision_bounds, fpr_bounds, make_cells, roc_auc_bounds
from .curves import check_recall_and_rule
from .score_grid import FINEST
from .score_table import ScoreTable


class ScoreCells(NamedTuple):
    """The cells that hold a score, from high scores to low; each of shape (cells,).

    Attributes:
        edges: Float64; the end of the cell that is nearer to zero.
        positives: Int64; number of positives.
        negatives: Int64; number of negatives.
        tied: Whether the scores of the cell are known to be equal.
    """

    edges: np.ndarray
    positives: np.ndarray
    negatives: np.ndarray
    tied: np.ndarray


class ScoreHistogram:
    """Counts of positives and negatives over a fixed grid of scores.

    Histograms of parts of the data add up to the histogram of all, in any order, bit for bit. The
    bounds of :meth:`compute` are certified: the value that all the raw scores would give lies
    inside. With the finest grid they are less than 1e-6 apart for probabilities and entropies.

    Memory does not depend on the number of pixels: 8 bytes per cell, 119 MB for scores from zero
    upwards and 42 MB for those below zero, as soon as there is one (and half of that again on a
    CPU with several threads). Maps whose scores repeat (constant, or rounded to few values) need
    9 bytes per cell more, to tell ties.

    Scores that are equal are recognised as tied, and add nothing to the distance of the bounds,
    where the cell's resolution holds them exactly (zero, half-precision numbers, multiples of a
    power of two) and on maps whose scores repeat.

    Args:
        bits: Binary logarithm of the number of cells in the finest octaves, 1 to 21. One less
            halves memory and doubles the distance of the bounds.
        device: Where to count; the scores may be on any device.

    Raises:
        ValueError: If ``bits`` is not allowed.
    """

    def __init__(self, bits: int = FINEST, device: torch.device | str = 'cpu') -> None:
        if not isinstance(bits, int) or not 1 <= bits <= FINEST:
            raise ValueError(f'`bits` must be an integer from 1 to {FINEST}, got {bits!r}')
        self.bits = bits
        self.device = torch.device(device)
        self._tables: dict[bool, ScoreTable] = {}  # by whether the scores are below zero

    def update(self, scores: Array, positives: Array) -> None:
        """Count the pixels of an image, or of any other part of the data.

        Args:
            scores: Any shape; high where OOD. Any floating-point type, or integers.
            positives: Of the same shape; True or 1 where OOD.

        Raises:
            ValueError: If the shapes differ, a score is NaN or infinite, or ``positives`` is not
                boolean-like. Nothing is counted then.
        """
        score, positive = as_tensor(scores), as_bool_tensor('positives', positives)
        check_same_shape(scores=score, positives=positive)
        if not score.is_floating_point():
            score = score.double()
        score, positive = score.flatten().to(self.device), positive.flatten().to(self.device)
        if score.numel() == 0:
            return
        low, high = (float(value) for value in score.aminmax())
        if not (math.isfinite(low) and math.isfinite(high)):
            bad = int((~score.isfinite()).sum())
            raise ValueError(
                f'`scores` must be finite, got {bad} NaN or infinite values among {score.numel()}'
            )
        if low >= 0:
            self._table(negative=False).add(score, positive)
        elif high < 0:
            self._table(negative=True).add(score, positive)
        else:
            below = score < 0
            self._table(negative=False).add(score[~below], positive[~below])
            self._table(negative=True).add(score[below], positive[below])

    def __iadd__(self, other: ScoreHistogram) -> ScoreHistogram:
        """Add the counts of another histogram.

        Raises:
            ValueError: If its ``bits`` are others.
        """
        if not isinstance(other, ScoreHistogram):
            return NotImplemented
        if other.bits != self.bits:
            raise ValueError(
                f'histograms must have the same `bits` to be added, got {self.bits} and '
                f'{other.bits}'
            )
        for negative, table in other._tables.items():
            mine = self._table(negative)
            mine += table
        return self

    def __add__(self, other: ScoreHistogram) -> ScoreHistogram:
        """Return the histogram of both data sets; both stay as they are."""
        if not isinstance(other, ScoreHistogram):
            return NotImplemented
        total = ScoreHistogram(self.bits, self.device)
        total += self
        total += other
        return total

    @property
    def nbytes(self) -> int:
        """Memory of the counts in bytes."""
        return sum(table.nbytes() for table in self._tables.values())

    def cells(self) -> ScoreCells:
        """Return the cells that hold a score, from high scores to low."""
        parts = []
        for negative in (False, True):
            if negative in self._tables:
                counted = self._tables[negative].counted()
                edges, totals, positives, tied = (column.numpy() for column in counted)
                # Below zero the smallest magnitude is the highest score.
                lower = -edges if negative else edges
                part = (lower, positives, totals - positives, tied)
                parts.append(part if negative else tuple(column[::-1] for column in part))
        if not parts:
            empty = np.empty(0)
            return ScoreCells(empty, empty.astype(int), empty.astype(int), empty.astype(bool))
        return ScoreCells(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))

    def compute(self, recall: float = 0.95, rule: str = 'first') -> dict[str, Any]:
        """Compute AUROC, AUPR (average precision) and FPR95 with their bounds.

        Args:
            recall: The recall of ``FPR95``, in (0, 1].
            rule: ``'first'`` or ``'nearest'``, see ``fpr_at_recall``.

        Returns:
            ``AUROC``, ``AUPR`` and ``FPR95``, each the middle of its bounds; ``AUROC_bounds``,
            ``AUPR_bounds`` and ``FPR95_bounds``, pairs (lower, upper); ``gap``, the largest
            distance of bounds; ``num_positives`` and ``num_negatives``. Everything in [0, 1], and
            NaN, which stands for undefined, if there is no positive or no negative.

        Raises:
            ValueError: If ``recall`` or ``rule`` is not allowed.
        """
        check_recall_and_rule(recall, rule)
        cells = self.cells()
        positives, negatives = int(cells.positives.sum()), int(cells.negatives.sum())
        if positives and negatives:
            ordered = make_cells(cells.positives, cells.negatives, cells.tied)
            bounds = {
                'AUROC': roc_auc_bounds(ordered),
                'AUPR': average_precision_bounds(ordered),
                'FPR95': fpr_bounds(ordered, recall, rule),
            }
        else:
            bounds = dict.fromkeys(('AUROC', 'AUPR', 'FPR95'), (math.nan, math.nan))
        return {
            **{name: (low + high) / 2 for name, (low, high) in bounds.items()},
            **{f'{name}_bounds': pair for name, pair in bounds.items()},
            'gap': max(high - low for low, high in bounds.values()),
            'num_positives': positives,
            'num_negatives': negatives,
        }

    def _table(self, negative: bool) -> ScoreTable:
        if negative not in self._tables:
            self._tables[negative] = ScoreTable(negative, self.bits, self.device)
        return self._tables[negative]
