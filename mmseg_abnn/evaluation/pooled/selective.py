"""Certified bounds of selective prediction: how the error falls if the most uncertain are left out.

The area under the risk-coverage curve is the mean risk over all numbers of accepted predictions,
AURC = 1/n sum_k (errors among the k least uncertain) / k (Geifman & El-Yaniv, NeurIPS 2017). The
errors among equal uncertainties count as spread evenly.
"""

import numpy as np

from .bounds import Bounds, move_outwards
from .histogram import ScoreCells, ScoreHistogram


def aurc_bounds(histogram: ScoreHistogram | ScoreCells) -> Bounds:
    """Certified bounds of the AURC, from a histogram of uncertainties.

    Args:
        histogram: Of uncertainties, with the wrong predictions as positives.

    Returns:
        Lower and upper bound, in [0, 1]: the errors last in their cells, or first. NaN if nothing
        was counted.
    """
    cells = histogram.cells() if isinstance(histogram, ScoreHistogram) else histogram
    errors = cells.positives[::-1].astype(np.float64)
    totals = errors + cells.negatives[::-1]
    if not totals.size:
        return float('nan'), float('nan')
    even, last, first = _risk_sums(totals, errors)
    tied = cells.tied[::-1]
    number = totals.sum()
    low, high = (np.where(tied, even, worst).sum() / number for worst in (last, first))
    return move_outwards(low, high)


def _risk_sums(totals: np.ndarray, errors: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sum (errors so far) / k over the k of each group, by the order inside it.

    A group follows a predictions with E errors and has g predictions, e of them wrong.

    Returns:
        The sums with the errors spread evenly, last, and first; each of shape (groups,).
    """
    end = np.cumsum(totals)
    a, before = end - totals, np.cumsum(errors) - errors
    whole = _harmonic(end) - _harmonic(a)
    # sum of (E + e (k - a) / g) / k
    even = before * whole + errors / totals * (totals - a * whole)
    turn = end - errors
    tail = _harmonic(end) - _harmonic(turn)
    last = before * whole + errors - turn * tail
    turn = a + errors
    head = _harmonic(turn) - _harmonic(a)
    first = errors + (before - a) * head + (before + errors) * (whole - head)
    return even, last, first


def _harmonic(n: np.ndarray) -> np.ndarray:
    """Return 1 + 1/2 + ... + 1/n; by Euler-Maclaurin for large n, to 1e-15 relative."""
    small = np.append(0.0, np.cumsum(1 / np.arange(1.0, 64.0)))
    m = np.maximum(n, 64.0)
    large = np.log(m) + np.euler_gamma + 1 / (2 * m) - 1 / (12 * m**2) + 1 / (120 * m**4)
    return np.where(n < 64, small[np.minimum(n, 63).astype(np.int64)], large)
