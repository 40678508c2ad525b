"""What a noise scale costs: segmentation and calibration on labelled data without OOD pixels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from ..datasets.batch_sizes import check_equal_sizes
from ..evaluation.functional import (
    calibration_counts,
    confusion_matrix,
    ece_from_counts,
    mean_iou,
    negative_log_likelihood,
)
from ..models.layers import bayesian_layers, hold_alpha
from ..models.segmentors import MonteCarloSegmentor

_BINS = 15


@dataclass(frozen=True)
class AlphaRow:
    """What was measured with one noise scale, over the in-distribution pixels.

    Attributes:
        alpha: The noise scale; None for the network before the fine-tuning, without noise.
        miou: Mean IoU of the classes that occur, in [0, 1].
        ece: Expected calibration error with 15 bins, in [0, 1].
        nll: Mean negative log-likelihood, in nats.
    """

    alpha: float | None
    miou: float
    ece: float
    nll: float


class _Sums:
    def __init__(self, num_classes: int) -> None:
        self.confusion = np.zeros((num_classes, num_classes), dtype=np.int64)
        self.calibration: np.ndarray | float = 0.0
        self.nll, self.pixels = 0.0, 0

    def add(self, sample: Any) -> None:
        logits = sample.seg_logits.data  # log(mean p)
        label = sample.gt_sem_seg.data[0].to(logits.device)
        counted = label < len(logits)
        top, prediction = logits.max(dim=0)
        self.confusion += confusion_matrix(prediction, label, len(logits))
        right = (prediction == label)[counted]
        self.calibration += calibration_counts(top.exp()[counted], right, _BINS)
        nll = negative_log_likelihood(logits[:, counted], label[counted], dim=0)
        self.nll += float(nll.double().sum())
        self.pixels += int(counted.sum())

    def row(self, alpha: float | None) -> AlphaRow:
        ece = ece_from_counts(self.calibration)
        return AlphaRow(alpha, mean_iou(self.confusion), ece, self.nll / self.pixels)


def measure_alphas(
    model: nn.Module, batches: Iterable[dict], alphas: Sequence[float]
) -> list[AlphaRow]:
    """Measure a network with several noise scales, in one pass over the data.

    All scales see the same standard normal numbers, so the rows differ by alpha alone.

    Args:
        model: A converted ``MCEncoderDecoder``, with its members if it has some.
        batches: What its dataloader gives; images with labels.
        alphas: Noise scales > 0, the same for all layers.

    Returns:
        A row for the network before the fine-tuning, without noise; then one for each scale.

    Raises:
        ValueError: If no scale is given, or one is not > 0.
        TypeError: If the model does not sample.
        RuntimeError: If the model holds no Bayesian layer.
    """
    if not alphas or not all(alpha > 0 for alpha in alphas):
        raise ValueError(f'`alphas` must hold numbers > 0, got {list(alphas)}')
    if not isinstance(model, MonteCarloSegmentor):
        raise TypeError(f'`model` must be an MCEncoderDecoder, got {type(model).__name__}')
    network = cast(Any, model)
    if not bayesian_layers(network):
        raise RuntimeError('`model` holds no Bayesian layer: convert it first')
    choices: list[float | None] = [None, *alphas]
    sums = {alpha: _Sums(network.num_classes) for alpha in choices}
    for batch in batches:
        check_equal_sizes(batch)
        for alpha in choices:
            with torch.no_grad(), _predicting_with(network, alpha):
                samples = network.val_step(batch)
            for sample in samples:
                sums[alpha].add(sample)
    return [sums[alpha].row(alpha) for alpha in choices]


def suggest_alpha(rows: Sequence[AlphaRow], max_loss: float) -> float | None:
    """Return the largest scale up to which no scale loses more mIoU than is accepted.

    Args:
        rows: As :func:`measure_alphas` returns them.
        max_loss: Accepted loss of mIoU against the first row, in [0, 1].

    Returns:
        One of the scales, or None if the smallest one loses more.

    Raises:
        ValueError: If ``max_loss`` is negative.
    """
    if max_loss < 0:
        raise ValueError(f'`max_loss` must be >= 0, got {max_loss}')
    found = None
    for row in sorted(rows[1:], key=lambda row: row.alpha or 0.0):
        if rows[0].miou - row.miou > max_loss:
            break
        found = row.alpha
    return found


@contextmanager
def _predicting_with(network: Any, alpha: float | None) -> Iterator[None]:
    """Give all layers one noise scale; None: no noise, no members."""
    members, prediction = network.members, network.prediction
    if alpha is None:
        network.members, network.prediction = nn.ModuleList(), replace(prediction, draws='none')
    try:
        with hold_alpha(network, alpha or 0.0):
            yield
    finally:
        network.members, network.prediction = members, prediction
