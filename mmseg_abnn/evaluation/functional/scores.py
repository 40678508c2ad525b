"""Uncertainty scores of a predictive distribution that is given by its logits.

``softmax(logits)`` is the predictive distribution: of a deterministic model directly, of a
Monte-Carlo model because its logits are the logarithm of the mean probabilities. All scores are
high where the prediction is uncertain.
"""

import torch
from torch import Tensor


def top_probability(logits: Tensor, dim: int = 0) -> Tensor:
    """Probability of the most probable class, the confidence of the prediction.

    Args:
        logits: Class scores; the classes lie along ``dim``.
        dim: The axis of the classes.

    Returns:
        The shape of ``logits`` without ``dim``, in [1/K, 1]; at least float32.
    """
    return _probabilities(logits, dim).amax(dim)


def msp(logits: Tensor, dim: int = 0) -> Tensor:
    """Maximum softmax probability as an uncertainty, 1 - max p (Hendrycks & Gimpel, ICLR 2017).

    Args:
        logits: Class scores; the classes lie along ``dim``.
        dim: The axis of the classes.

    Returns:
        The shape of ``logits`` without ``dim``, in [0, 1 - 1/K]; at least float32.
    """
    return 1 - top_probability(logits, dim)


def predictive_entropy(logits: Tensor, dim: int = 0) -> Tensor:
    """Entropy of the predictive distribution, -sum p ln p, in nats.

    Args:
        logits: Class scores; the classes lie along ``dim``. ``-inf`` is a class of probability 0.
        dim: The axis of the classes.

    Returns:
        The shape of ``logits`` without ``dim``, in [0, ln K]; at least float32.
    """
    # entr(0) is 0, where p * log(p) would be NaN.
    return torch.special.entr(_probabilities(logits, dim)).sum(dim)


def _probabilities(logits: Tensor, dim: int) -> Tensor:
    if logits.dtype in (torch.float16, torch.bfloat16):
        logits = logits.float()
    return torch.softmax(logits, dim)
