"""Expected calibration error, directly or from count tables that can be added up."""

import numpy as np

from ._arrays import Array, check_same_shape, to_bool, to_finite, to_numpy

# A mean of float32 probabilities can miss [0, 1] by rounding.
_ROUNDING = 1e-6


def calibration_counts(confidence: Array, correct: Array, bins: int = 15) -> np.ndarray:
    """Count what the expected calibration error needs; tables of several images add up.

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
    conf = to_finite('confidence', confidence).astype(np.float64)
    right = to_bool('correct', correct)
    check_same_shape(confidence=conf, correct=right)
    conf, right = conf.ravel(), right.ravel()
    if conf.size and (conf.min() < -_ROUNDING or conf.max() > 1 + _ROUNDING):
        raise ValueError(f'`confidence` must be in [0, 1], got {conf.min()} to {conf.max()}')

    edges = np.arange(bins + 1) / bins
    # side='left': a value equal to an edge belongs to the bin below that edge.
    index = np.clip(np.searchsorted(edges, conf, side='left') - 1, 0, bins - 1)
    return np.stack(
        [
            np.bincount(index, minlength=bins).astype(np.float64),
            np.bincount(index, weights=conf, minlength=bins),
            np.bincount(index, weights=right, minlength=bins),
        ],
        axis=1,
    )


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
    table = to_numpy(counts)
    if table.ndim != 2 or table.shape[1] != 3:
        raise ValueError(f'`counts` must have shape (bins, 3), got {table.shape}')
    total = table[:, 0].sum()
    if total == 0:
        raise ValueError('`counts` counts no value: the calibration error is undefined')
    return float(np.abs(table[:, 2] - table[:, 1]).sum() / total)


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
