"""The tables that the uncertainty metric logs."""

from collections.abc import Mapping, Sequence
from typing import Any

from prettytable import PrettyTable

from ..common.results import DETECTION, Row, key_prefix, percent
from .settings import Counted

_SEGMENTATION = ('mIoU', 'aAcc', 'ECE', 'ECE_id', 'ECE_all', 'MCE', 'AURC', 'NLL', 'Brier')


def summary_table(
    metrics: Mapping[str, float], scores: Sequence[str], bounds: Mapping[str, Any] | None = None
) -> str:
    """Lay out OOD detection per score, then segmentation; image means and pooled side by side.

    Args:
        metrics: Numbers in percent, named as ``UncertaintyMetric`` does; absent ones show as '-'.
        scores: Names of the scores, the one without a name in its keys first.
        bounds: Bounds of pooled numbers, shown where they differ in the digits that are shown.

    Returns:
        The table, or two: one is left out if it has no numbers.
    """
    blocks = []
    if any(prefix + DETECTION[0] in metrics for prefix in ('', 'pooled/')):
        table = PrettyTable(['score', *DETECTION, *(f'pooled {name}' for name in DETECTION)])
        for score in scores:
            prefix = key_prefix(score, scores)
            keys = [f'{pooled}{prefix}{name}' for pooled in ('', 'pooled/') for name in DETECTION]
            cells = [percent(metrics.get(key), (bounds or {}).get(key)) for key in keys]
            table.add_row([score, *cells])
        blocks.append(table.get_string())
    table = PrettyTable(['', 'mean of images', 'pooled'])
    table.align[''] = 'l'
    for name in _SEGMENTATION:
        image, pooled = metrics.get(name), metrics.get(f'pooled/{name}')
        if name in ('mIoU', 'aAcc'):  # of the confusion matrix of all pixels
            image, pooled = None, image
        if image is not None or pooled is not None:
            digits = 4 if name in ('NLL', 'Brier') else 2
            limits = (bounds or {}).get(f'pooled/{name}')
            cells = [percent(image, digits=digits), percent(pooled, limits, digits)]
            table.add_row([name, *cells])
    if table.rows:
        blocks.append(table.get_string())
    return '\n'.join(blocks)


def class_table(rows: Sequence[Row]) -> str:
    """Lay out IoU and calibration error of each class, in percent; undefined ones show as '-'.

    Args:
        rows: As :func:`summarize_classes` returns them.
    """
    table = PrettyTable(['Class', 'IoU', 'ECE'])
    for row in rows:
        table.add_row([row['class'], percent(row['IoU']), percent(row['ECE'])])
    return table.get_string()


def undefined_numbers(metrics: Mapping[str, float], counted: Counted) -> list[str]:
    """Say which numbers are left out because they are undefined, and why.

    Args:
        metrics: Numbers of ``UncertaintyMetric``.
        counted: Which images and pixels counted.
    """
    found = []
    if counted.num_classes is None:
        found.append('the labels tell no classes apart: mIoU and calibration are undefined')
    elif 'aAcc' not in metrics:
        found.append('no in-distribution pixel counts: mIoU and calibration are undefined')
    names = 'AUPR, AUROC and FPR95 are undefined'
    if 'AUROC' in metrics:
        return found
    if metrics['num_images_without_id']:
        reason = 'no image holds both OOD and in-distribution pixels: '
        found.append(f'{reason}{names} as means over images')
        if 'pooled/AUROC' not in metrics:
            found.append(
                f'{names} over all pixels too: they need `pooled` and images of both kinds, which '
                '`ood_split` may have left out'
            )
    else:
        found.append(f'no OOD pixel was seen: {names}')
    return found
