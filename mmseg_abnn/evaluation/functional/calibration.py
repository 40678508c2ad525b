"""Calibration errors and reliability, directly or from count tables that can be added up."""

from typing import NamedTuple

import numpy as np

from ..arrays import Array, check_same_shape, to_bool, to_finite, to_numpy

# A mean of float32 probabilities can miss [0, 1] by rounding.
_ROUNDING = 1e-6


class ReliabilityCurve(NamedTuple):
    """The bins of a reliability diagram that hold a value, each field of shape (bins,)."""

    confidence: np.ndarray
    """Mean confidence, in [0, 1]."""
    accuracy: np.ndarray
    """Share of correct predictions, in [0, 1]."""
    counts: np.ndarray
    """Number of values, int64."""


def bin_index(confidence: np.ndarray, bins: int) -> np.ndarray:
    """Return the bin of each confidence, int64 in 0..bins-1.

    Bin i of B holds the confidences in (i/B, (i+1)/B]; confidence 0 goes into the first bin.

    Args:
        confidence: Any shape, checked by :func:`check_confidence`.
        bins: Number of bins of equal width.
    """
    edges = np.arange(bins + 1) / bins
    index = np.ceil(confidence * np.float64(bins)).astype(np.int64) - 1
    np.clip(index, 0, bins - 1, out=index)
    # The product is rounded: a value next to an edge may have crossed it.
    index -= confidence <= np.append(-np.inf, edges[1:-1])[index]
    index += confidence > np.append(edges[1:-1], np.inf)[index]
    return index


def check_confidence(confidence: Array) -> np.ndarray:
    """Return confidences as an array of floats, or raise ValueError if they are not in [0, 1].

    1e-6 of rounding is accepted.
    """
    values = to_finite('confidence', confidence)
    if values.size and (values.min() < -_ROUNDING or values.max() > 1 + _ROUNDING):
        raise ValueError(f'`confidence` must be in [0, 1], got {values.min()} to {values.max()}')
    return values


def calibration_counts(confidence: Array, correct: Array, bins: int = 15) -> np.ndarray:
    """Count what a calibration error needs; tables of several images add up.

    Bin i of B holds the confidences in (i/B, (i+1)/B]; confidence 0 goes into the first bin.

    Args:
        confidence: Any shape; probability of the predicted class, in [0, 1].
        correct: Of the same shape; True or 1 where the prediction is right.
        bins: Number of bins of equal width.

    Returns:
        Float64 array of shape (bins, 3): number of values, sum of their confidences, number of
        correct ones.

    Raises:
        ValueError: If the shapes differ, a confidence is not finite or not in [0, 1] (1e-6 of
            rounding is accepted), ``correct`` is not boolean-like or ``bins`` is below 1.
    """
    if bins < 1:
        raise ValueError(f'`bins` must be >= 1, got {bins}')
    conf, right = check_confidence(confidence), to_bool('correct', correct)
    check_same_shape(confidence=conf, correct=right)
    conf, right = conf.ravel(), right.ravel()
    index = bin_index(conf, bins)
    return np.stack(
        [
            np.bincount(index, minlength=bins).astype(np.float64),
            np.bincount(index, weights=conf, minlength=bins),
            np.bincount(index[right], minlength=bins),
        ],
        axis=1,
    )


def reliability_curve(counts: Array) -> ReliabilityCurve:
    """Return the points of a reliability diagram from a table of :func:`calibration_counts`.

    Args:
        counts: Table of shape (bins, 3).

    Raises:
        ValueError: If the table has another shape or counts nothing.
    """
    table = _check_table(counts)
    table = table[table[:, 0] > 0]
    total = table[:, 0]
    return ReliabilityCurve(table[:, 1] / total, table[:, 2] / total, total.astype(np.int64))


def ece_from_counts(counts: Array) -> float:
    """Expected calibration error from a table, or a sum of tables, of :func:`calibration_counts`.

    ECE = sum over bins of (n_bin / n) |accuracy_bin - mean confidence_bin| (Naeini et al., AAAI
    2015; Guo et al., ICML 2017, equation 3).

    Args:
        counts: Table of shape (bins, 3).

    Returns:
        A float in [0, 1].

    Raises:
        ValueError: If the table has another shape or counts nothing.
    """
    table = _check_table(counts)
    return float(np.abs(table[:, 2] - table[:, 1]).sum() / table[:, 0].sum())


def mce_from_counts(counts: Array) -> float:
    """Maximum calibration error, the largest |accuracy - mean confidence| of a bin.

    (Naeini et al., AAAI 2015; Guo et al., ICML 2017, equation 5.) A bin with few values counts as
    much as any other, so it is a noisy number.

    Args:
        counts: Table of shape (bins, 3), as of :func:`calibration_counts`.

    Returns:
        A float in [0, 1].

    Raises:
        ValueError: If the table has another shape or counts nothing.
    """
    curve = reliability_curve(counts)
    return float(np.abs(curve.accuracy - curve.confidence).max())


def expected_calibration_error(confidence: Array, correct: Array, bins: int = 15) -> float:
    """Expected calibration error with bins of equal width, lower edge open, upper edge closed.

    Args:
        confidence: Any shape; probability of the predicted class, in [0, 1].
        correct: Of the same shape; True or 1 where the prediction is right.
        bins: Number of bins of equal width.

    Returns:
        A float in [0, 1], see :func:`ece_from_counts`.

    Raises:
        ValueError: As :func:`calibration_counts`, and if there is no value.
    """
    return ece_from_counts(calibration_counts(confidence, correct, bins))


def _check_table(counts: Array) -> np.ndarray:
    table = to_numpy(counts)
    if table.ndim != 2 or table.shape[1] != 3:
        raise ValueError(f'`counts` must have shape (bins, 3), got {table.shape}')
    if table[:, 0].sum() == 0:
        raise ValueError('`counts` counts no value: the calibration error is undefined')
    return table
