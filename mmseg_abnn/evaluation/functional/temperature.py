"""The temperature that calibrates a trained network best."""

from __future__ import annotations

import math

from ._arrays import Array, as_tensor

TEMPERATURE_LIMITS = (0.001, 1000.0)
"""Between which temperatures are sought."""


def fit_temperature(logits: Array, labels: Array) -> float:
    """Return T > 0 that minimizes the mean of ``-log softmax(logits / T)[label]``.

    Temperature scaling (Guo et al., "On Calibration of Modern Neural Networks", ICML 2017). The
    mean is convex in 1 / T, so the minimum is unique. T is sought within ``TEMPERATURE_LIMITS``,
    and is one of them if the labels ask for more (all predictions right, or no better than chance).

    Args:
        logits: Of shape (pixels, classes), finite.
        labels: Class indices, integers of shape (pixels,).

    Raises:
        ValueError: If the shapes do not fit, there is no pixel, a logit is NaN or infinite, or a
            label is no class.
    """
    values, classes = as_tensor(logits).double(), as_tensor(labels)
    if values.ndim != 2 or classes.shape != values.shape[:1] or values.numel() == 0:
        raise ValueError(
            '`logits` must be of shape (pixels, classes) and `labels` of shape (pixels,), with at '
            f'least one pixel, got {tuple(values.shape)} and {tuple(classes.shape)}'
        )
    if not bool(values.isfinite().all()):
        raise ValueError('`logits` must be finite')
    if classes.is_floating_point() or not bool(
        ((classes >= 0) & (classes < values.shape[1])).all()
    ):
        raise ValueError(f'`labels` must be integers from 0 to {values.shape[1] - 1}')
    classes = classes.long()

    def slope(log_inverse: float) -> float:
        """Derivative by 1 / T: mean logit under the softmax minus that of the label."""
        p = (values * math.exp(log_inverse)).softmax(dim=1)
        expected = (p * values).sum(dim=1)
        return float((expected - values.gather(1, classes[:, None])[:, 0]).mean())

    coldest, hottest = TEMPERATURE_LIMITS
    low, high = -math.log(hottest), -math.log(coldest)
    if slope(low) >= 0:
        return hottest
    if slope(high) <= 0:
        return coldest
    while high - low > 1e-9:  # about 34 halvings
        middle = (low + high) / 2
        low, high = (low, middle) if slope(middle) > 0 else (middle, high)
    return math.exp(-(low + high) / 2)
