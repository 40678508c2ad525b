"""Certified bounds of detection metrics when scores are known up to their cell only.

A cell is a range of scores with p positives and n negatives. The order inside a cell is unknown,
unless the cell is tied (all its scores are equal). The worst and the best order give bounds that
the value of the raw scores cannot leave; for a tied cell both are that value. Cells come in blocks,
from high scores to low, so that millions of them need no memory.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

Bounds = tuple[float, float]

# Bounds are moved outwards by what rounding may add up to, far below anything that is reported.
_ROUNDING = 1e-12


class Cell(NamedTuple):
    """A cell with positives, and what lies above it."""

    p: float
    tied: bool
    tp_before: float
    fp_before: float
    tp_after: float
    fp_after: float


class DetectionBounds:
    """Bounds of AUROC, average precision and FPR at a recall.

    Args:
        num_positives: Number of all positives, at least 1.
        num_negatives: Number of all negatives, at least 1.
        recall: The recall of the FPR.
        rule: ``'first'`` or ``'nearest'``, see ``fpr_at_recall``.
    """

    def __init__(self, num_positives: int, num_negatives: int, recall: float, rule: str) -> None:
        self.num_positives = float(num_positives)
        self.num_negatives = float(num_negatives)
        self.recall = recall
        self.rule = rule
        self._tp = self._fp = 0.0  # above the next block
        self._roc = np.zeros(2)  # sums for the lower and for the upper bound
        self._precision = np.zeros(2)
        self._crossing: Cell | None = None  # where the recall is reached
        self._following: Cell | None = None  # the next one with positives

    def add(self, positives: np.ndarray, negatives: np.ndarray, tied: np.ndarray) -> None:
        """Add the next cells, from high scores to low; each array of shape (cells,).

        Args:
            positives: Number of positives.
            negatives: Number of negatives.
            tied: Whether all scores of the cell are equal.
        """
        tp, fp = self._tp + np.cumsum(positives), self._fp + np.cumsum(negatives)
        self._tp, self._fp = float(tp[-1]), float(fp[-1])
        # Cells without positives matter to the others by their negatives only.
        kept = np.flatnonzero(positives)
        if kept.size == 0:
            return
        p, n = positives[kept].astype(np.float64), negatives[kept].astype(np.float64)
        tied, tp, fp = tied[kept], tp[kept], fp[kept]
        self._add_areas(p, n, tied, tp, fp)
        self._look_for_recall(p, n, tied, tp, fp)

    def roc_auc(self) -> Bounds:
        """Bounds of the area under the ROC curve: all pairs inside a cell lost, or all won."""
        low, high = self._roc / (self.num_positives * self.num_negatives)
        return move_outwards(low, high)

    def average_precision(self) -> Bounds:
        """Bounds of the average precision.

        Best for a cell: all positives at one threshold above all negatives. Worst: one positive
        after the other, below all negatives.
        """
        low, high = self._precision / self.num_positives
        return move_outwards(low, high)

    def fpr(self) -> Bounds:
        """Bounds of the false-positive rate at the recall."""
        if self._crossing is None:
            raise RuntimeError('the cells hold fewer positives than announced')
        choose = self._first if self.rule == 'first' else self._nearest
        low, high = choose(self._crossing)
        return low / self.num_negatives, high / self.num_negatives

    def _add_areas(
        self, p: np.ndarray, n: np.ndarray, tied: np.ndarray, tp: np.ndarray, fp: np.ndarray
    ) -> None:
        below, pairs = (p * (self.num_negatives - fp)).sum(), p * n
        ties = pairs[tied].sum() / 2
        self._roc += (below + ties, below + ties + pairs[~tied].sum())

        at_end = p * tp / (tp + fp)
        at_start = p * tp / (tp + fp - n)
        # sum over j = 1..p of (T + j) / (T + j + F) with T = tp - p, F = fp. Without the
        # numerator that is at most an integral from T + F + 1/2 on (1/x is convex).
        one_by_one = at_end.copy()
        several = p > 1
        p, tp, fp = p[several], tp[several], fp[several]
        one_by_one[several] = p - fp * np.log1p(p / (tp - p + fp + 0.5))
        low, high = np.where(tied, at_end, one_by_one), np.where(tied, at_end, at_start)
        self._precision += (low.sum(), high.sum())

    def _look_for_recall(
        self, p: np.ndarray, n: np.ndarray, tied: np.ndarray, tp: np.ndarray, fp: np.ndarray
    ) -> None:
        def cell(i: int) -> Cell:
            numbers = p[i], tied[i], tp[i] - p[i], fp[i] - n[i], tp[i], fp[i]
            return Cell(*(number.item() for number in numbers))

        start = 0
        if self._crossing is None:
            reached = tp / self.num_positives >= self.recall
            if not reached[-1]:
                return
            i = int(np.argmax(reached))
            self._crossing = cell(i)
            start = i + 1
        if self._following is None and start < p.size:
            self._following = cell(start)

    @staticmethod
    def _first(cell: Cell) -> Bounds:
        return (cell.fp_after if cell.tied else cell.fp_before), cell.fp_after

    def _nearest(self, cell: Cell) -> Bounds:
        below = _just_above(cell)
        # after the last cell with positives: the highest threshold of full recall
        above = _just_above(self._following) if self._following else self._first(cell)
        either = min(above[0], below[0]), max(above[1], below[1])
        if not cell.tied and cell.p > 1:
            return either  # any recall inside the cell may be reached, and be the nearest one
        recalls = np.array([cell.tp_before, cell.tp_after]) / self.num_positives
        distances = np.abs(recalls - self.recall)
        if distances[1] <= distances[0]:
            return above
        if cell.tp_before > 0 or cell.fp_before > 0:
            return below
        # Nothing lies above this cell: a threshold of recall 0 exists if a negative is on top.
        return above if cell.tied else either


def move_outwards(low: float, high: float) -> Bounds:
    """Widen bounds inside [0, 1] by more than rounding adds up to."""
    return max(float(low) - _ROUNDING, 0.0), min(float(high) + _ROUNDING, 1.0)


def _just_above(cell: Cell) -> Bounds:
    """Bound the negatives above the highest positive of a cell."""
    return cell.fp_before, (cell.fp_before if cell.tied else cell.fp_after)
