"""What a noise scale costs: segmentation and calibration on labelled data without OOD pixels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
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

ALPHAS = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)
_BINS = 15
# how a grid goes on beyond its ends, and how often
_UP, _DOWN, _STEPS = 1.5, 0.5, 3


@dataclass(frozen=True)
class AlphaRow:
    """What was measured with one noise scale, over the in-distribution pixels.

    Attributes:
        alpha: The noise scale; None for the network before the fine-tuning, without noise.
        miou: Mean IoU of the label map over the classes that occur, in [0, 1].
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
        top = logits.max(dim=0).values
        prediction = sample.pred_sem_seg.data[0]  # as `labels_from` says
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
        One of the scales, or None if the smallest one loses more. Where no scale changes the mIoU
        at all, as with the labels of the network itself, that of the lowest NLL.

    Raises:
        ValueError: If ``max_loss`` is negative.
    """
    if max_loss < 0:
        raise ValueError(f'`max_loss` must be >= 0, got {max_loss}')
    if _labels_stay(rows):
        return min(rows[1:], key=lambda row: row.nll).alpha
    found = None
    for row in sorted(rows[1:], key=_alpha_of):
        if rows[0].miou - row.miou > max_loss:
            break
        found = row.alpha
    return found


def search_alphas(
    model: nn.Module,
    batches: Callable[[], Iterable[dict]],
    max_loss: float,
    alphas: Sequence[float] | None = None,
) -> list[AlphaRow]:
    """Measure noise scales until one of them loses more mIoU than is accepted.

    Args:
        model: See :func:`measure_alphas`.
        batches: Gives the images anew in each pass over them.
        max_loss: Accepted loss of mIoU, in [0, 1].
        alphas: The scales to measure, and no others; None: :data:`ALPHAS`, and where all or none
            of them are accepted up to three more beyond that end, each half as large again, or half
            as large.

    Returns:
        What :func:`measure_alphas` returns, by rising alpha.
    """
    rows = measure_alphas(model, batches(), sorted(alphas or ALPHAS))
    if alphas is not None or _labels_stay(rows):
        return rows
    for _ in range(_STEPS):
        found, smallest, largest = suggest_alpha(rows, max_loss), rows[1].alpha, rows[-1].alpha
        if found not in (None, largest):
            break
        factor, end = (_DOWN, smallest) if found is None else (_UP, largest)
        more = measure_alphas(model, batches(), [factor * cast(float, end)])[1:]
        rows = [rows[0], *sorted([*rows[1:], *more], key=_alpha_of)]
    return rows


def remarks(rows: Sequence[AlphaRow], found: float | None, max_loss: float) -> list[str]:
    """Say in words what a suggestion does not tell.

    Args:
        rows: As :func:`search_alphas` returns them.
        found: What :func:`suggest_alpha` suggests of them.
        max_loss: What it was told, in [0, 1].

    Returns:
        Sentences: that the suggestion is the largest alpha of all, that the NLL is higher there
        than without noise, and how to be free of the loss of mIoU where that is the limit.
    """
    base, *others = sorted(rows, key=_alpha_of)
    said = []
    if _labels_stay(rows):
        said.append(
            'no alpha changes the mIoU, as with the labels of the network itself: suggested is the '
            'one with the lowest NLL'
        )
    if found is not None and found == others[-1].alpha:
        said.append(
            f'{found:g} is the largest alpha that was tried: a larger one may do too, try it by '
            '--alphas'
        )
    suggested = next((row for row in others if row.alpha == found), None)
    if suggested is not None and suggested.nll > base.nll:
        best = min(others, key=lambda row: row.nll)
        lowest = f', lowest with {best.alpha:g} ({best.nll:.4f})' if best.nll < base.nll else ''
        said.append(
            f'the NLL rises with {found:g}, from {base.nll:.4f} to {suggested.nll:.4f}{lowest}: '
            'the probabilities fit worse than those of the network without noise. A temperature '
            '(tools/misc/fit_temperature.py) may mend that, a smaller alpha does'
        )
    if any(base.miou - row.miou > max_loss for row in others):
        said.append(
            "the loss of mIoU limits alpha: with abnn.labels_from='base' the label map is that of "
            'the network without noise, for one more pass an image, and no alpha costs mIoU'
        )
    return said


def _labels_stay(rows: Sequence[AlphaRow]) -> bool:
    return len(rows) > 1 and all(row.miou == rows[0].miou for row in rows)


def _alpha_of(row: AlphaRow) -> float:
    return row.alpha or 0.0


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
