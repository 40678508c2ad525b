"""Selective prediction: how the error falls if the most uncertain predictions are left out."""

from typing import NamedTuple

import numpy as np

from ._arrays import Array, check_same_shape, to_bool, to_finite
from .bounds import Bounds, move_outwards
from .histogram import ScoreCells, ScoreHistogram


class RiskCoverageCurve(NamedTuple):
    """Risk over coverage, from the least uncertain prediction upwards.

    Each field has one entry for each distinct uncertainty, and holds all predictions up to it.
    """

    coverage: np.ndarray
    """Share of accepted predictions, in (0, 1]."""
    risk: np.ndarray
    """Share of wrong ones among them, in [0, 1]."""
    thresholds: np.ndarray
    """The largest accepted uncertainty."""


def risk_coverage_curve(uncertainty: Array, wrong: Array) -> RiskCoverageCurve:
    """Risk-coverage curve (El-Yaniv & Wiener, JMLR 2010).

    Args:
        uncertainty: Any shape; high where the prediction should be left out.
        wrong: Of the same shape; True or 1 where the prediction is wrong.

    Raises:
        ValueError: If the shapes differ, an uncertainty is not finite, ``wrong`` is not
            boolean-like, or there is no prediction.
    """
    values, totals, errors = _group(uncertainty, wrong)
    accepted = np.cumsum(totals)
    return RiskCoverageCurve(accepted / accepted[-1], np.cumsum(errors) / accepted, values)


def aurc(uncertainty: Array, wrong: Array) -> float:
    """Area under the risk-coverage curve, the mean risk over all numbers of accepted predictions.

    AURC = 1/n sum_k (errors among the k least uncertain) / k (Geifman & El-Yaniv, NeurIPS 2017).
    The errors among equal uncertainties count as spread evenly.

    Args:
        uncertainty: Any shape; high where the prediction should be left out.
        wrong: Of the same shape; True or 1 where the prediction is wrong.

    Returns:
        A float in [0, 1]; 0 if nothing is wrong.

    Raises:
        ValueError: As :func:`risk_coverage_curve`.
    """
    _, totals, errors = _group(uncertainty, wrong)
    return float(_risk_sums(totals, errors)[0].sum() / totals.sum())


def aurc_bounds(histogram: ScoreHistogram | ScoreCells) -> Bounds:
    """Certified bounds of :func:`aurc`, from a histogram of uncertainties.

    Args:
        histogram: Of uncertainties, with the wrong predictions as positives.

    Returns:
        Lower and upper bound: the errors last in their cells, or first. NaN if nothing was counted.
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


def _group(uncertainty: Array, wrong: Array) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the distinct uncertainties, ascending, with the numbers of values and of errors."""
    values, error = to_finite('uncertainty', uncertainty), to_bool('wrong', wrong)
    check_same_shape(uncertainty=values, wrong=error)
    if values.size == 0:
        raise ValueError('`uncertainty` is empty: the risk is undefined')
    found, rest = np.sort(values[error]), np.sort(values[~error])
    distinct = np.unique(np.concatenate([found, rest]))
    errors = np.diff(np.searchsorted(found, distinct, side='right'), prepend=0)
    others = np.diff(np.searchsorted(rest, distinct, side='right'), prepend=0)
    return distinct, (errors + others).astype(np.float64), errors.astype(np.float64)


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
