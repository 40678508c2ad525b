"""Uncertainty scores of a prediction, high where it is uncertain.

``softmax(logits)`` is the predictive distribution: of a deterministic model directly, of a
Monte-Carlo model because its logits are the logarithm of the mean probabilities. The scores that
need the single draws (expected entropy, mutual information, variation ratio, mean max-logit and
energy) are summed up by the model.

The names of all scores stand at the end of this file.
"""

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from ..arrays import at_least_float


def probabilities(logits: Tensor, dim: int = 0) -> Tensor:
    """Return the predictive distribution, softmax of logits.

    Args:
        logits: Class scores; the classes lie along ``dim``. ``-inf`` is a class of probability 0.
        dim: The axis of the classes.

    Returns:
        The shape of ``logits``; at least float32.
    """
    return torch.softmax(at_least_float(logits), dim)


def entropy(p: Tensor, dim: int = 0) -> Tensor:
    """Entropy -sum p ln p of distributions, in nats.

    Args:
        p: Probabilities; the classes lie along ``dim``.
        dim: The axis of the classes.

    Returns:
        The shape of ``p`` without ``dim``, in [0, ln K].
    """
    # entr(0) is 0, where p * log(p) would be NaN.
    return torch.special.entr(p).sum(dim)


def max_logit(logits: Tensor, dim: int = 0) -> Tensor:
    """Largest logit with its sign changed (Hendrycks et al., ICML 2022).

    Args:
        logits: Class scores of one network; the classes lie along ``dim``.
        dim: The axis of the classes.

    Returns:
        The shape of ``logits`` without ``dim``; at least float32.
    """
    return -at_least_float(logits).amax(dim)


def energy(logits: Tensor, dim: int = 0) -> Tensor:
    """Free energy -ln sum exp(logits) at temperature 1 (Liu et al., NeurIPS 2020, equation 4).

    Args:
        logits: Class scores of one network; the classes lie along ``dim``.
        dim: The axis of the classes.

    Returns:
        The shape of ``logits`` without ``dim``; at least float32.
    """
    return -at_least_float(logits).logsumexp(dim)


def variation_ratio(votes: Tensor, dim: int = 0) -> Tensor:
    """Share of draws that do not predict the class that most draws predict (Freeman, 1965).

    Args:
        votes: Number, or weight, of the draws that predict each class; the classes lie along
            ``dim``.
        dim: The axis of the classes.

    Returns:
        The shape of ``votes`` without ``dim``, in [0, 1 - 1/K]; at least float32.
    """
    counts = at_least_float(votes)
    return 1 - counts.amax(dim) / counts.sum(dim)


def score_range(name: str, num_classes: int) -> tuple[float, float] | None:
    """Return the smallest and the largest value that a score can take.

    Args:
        name: Name of the score.
        num_classes: Number of classes K.

    Returns:
        Entropies and the mutual information lie in [0, ln K], ``'msp'`` and ``'variation_ratio'``
        in [0, 1 - 1/K]; None for all others.
    """
    if name in ('entropy', 'expected_entropy', 'mutual_information'):
        return 0.0, math.log(num_classes)
    if name in ('msp', 'variation_ratio'):
        return 0.0, 1 - 1 / num_classes
    return None


OF_PROBABILITIES: Mapping[str, Callable[[Tensor], Tensor]] = {
    'msp': lambda p: 1 - p.amax(0),
    'entropy': entropy,
}
"""Scores that follow from the predictive distribution, the classes on axis 0, by name: ``'msp'`` is
1 - the maximum softmax probability (Hendrycks & Gimpel, ICLR 2017)."""

OF_LOGITS: Mapping[str, Callable[[Tensor], Tensor]] = {'max_logit': max_logit, 'energy': energy}
"""Scores that follow from the logits of one network; of several draws they are means."""

OF_DRAWS = ('expected_entropy', 'mutual_information', 'variation_ratio')
"""Names of the scores that need the single draws."""
