"""Proper scoring rules of predicted class probabilities: log-likelihood and Brier score."""

from torch import Tensor

from ..arrays import Array, as_tensor, at_least_float, check_integers


def negative_log_likelihood(logits: Array, labels: Array, dim: int = 0) -> Tensor:
    """Negative log-likelihood -ln p(label) of each value, in nats.

    Args:
        logits: Class scores, the classes along ``dim``; ``softmax(logits)`` is the prediction.
        labels: Integers 0..K-1, of the shape of ``logits`` without ``dim``.
        dim: The axis of the classes.

    Returns:
        The shape of ``labels``, at least float32; the mean is what is usually reported.

    Raises:
        ValueError: If the shapes do not fit, the labels are no integers or one is not in 0..K-1.
    """
    scores, label = at_least_float(as_tensor(logits)), as_tensor(labels)
    check_integers('labels', label)
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
    return scores.logsumexp(dim) - scores.gather(dim, label.unsqueeze(dim)).squeeze(dim)


def squared_error(p: Tensor, labels: Tensor, dim: int = 0) -> Tensor:
    """Brier score sum_k (p_k - [k = label])^2 of each value, in [0, 2] (Brier, 1950).

    Args:
        p: Probabilities, the classes along ``dim``; not checked.
        labels: Int64 0..K-1, of the shape of ``p`` without ``dim``; their range is not checked.
        dim: The axis of the classes.

    Returns:
        The shape of ``labels``; the mean is what is usually reported.

    Raises:
        ValueError: If the labels are no integers.
    """
    check_integers('labels', labels)
    right = p.gather(dim, labels.unsqueeze(dim)).squeeze(dim)
    # rounding must not make it negative
    return ((p * p).sum(dim) - 2 * right + 1).clamp(min=0)
