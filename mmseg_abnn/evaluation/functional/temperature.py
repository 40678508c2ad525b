"""The temperature that calibrates a trained network best."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ..arrays import Array, as_tensor, check_integers

TEMPERATURE_LIMITS = (0.001, 1000.0)
"""Between which temperatures are sought."""
_PRECISION = 1e-9  # of the logarithm
_GRID = 41


def fit_temperature(logits: Array, labels: Array, weights: Sequence[float] | None = None) -> float:
    """Return T > 0 that minimizes the mean of ``-log p(label)``, p = ``softmax(logits / T)``.

    Temperature scaling (Guo et al., "On Calibration of Modern Neural Networks", ICML 2017). Of
    several draws p is the mean of their probabilities, each at the same T. T is sought within
    ``TEMPERATURE_LIMITS``, and is one of them if the labels ask for more (all predictions right, or
    no better than chance). Of one draw the mean is convex in 1 / T, so the minimum is unique; of
    several the lowest of 41 temperatures is refined.

    Args:
        logits: Of shape (pixels, classes), or (draws, pixels, classes); finite.
        labels: Class indices, integers of shape (pixels,).
        weights: Of the draws, > 0; None weighs them alike.

    Raises:
        ValueError: If the shapes do not fit, there is no pixel, a logit is NaN or infinite, a
            label is no class, or a weight is not > 0.
    """
    values, classes = as_tensor(logits).double(), as_tensor(labels)
    if values.ndim == 2:
        values = values[None]
    if values.ndim != 3 or classes.shape != values.shape[1:2] or values.numel() == 0:
        raise ValueError(
            '`logits` must be of shape (pixels, classes) or (draws, pixels, classes) and `labels` '
            f'of shape (pixels,), with at least one pixel, got {tuple(as_tensor(logits).shape)} '
            f'and {tuple(classes.shape)}'
        )
    if not bool(values.isfinite().all()):
        raise ValueError('`logits` must be finite')
    check_integers('labels', classes)
    if not bool(((classes >= 0) & (classes < values.shape[2])).all()):
        raise ValueError(f'`labels` must be integers from 0 to {values.shape[2] - 1}')
    if weights is not None and (len(weights) != len(values) or min(weights) <= 0):
        raise ValueError(
            f'`weights` must hold {len(values)} numbers > 0, one for each draw, got {weights!r}'
        )
    classes = classes.long()[:, None]
    if len(values) == 1:
        return _bisect(values[0], classes)
    shares = torch.as_tensor(weights or [1.0] * len(values), dtype=torch.float64)
    return _minimize(values, classes, (shares / shares.sum()).log().to(values.device))


def _bisect(values: Tensor, classes: Tensor) -> float:
    """Find where the derivative of the convex loss of one draw changes its sign."""

    def slope(log_inverse: float) -> float:
        """Derivative by 1 / T: mean logit under the softmax minus that of the label."""
        p = (values * math.exp(log_inverse)).softmax(dim=1)
        expected = (p * values).sum(dim=1)
        return float((expected - values.gather(1, classes)[:, 0]).mean())

    coldest, hottest = TEMPERATURE_LIMITS
    low, high = -math.log(hottest), -math.log(coldest)
    if slope(low) >= 0:
        return hottest
    if slope(high) <= 0:
        return coldest
    while high - low > _PRECISION:
        middle = (low + high) / 2
        low, high = (low, middle) if slope(middle) > 0 else (middle, high)
    return math.exp(-(low + high) / 2)


def _minimize(values: Tensor, classes: Tensor, log_shares: Tensor) -> float:
    """Find the lowest loss of the mean of several draws."""

    def loss(log_temperature: float) -> float:
        parts = [
            share + (draw / math.exp(log_temperature)).log_softmax(dim=1).gather(1, classes)[:, 0]
            for share, draw in zip(log_shares, values, strict=True)
        ]
        return float(-torch.stack(parts).logsumexp(dim=0).mean())

    low, high = (math.log(limit) for limit in TEMPERATURE_LIMITS)
    grid = [low + (high - low) * i / (_GRID - 1) for i in range(_GRID)]
    best = min(range(_GRID), key=lambda i: loss(grid[i]))
    if best in (0, _GRID - 1):
        return TEMPERATURE_LIMITS[0 if best == 0 else 1]
    return math.exp(_golden_section(loss, grid[best - 1], grid[best + 1]))


def _golden_section(function: Callable[[float], float], low: float, high: float) -> float:
    """Return where a function with one minimum between two numbers is lowest."""
    ratio = (math.sqrt(5) - 1) / 2
    inner = [high - ratio * (high - low), low + ratio * (high - low)]
    found = [function(x) for x in inner]
    while high - low > math.sqrt(_PRECISION):  # a minimum is flat: no finer place can be told
        if found[0] <= found[1]:
            high, inner[1], found[1] = inner[1], inner[0], found[0]
            inner[0] = high - ratio * (high - low)
            found[0] = function(inner[0])
        else:
            low, inner[0], found[0] = inner[0], inner[1], found[1]
            inner[1] = low + ratio * (high - low)
            found[1] = function(inner[1])
    return (low + high) / 2
