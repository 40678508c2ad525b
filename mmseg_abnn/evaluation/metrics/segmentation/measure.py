"""Measuring one image: its row of numbers, and what it adds to the pooled counts."""

from dataclasses import replace

import numpy as np
import torch

from ...functional import (
    confusion_matrix,
    detection_metrics,
    ece_from_counts,
    mce_from_counts,
    mean_iou,
    negative_log_likelihood,
    squared_error,
)
from ...functional.calibration import bin_index, check_confidence
from ..common.results import Row, key_prefix
from .counts import OOD, RIGHT, Calibration, Evidence
from .samples import Prediction
from .settings import Counted, Pixels, Settings

Shape = tuple[int, int, int]


def measure_image(
    prediction: Prediction, split: str | None, settings: Settings, counted: Counted
) -> tuple[Row, Evidence]:
    """Measure one image as far as it counts.

    Returns:
        Its numbers, and what it adds to the pooled counts.

    Raises:
        ValueError: If a label is unknown, or what was predicted is not allowed.
    """
    pixels = counted.pixels(prediction.label)
    num_id, num_ood = int(pixels.is_id.sum()), int(pixels.is_ood.sum())
    ignored = prediction.label.size - num_id - num_ood
    row: Row = {'num_id': num_id, 'num_ood': num_ood, 'num_ignored': ignored}
    evidence = Evidence()
    if counted.for_segmentation(split):
        numbers, evidence = measure_segmentation(prediction, pixels, settings, counted)
        row |= numbers
    if counted.for_detection(split):
        numbers, scores, positives = measure_detection(prediction, pixels, settings)
        row |= numbers
        if settings.pooled:
            evidence = replace(evidence, scores=scores, positives=positives)
    return row, evidence


def measure_segmentation(
    prediction: Prediction, pixels: Pixels, settings: Settings, counted: Counted
) -> tuple[Row, Evidence]:
    """Measure segmentation and calibration of one image.

    Returns:
        Its numbers, in percent except ``NLL`` (nats) and ``Brier``, and what it adds; nothing if
        the prediction holds score maps only.
    """
    if prediction.classes is None:
        return {}, Evidence()
    num_classes, not_in_miou = len(counted.classes), counted.not_in_miou
    confusion = confusion_matrix(prediction.classes, prediction.label, num_classes)
    total = confusion.sum()
    ece_names = settings.ece_names()
    row: Row = dict.fromkeys(('mIoU', 'aAcc', *ece_names.values()))
    row |= dict.fromkeys(('MCE', 'NLL', 'Brier'))
    if total:
        seen = confusion.sum(axis=0) + confusion.sum(axis=1)
        if np.delete(seen, not_in_miou).any():
            row['mIoU'] = 100 * mean_iou(confusion, not_in_miou)
        row['aAcc'] = 100 * float(np.trace(confusion) / total)
    if prediction.confidence is None:
        return row, Evidence(confusion=confusion)
    labelled = pixels.labelled
    right = prediction.classes == prediction.label
    calibration = _calibrate(
        prediction.classes[labelled],
        prediction.confidence[labelled],
        right[labelled],
        pixels.is_ood[labelled],
        (num_classes, settings.ece_bins, 3),
    )
    for scope, name in ece_names.items():
        table = calibration.table(scope)
        if table[:, 0].any():
            row[name] = 100 * ece_from_counts(table)
            if scope == settings.ece_scope:
                row['MCE'] = 100 * mce_from_counts(table)
    if prediction.logits is not None and prediction.p is not None and total:
        row |= _proper_scores(prediction.logits, prediction.p, prediction.label, pixels.is_id)
    uncertainty = 1 - prediction.confidence[pixels.is_id]
    return row, Evidence(confusion, calibration, (uncertainty, ~right[pixels.is_id]))


def measure_detection(
    prediction: Prediction, pixels: Pixels, settings: Settings
) -> tuple[Row, dict[str, np.ndarray], np.ndarray]:
    """Measure OOD detection of one image.

    Returns:
        Its numbers in percent, the scores of its labelled pixels by name, and which are OOD.
    """
    labelled, scores = pixels.labelled, settings.scores
    positives = pixels.is_ood[labelled]
    values = {name: prediction.maps[name][labelled] for name in scores}
    row: Row = {}
    for name in scores:
        keys = [key_prefix(name, scores) + key for key in ('AUROC', 'AUPR', 'FPR95')]
        if positives.any() and not positives.all():
            found = detection_metrics(values[name], positives, rule=settings.fpr_rule)
            row |= {key: 100 * value for key, value in zip(keys, found, strict=True)}
        else:
            row |= dict.fromkeys(keys)
    return row, values, positives


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
