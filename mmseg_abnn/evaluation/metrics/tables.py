"""The tables that the uncertainty metric logs."""

from collections.abc import Mapping, Sequence

import numpy as np
from prettytable import PrettyTable

from .records import key_prefix

DETECTION = ('AUPR', 'AUROC', 'FPR95')


def summary_table(metrics: Mapping[str, float], scores: Sequence[str]) -> str:
    """Lay out OOD detection per score, image mean and pooled side by side, then mIoU and ECE.

    Args:
        metrics: Numbers in percent, named as ``UncertaintyMetric`` does; absent ones show as '-'.
        scores: Names of the scores, the one without a name in its keys first.

    Returns:
        The table, or two: the first is left out if there are no numbers of OOD detection.
    """
    blocks = []
    if DETECTION[0] in metrics:
        table = PrettyTable(['score', *DETECTION, *(f'pooled {name}' for name in DETECTION)])
        for score in scores:
            prefix = key_prefix(score, scores)
            keys = [f'{pooled}{prefix}{name}' for pooled in ('', 'pooled/') for name in DETECTION]
            table.add_row([score, *(percent(metrics.get(key)) for key in keys)])
        blocks.append(table.get_string())
    table = PrettyTable(['mIoU', 'ECE', 'pooled ECE'])
    table.add_row([percent(metrics.get(key)) for key in ('mIoU', 'ECE', 'pooled/ECE')])
    return '\n'.join([*blocks, table.get_string()])


def class_table(classes: Sequence[str], iou: np.ndarray) -> str:
    """Lay out the IoU of each class, in percent; classes that do not occur show as '-'.

    Args:
        classes: K names.
        iou: Shape (K,), in [0, 1] or NaN.
    """
    table = PrettyTable()
    table.add_column('Class', list(classes))
    table.add_column('IoU', [percent(None if np.isnan(v) else 100 * v) for v in iou])
    return table.get_string()


def percent(value: float | None) -> str:
    """Format a number with two decimals, an absent one as '-'."""
    return '-' if value is None else f'{value:.2f}'
