"""From the rows of the images and the pooled counts to the numbers of a data set."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...functional import (
    aurc_bounds,
    ece_from_counts,
    mce_from_counts,
    mean_iou,
    per_class_iou,
)
from ..common.results import DETECTION, Row, key_prefix
from .counts import PooledCounts
from .settings import Counted, Settings


def summarize(
    rows: Sequence[Row], counts: PooledCounts, settings: Settings, counted: Counted
) -> tuple[dict[str, float], dict[str, Any]]:
    """Compute what ``UncertaintyMetric`` reports, without what is undefined.

    Args:
        rows: One per image, as the dataset orders them.
        counts: Of all pixels.
        settings: What the numbers mean.
        counted: Which images and pixels counted.

    Returns:
        The numbers, and the bounds of some of them as pairs by the same names.

    Raises:
        ValueError: If a split was never seen, no labelled pixel was seen, ``ood_split`` holds no
            OOD pixel, or no image holds both OOD and in-distribution pixels.
    """
    counted.check_seen(row['split'] for row in rows)
    metrics: dict[str, float] = {}
    bounds: dict[str, Any] = {}
    if any('mIoU' in row for row in rows):
        metrics, bounds = summarize_segmentation(rows, counts, settings, counted.not_in_miou)
    candidates = [row for row in rows if counted.for_detection(row['split'])]
    if any(row['num_ood'] for row in candidates):
        detection, detection_bounds = summarize_detection(candidates, counts, settings)
        metrics |= detection
        bounds |= detection_bounds
    elif counted.ood_split is not None:
        raise ValueError(
            f'no OOD pixel was seen in split {counted.ood_split!r} (`ood_split`); '
            f"the dataset's `ood_id` is {counted.ood_id}"
        )
    without_id = sum(not row['num_id'] and row['num_ood'] > 0 for row in candidates)
    metrics |= {
        'num_images': float(len(rows)),
        'num_images_without_ood': float(sum(not row['num_ood'] for row in candidates)),
        'num_images_without_id': float(without_id),
    }
    return metrics, bounds


def summarize_segmentation(
    rows: Sequence[Row], counts: PooledCounts, settings: Settings, not_in_miou: Sequence[int]
) -> tuple[dict[str, float], dict[str, Any]]:
    """Compute mIoU, accuracy, calibration errors, NLL, Brier score and AURC.

    Means over images leave out the images in which a number is undefined. Pooled NLL and Brier
    score weigh the images by their in-distribution pixels.

    Returns:
        The numbers, and the bounds of the AURC as a pair by the same name.

    Raises:
        ValueError: If no image holds an in-distribution pixel that counts.
    """
    if not counts.confusion.any():
        raise ValueError('mIoU and ECE are undefined: no labelled in-distribution pixel was seen')
    result = {
        'mIoU': 100 * mean_iou(counts.confusion, not_in_miou),
        'aAcc': 100 * float(np.trace(counts.confusion) / counts.confusion.sum()),
    }
    names = settings.ece_names()
    for name in (*names.values(), 'MCE', 'NLL', 'Brier'):
        values = [row[name] for row in rows if row.get(name) is not None]
        if values:
            result[name] = float(np.mean(values))
    for scope, name in names.items():
        table = counts.calibration.table(scope)
        if table[:, 0].any():
            result[f'pooled/{name}'] = 100 * ece_from_counts(table)
            if scope == settings.ece_scope:
                result['pooled/MCE'] = 100 * mce_from_counts(table)
    for name in ('NLL', 'Brier'):
        pairs = [(row[name], row['num_id']) for row in rows if row.get(name) is not None]
        if pairs:
            total = math.fsum(value * number for value, number in pairs)
            result[f'pooled/{name}'] = total / sum(number for _, number in pairs)
    low, high = aurc_bounds(counts.selective)
    if math.isnan(low):
        return result, {}
    result['pooled/AURC'] = 100 * (low + high) / 2
    return result, {'pooled/AURC': (100 * low, 100 * high)}


def summarize_detection(
    rows: Sequence[Row], counts: PooledCounts, settings: Settings
) -> tuple[dict[str, float], dict[str, Any]]:
    """Compute AUPR, AUROC and FPR95 of each score as image means and over all pixels, in percent.

    Returns:
        The numbers, and the bounds of the pooled ones as pairs by the same names.

    Raises:
        ValueError: If no image holds both OOD and in-distribution pixels.
    """
    result: dict[str, float] = {}
    bounds: dict[str, Any] = {}
    for score in settings.scores:
        prefix = key_prefix(score, settings.scores)
        for name in DETECTION:
            values = [row[prefix + name] for row in rows if row.get(prefix + name) is not None]
            if not values:
                raise ValueError(
                    'the image means of OOD detection are undefined: OOD pixels were seen, but no '
                    'image holds both OOD and in-distribution pixels'
                )
            result[prefix + name] = float(np.mean(values))
        if settings.pooled:
            found = counts.histograms[score].compute(rule=settings.fpr_rule)
            for name in DETECTION:
                key = f'pooled/{prefix}{name}'
                result[key] = 100 * found[name]
                bounds[key] = tuple(100 * value for value in found[f'{name}_bounds'])
            result[f'pooled/{prefix}gap'] = 100 * found['gap']
    return result, bounds


def summarize_classes(
    classes: Sequence[str], counts: PooledCounts, settings: Settings
) -> list[Row]:
    """Return one row per class: IoU and calibration of the pixels predicted as it, in percent.

    The calibration error of a class is that of the confidence of the pixels predicted as this class
    (top-label calibration: Gupta & Ramdas, ICLR 2022).
    """
    iou = per_class_iou(counts.confusion)
    tables = counts.calibration.class_tables(settings.ece_scope)
    return [
        {
            'class': name,
            'IoU': None if np.isnan(iou[k]) else 100 * float(iou[k]),
            'ECE': 100 * ece_from_counts(tables[k]) if tables[k][:, 0].any() else None,
            'labelled_pixels': int(counts.confusion[k].sum()),
            'predicted_pixels': int(counts.confusion[:, k].sum()),
        }
        for k, name in enumerate(classes)
    ]
