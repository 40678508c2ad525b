"""From the rows of the images and the pooled counts to the numbers of a data set."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ....datasets.ood_ids import ood_ids_line
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
        ValueError: If a split was never seen, ``ood_split`` holds no OOD pixel, or there is nothing
            that could be measured.
    """
    counted.check_seen(row['split'] for row in rows)
    metrics: dict[str, float] = {}
    bounds: dict[str, Any] = {}
    if counts.confusion.any():
        metrics, bounds = summarize_segmentation(rows, counts, settings, counted.not_in_miou)
    candidates = [row for row in rows if counted.for_detection(row['split'])]
    if any(row['num_ood'] for row in candidates):
        detection, detection_bounds = summarize_detection(candidates, counts, settings)
        metrics |= detection
        bounds |= detection_bounds
    elif counted.ood_split is not None:
        raise ValueError(
            f'no OOD pixel was seen in split {counted.ood_split!r} (`ood_split`); '
            f'the OOD ids are {list(counted.ood_ids)}. Of the ids that mark OOD pixels, such as '
            f'200, write {ood_ids_line([200])}'
        )
    elif counted.num_classes is None:
        raise ValueError(
            'nothing can be measured: the labels tell no classes apart, and no OOD pixel was seen; '
            f'the OOD ids are {list(counted.ood_ids)}. Of the ids that mark OOD pixels, such as 1, '
            f'write {ood_ids_line([1])}'
        )
    if not metrics and any('mIoU' in row for row in rows):
        raise ValueError('nothing can be measured: no labelled in-distribution pixel was seen')
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
    """Compute mIoU, accuracy, calibration errors, NLL, Brier score and AURC of counted pixels.

    Means over images leave out the images in which a number is undefined. Pooled NLL and Brier
    score weigh the images by their in-distribution pixels.

    Returns:
        The numbers that are defined, and the bounds of the AURC as a pair by the same name.
    """
    result = {'aAcc': 100 * float(np.trace(counts.confusion) / counts.confusion.sum())}
    seen = counts.confusion.sum(axis=0) + counts.confusion.sum(axis=1)
    if np.delete(seen, not_in_miou).any():
        result = {'mIoU': 100 * mean_iou(counts.confusion, not_in_miou), **result}
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
        The numbers that are defined (image means need an image with pixels of both kinds), and the
        bounds of the pooled ones as pairs by the same names.
    """
    result: dict[str, float] = {}
    bounds: dict[str, Any] = {}
    for score in settings.scores:
        prefix = key_prefix(score, settings.scores)
        for name in DETECTION:
            values = [row[prefix + name] for row in rows if row.get(prefix + name) is not None]
            if values:
                result[prefix + name] = float(np.mean(values))
        if not settings.pooled:
            continue
        found = counts.histograms[score].compute(rule=settings.fpr_rule)
        if found['num_negatives']:
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
