"""Proper scoring rules of predicted class probabilities: log-likelihood and Brier score."""

import torch
from torch import Tensor

from ._arrays import Array, as_tensor


def negative_log_likelihood(logits: Array, labels: Array, dim: int = 0) -> Tensor:
    """Negative log-likelihood -ln p(label) of each value, in nats.

    Args:
        logits: Class scores, the classes along ``dim``; ``softmax(logits)`` is the prediction.
        labels: Integers 0..K-1, of the shape of ``logits`` without ``dim``.
        dim: The axis of the classes.

    Returns:
        The shape of ``labels``, at least float32; the mean is what is usually reported.

    Raises:
        ValueError: If the shapes do not fit or a label is not in 0..K-1.
    """
    scores, label = _check(logits, labels, dim)
    return scores.logsumexp(dim) - scores.gather(dim, label.unsqueeze(dim)).squeeze(dim)


def brier_score(logits: Array, labels: Array, dim: int = 0) -> Tensor:
    """Brier score sum_k (p_k - [k = label])^2 of each value, in [0, 2] (Brier, 1950).

    Args:
        logits: Class scores, the classes along ``dim``; ``softmax(logits)`` is the prediction.
        labels: Integers 0..K-1, of the shape of ``logits`` without ``dim``.
        dim: The axis of the classes.

    Returns:
        The shape of ``labels``, at least float32; the mean is what is usually reported.

    Raises:
        ValueError: If the shapes do not fit or a label is not in 0..K-1.
    """
    scores, label = _check(logits, labels, dim)
    return squared_error(scores.softmax(dim), label, dim)


def squared_error(p: Tensor, labels: Tensor, dim: int = 0) -> Tensor:
    """Brier score of given probabilities, see :func:`brier_score`; nothing is checked."""
    right = p.gather(dim, labels.unsqueeze(dim)).squeeze(dim)
    # rounding must not make it negative
    return ((p * p).sum(dim) - 2 * right + 1).clamp(min=0)


def _check(logits: Array, labels: Array, dim: int) -> tuple[Tensor, Tensor]:
    scores, label = as_tensor(logits), as_tensor(labels)
    if not scores.is_floating_point() or scores.dtype in (torch.float16, torch.bfloat16):
        scores = scores.float()
    expected = list(scores.shape)
    num_classes = expected.pop(dim)
    if list(label.shape) != expected:
        raise ValueError(
            f'`labels` must have shape {tuple(expected)}, that of `logits` without dimension '
            f'{dim}, got {tuple(label.shape)}'
        )
    label = label.to(scores.device).long()
    if label.numel() and not (label.min() >= 0 and label.max() < num_classes):
        raise ValueError(
            f'`labels` must be in 0..{num_classes - 1}, got {int(label.min())} to '
            f'{int(label.max())}'
        )
    return scores, label
