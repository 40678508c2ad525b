"""AUROC, average precision and FPR95 of any number of pixels in constant memory, with bounds."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ..arrays import Array, check_recall_and_rule, check_same_shape, to_bool, to_finite
from .bounds import DetectionBounds
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

    Memory does not depend on the number of pixels: 8 bytes per cell, 299 MB for scores from zero
    upwards and 40 MB for those below zero, as soon as there is one. To tell ties, maps whose
    scores repeat (constant, or rounded to few values) and maps of less than 16,384 pixels take 32
    bytes more for each cell that holds one value of theirs.

    Scores that are equal are recognised as tied, and add nothing to the distance of the bounds,
    where the cells are as fine as the scores (1 - p of a float32 probability p; float32 numbers
    from 1/2 to 4; half-precision numbers, multiples of a power of two), on maps in which a quarter
    of the other scores repeat, and for values that take at least 1% of a map.

    Args:
        bits: Binary logarithm of the number of cells in the finest octaves, 1 to 23. One less
            halves memory and doubles the distance of the bounds.

    Raises:
        ValueError: If ``bits`` is not allowed.
    """

    def __init__(self, bits: int = FINEST) -> None:
        if not isinstance(bits, int) or not 1 <= bits <= FINEST:
            raise ValueError(f'`bits` must be an integer from 1 to {FINEST}, got {bits!r}')
        self.bits = bits
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
        score, positive = to_finite('scores', scores), to_bool('positives', positives)
        check_same_shape(scores=score, positives=positive)
        score, positive = score.ravel(), positive.ravel()
        if score.size == 0:
            return
        if score.min() >= 0:
            self._table(negative=False).add(score, positive)
        elif score.max() < 0:
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
        total = ScoreHistogram(self.bits)
        total += self
        total += other
        return total

    @property
    def nbytes(self) -> int:
        """Memory of the counts in bytes."""
        return sum(table.nbytes() for table in self._tables.values())

    def cells(self, bits: int | None = None) -> ScoreCells:
        """Return the cells that hold a score, from high scores to low.

        Args:
            bits: Put cells together to this resolution, for plots; None: every cell, which may be
                millions.

        Raises:
            ValueError: If ``bits`` is not allowed.
        """
        if bits is not None and not (isinstance(bits, int) and 1 <= bits <= self.bits):
            raise ValueError(f'`bits` must be an integer from 1 to {self.bits}, got {bits!r}')
        parts = [_no_cells()]
        for negative, table in self._in_order():
            # The end that is nearer to zero
            sign = -1 if negative else 1
            if bits is None or bits == self.bits:
                for block in table.blocks():
                    negatives = block.totals - block.positives
                    edges = sign * table.edges(block.cells)
                    parts.append(ScoreCells(edges, block.positives, negatives, block.tied))
            else:
                edges, totals, positives = table.coarsened(bits)
                part = ScoreCells(sign * edges, positives, totals - positives, totals == 1)
                ordered = part if negative else ScoreCells(*(column[::-1] for column in part))
                parts.append(ordered)
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
        counts = [table.num_scores() for table in self._tables.values()]
        positives = sum(found for _, found in counts)
        negatives = sum(total for total, _ in counts) - positives
        names = ('AUROC', 'AUPR', 'FPR95')
        bounds = dict.fromkeys(names, (math.nan, math.nan))
        if positives and negatives:
            found = DetectionBounds(positives, negatives, recall, rule)
            for _, table in self._in_order():
                for block in table.blocks():
                    found.add(block.positives, block.totals - block.positives, block.tied)
            values = (found.roc_auc(), found.average_precision(), found.fpr())
            bounds = dict(zip(names, values, strict=True))
        return {
            **{name: (low + high) / 2 for name, (low, high) in bounds.items()},
            **{f'{name}_bounds': pair for name, pair in bounds.items()},
            'gap': max(high - low for low, high in bounds.values()),
            'num_positives': positives,
            'num_negatives': negatives,
        }

    def _in_order(self) -> list[tuple[bool, ScoreTable]]:
        """The tables from high scores to low."""
        return sorted(self._tables.items(), key=lambda item: item[0])

    def _table(self, negative: bool) -> ScoreTable:
        if negative not in self._tables:
            self._tables[negative] = ScoreTable(negative, self.bits)
        return self._tables[negative]


def _no_cells() -> ScoreCells:
    none = np.zeros(0, dtype=np.int64)
    return ScoreCells(none.astype(np.float64), none, none, none.astype(bool))
