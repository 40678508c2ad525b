"""Measuring one image: its row of numbers, and what it adds to the pooled counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..functional import (
    confusion_matrix,
    detection_metrics,
    ece_from_counts,
    mce_from_counts,
    mean_iou,
    negative_log_likelihood,
)
from ..functional.calibration import bin_index, check_confidence
from ..functional.proper_scores import squared_error
from .pooled import OOD, RIGHT, Calibration, Evidence
from .samples import Prediction

ECE_SCOPES = ('id', 'all')

Shape = tuple[int, int, int]

Row = dict[str, Any]
"""Numbers of one image by name, ready for JSON; None where a number is undefined."""


@dataclass(frozen=True)
class Pixels:
    """Which pixels of an image count, boolean masks of shape (H, W)."""

    is_id: np.ndarray
    is_ood: np.ndarray


def find_pixels(
    label: np.ndarray, num_classes: int, ood_id: int | None, ignore_index: int
) -> Pixels:
    """Tell in-distribution and OOD pixels apart; every label must be known.

    Raises:
        ValueError: If the ids contradict each other, or a label is none of them.
    """
    if 0 <= ignore_index < num_classes or ood_id == ignore_index:
        raise ValueError(
            f'`ignore_index` {ignore_index} must be neither a class id (0..{num_classes - 1}) nor '
            f'the OOD id ({ood_id})'
        )
    if ood_id is not None and 0 <= ood_id < num_classes:
        raise ValueError(f'`ood_id` {ood_id} must not be a class id (0..{num_classes - 1})')
    is_id = (label >= 0) & (label < num_classes)
    is_ood = np.zeros_like(is_id) if ood_id is None else label == ood_id
    unknown = ~(is_id | is_ood | (label == ignore_index))
    if unknown.any():
        raise ValueError(
            f'`gt_sem_seg` holds the unknown ids {np.unique(label[unknown])[:10].tolist()}; known '
            f'are 0..{num_classes - 1}, the OOD id {ood_id} and the ignored id {ignore_index}'
        )
    return Pixels(is_id, is_ood)


def ece_names(ece_scope: str) -> dict[str, str]:
    """Return the name of the calibration error of each scope: ``ECE`` is that of the first."""
    return {scope: 'ECE' if scope == ece_scope else f'ECE_{scope}' for scope in ECE_SCOPES}


def measure_segmentation(
    prediction: Prediction,
    pixels: Pixels,
    num_classes: int,
    not_in_miou: Sequence[int],
    bins: int,
    ece_scope: str,
) -> tuple[Row, Evidence]:
    """Measure segmentation and calibration of one image.

    Returns:
        Its numbers, in percent except ``NLL`` (nats) and ``Brier``, and what it adds; nothing if
        the prediction holds score maps only.
    """
    if prediction.classes is None:
        return {}, Evidence()
    confusion = confusion_matrix(prediction.classes, prediction.label, num_classes)
    total = confusion.sum()
    row: Row = dict.fromkeys(('mIoU', 'aAcc', *ece_names(ece_scope).values()))
    row |= dict.fromkeys(('MCE', 'NLL', 'Brier'))
    if total:
        seen = confusion.sum(axis=0) + confusion.sum(axis=1)
        if np.delete(seen, list(not_in_miou)).any():
            row['mIoU'] = 100 * mean_iou(confusion, not_in_miou)
        row['aAcc'] = 100 * float(np.trace(confusion) / total)
    if prediction.confidence is None:
        return row, Evidence(confusion=confusion)
    labelled = pixels.is_id | pixels.is_ood
    right = prediction.classes == prediction.label
    calibration = _calibrate(
        prediction.classes[labelled],
        prediction.confidence[labelled],
        right[labelled],
        pixels.is_ood[labelled],
        (num_classes, bins, 3),
    )
    for scope, name in ece_names(ece_scope).items():
        table = calibration.table(scope)
        if table[:, 0].any():
            row[name] = 100 * ece_from_counts(table)
            if scope == ece_scope:
                row['MCE'] = 100 * mce_from_counts(table)
    if prediction.logits is not None and prediction.p is not None and total:
        row |= _proper_scores(prediction.logits, prediction.p, prediction.label, pixels.is_id)
    uncertainty = 1 - prediction.confidence[pixels.is_id]
    return row, Evidence(confusion, calibration, (uncertainty, ~right[pixels.is_id]))


def measure_detection(
    prediction: Prediction, pixels: Pixels, scores: Sequence[str], fpr_rule: str
) -> tuple[Row, dict[str, np.ndarray], np.ndarray]:
    """Measure OOD detection of one image.

    Returns:
        Its numbers in percent, the scores of its labelled pixels by name, and which are OOD.
    """
    labelled = pixels.is_id | pixels.is_ood
    positives = pixels.is_ood[labelled]
    values = {name: prediction.maps[name][labelled] for name in scores}
    row: Row = {}
    for name in scores:
        keys = [key_prefix(name, scores) + key for key in ('AUROC', 'AUPR', 'FPR95')]
        if positives.any() and not positives.all():
            found = detection_metrics(values[name], positives, rule=fpr_rule)
            row |= {key: 100 * value for key, value in zip(keys, found, strict=True)}
        else:
            row |= dict.fromkeys(keys)
    return row, values, positives


def key_prefix(score: str, scores: Sequence[str]) -> str:
    """What stands before a score's ``AUPR``, ``AUROC`` and ``FPR95``: nothing for the first one."""
    return '' if score == scores[0] else f'{score}/'


def _calibrate(
    classes: np.ndarray, confidence: np.ndarray, right: np.ndarray, is_ood: np.ndarray, shape: Shape
) -> Calibration:
    """Count labelled pixels, each array of shape (pixels,); ``shape`` is (K, bins, 3)."""
    num_classes, bins, _ = shape
    if classes.size and not (classes.min() >= 0 and classes.max() < num_classes):
        raise ValueError(
            f'`pred_sem_seg` must be in 0..{num_classes - 1}, got {classes.min()} to '
            f'{classes.max()}'
        )
    values = check_confidence(confidence).astype(np.float64)
    # An OOD pixel is never right: its label is no class.
    outcome = np.where(is_ood, OOD, right * RIGHT)
    index = (classes.astype(np.int64) * bins + bin_index(values, bins)) * 3 + outcome
    size = num_classes * bins * 3
    return Calibration(
        np.bincount(index, minlength=size).reshape(shape),
        np.bincount(index, weights=values, minlength=size).reshape(shape),
    )


def _proper_scores(
    logits: torch.Tensor, p: torch.Tensor, label: np.ndarray, is_id: np.ndarray
) -> Row:
    # of all pixels: to cut the others out of (K, H, W) would take longer
    known = torch.from_numpy(np.where(is_id, label, 0).astype(np.int64)).to(logits.device)
    mask = torch.from_numpy(is_id).to(logits.device)
    return {
        'NLL': float(negative_log_likelihood(logits, known)[mask].double().mean()),
        'Brier': float(squared_error(p, known)[mask].double().mean()),
    }
