"""Certified bounds of detection metrics when scores are known up to their cell only.

A cell is a range of scores with p positives and n negatives. The order inside a cell is unknown,
unless the cell is tied (all its scores are equal). The worst and the best order give bounds that
the value of the raw scores cannot leave; for a tied cell both are that value.
"""

from typing import NamedTuple

import numpy as np

Bounds = tuple[float, float]

# Bounds are moved outwards by what rounding may add up to, far below anything that is reported.
_ROUNDING = 1e-12


class Cells(NamedTuple):
    """Cells from high scores to low: counts in float64, exact, each of shape (cells,)."""

    p: np.ndarray
    n: np.ndarray
    tied: np.ndarray
    tp_before: np.ndarray
    fp_before: np.ndarray
    tp_after: np.ndarray
    fp_after: np.ndarray
    num_positives: float
    num_negatives: float


def make_cells(positives: np.ndarray, negatives: np.ndarray, tied: np.ndarray) -> Cells:
    """Accumulate counts.

    Args:
        positives: Number of positives in each cell, from high scores to low.
        negatives: Number of negatives.
        tied: Whether all scores of the cell are equal.
    """
    p, n = positives.astype(np.float64), negatives.astype(np.float64)
    tp, fp = np.cumsum(p), np.cumsum(n)
    return Cells(p, n, tied, tp - p, fp - n, tp, fp, float(tp[-1]), float(fp[-1]))


def roc_auc_bounds(cells: Cells) -> Bounds:
    """Bounds of the area under the ROC curve: all pairs inside a cell lost, or all won."""
    pairs = cells.p * cells.n
    below = cells.p * (cells.num_negatives - cells.fp_after)
    low = below + np.where(cells.tied, pairs / 2, 0)
    high = below + np.where(cells.tied, pairs / 2, pairs)
    total = cells.num_positives * cells.num_negatives
    return move_outwards(low.sum() / total, high.sum() / total)


def average_precision_bounds(cells: Cells) -> Bounds:
    """Bounds of the average precision.

    Best for a cell: all positives at one threshold above all negatives. Worst: one positive after
    the other, below all negatives.
    """
    cells = _with_positives(cells)
    at_end = cells.tp_after / (cells.tp_after + cells.fp_after)
    at_start = cells.tp_after / (cells.tp_after + cells.fp_before)
    # sum over j = 1..p of (T + j) / (T + j + F) with T = tp_before, F = fp_after. Without the
    # numerator that is at most an integral from T + F + 1/2 on (1/x is convex).
    start = cells.tp_before + cells.fp_after
    harmonic = np.log1p(cells.p / (start + 0.5))
    one_by_one = np.where(cells.p == 1, at_end, cells.p - cells.fp_after * harmonic)
    low = np.where(cells.tied, cells.p * at_end, one_by_one)
    high = cells.p * np.where(cells.tied, at_end, at_start)
    return move_outwards(low.sum() / cells.num_positives, high.sum() / cells.num_positives)


def fpr_bounds(cells: Cells, recall: float, rule: str) -> Bounds:
    """Bounds of the false-positive rate at a recall, see ``fpr_at_recall``."""
    cells = _with_positives(cells)
    low, high = (_first if rule == 'first' else _nearest)(cells, recall)
    return float(low / cells.num_negatives), float(high / cells.num_negatives)


def _first(cells: Cells, recall: float) -> Bounds:
    i = int(np.argmax(cells.tp_after / cells.num_positives >= recall))
    low = cells.fp_after[i] if cells.tied[i] else cells.fp_before[i]
    return low, cells.fp_after[i]


def _nearest(cells: Cells, recall: float) -> Bounds:
    i = int(np.argmax(cells.tp_after / cells.num_positives >= recall))
    above, below = _stop_after(cells, i), _stop_before(cells, i)
    if not cells.tied[i] and cells.p[i] > 1:
        # Any recall inside the cell may be reached, and be the nearest one.
        return min(above[0], below[0]), max(above[1], below[1])
    recalls = np.array([cells.tp_before[i], cells.tp_after[i]]) / cells.num_positives
    distances = np.abs(recalls - recall)
    if distances[1] <= distances[0]:
        return above
    if cells.tp_before[i] > 0 or cells.fp_before[i] > 0:
        return below
    if cells.tied[i]:
        return above  # no threshold lies above this cell
    return min(above[0], below[0]), max(above[1], below[1])


def _stop_after(cells: Cells, i: int) -> Bounds:
    """Bound the negatives above the lowest threshold that finds cell i, but no further positive."""
    if i + 1 < len(cells.p):
        return _stop_before(cells, i + 1)
    # The highest threshold of full recall: at the lowest positive.
    return (cells.fp_after[i] if cells.tied[i] else cells.fp_before[i]), cells.fp_after[i]


def _stop_before(cells: Cells, i: int) -> Bounds:
    """Bound the negatives above the highest positive of cell i."""
    return cells.fp_before[i], (cells.fp_before[i] if cells.tied[i] else cells.fp_after[i])


def _with_positives(cells: Cells) -> Cells:
    kept = cells.p > 0
    return Cells(
        cells.p[kept],
        cells.n[kept],
        cells.tied[kept],
        cells.tp_before[kept],
        cells.fp_before[kept],
        cells.tp_after[kept],
        cells.fp_after[kept],
        cells.num_positives,
        cells.num_negatives,
    )


def move_outwards(low: float, high: float) -> Bounds:
    """Widen bounds inside [0, 1] by more than rounding adds up to."""
    return max(float(low) - _ROUNDING, 0.0), min(float(high) + _ROUNDING, 1.0)
