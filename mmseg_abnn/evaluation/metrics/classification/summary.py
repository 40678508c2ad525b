"""From the rows of the images to the numbers of a classification test set, and its tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from prettytable import PrettyTable

from ...functional import (
    calibration_counts,
    detection_metrics,
    ece_from_counts,
    mce_from_counts,
)
from ..common.results import DETECTION, Row, key_prefix, percent

_IN_DISTRIBUTION = ('accuracy', 'ECE', 'MCE', 'NLL', 'Brier')


@dataclass(frozen=True)
class ClassificationSettings:
    """The arguments of the metric that decide what its numbers mean."""

    scores: tuple[str, ...]
    ece_bins: int
    fpr_rule: str


def summarize_images(
    rows: Sequence[Row], ood_sets: Sequence[str], settings: ClassificationSettings
) -> dict[str, float]:
    """Compute what ``ClassificationUncertaintyMetric`` reports.

    Args:
        rows: One per image, as ``read_image`` returns them.
        ood_sets: Names of the OOD sets, each of which has an image.
        settings: The scores, the bins and the rule of FPR95.

    Returns:
        The numbers, without those that are undefined.
    """
    inside = [row for row in rows if not row['ood_set']]
    metrics = _in_distribution(inside, settings.ece_bins) if inside else {}
    metrics['num_images'] = float(len(inside))
    for name in ood_sets:
        outside = [row for row in rows if row['ood_set'] == name]
        if inside:
            metrics |= _detection(name, inside, outside, settings)
        metrics[f'{name}/num_images'] = float(len(outside))
    return metrics


def classification_table(
    metrics: Mapping[str, float], ood_sets: Sequence[str], scores: Sequence[str]
) -> str:
    """Lay out the in-distribution numbers, then one row per OOD set and score.

    Args:
        metrics: As :func:`summarize_images` returns them; absent ones show as '-'.
        ood_sets: Names of the OOD sets.
        scores: Names of the scores, the one without a name in its keys first.

    Returns:
        The table, or two: the second is left out if there is no OOD set.
    """
    table = PrettyTable(['images', *_IN_DISTRIBUTION])
    cells = [
        percent(metrics.get(name), digits=4 if name in ('NLL', 'Brier') else 2)
        for name in _IN_DISTRIBUTION
    ]
    table.add_row([f'{metrics["num_images"]:.0f}', *cells])
    blocks = [table.get_string()]
    if ood_sets:
        table = PrettyTable(['OOD set', 'images', 'score', *DETECTION])
        for name in ood_sets:
            for score in scores:
                prefix = f'{name}/{key_prefix(score, scores)}'
                cells = [percent(metrics.get(prefix + key)) for key in DETECTION]
                table.add_row([name, f'{metrics[f"{name}/num_images"]:.0f}', score, *cells])
        blocks.append(table.get_string())
    return '\n'.join(blocks)


def _in_distribution(rows: Sequence[Row], bins: int) -> dict[str, float]:
    right = np.array([row['prediction'] == row['label'] for row in rows])
    counts = calibration_counts([row['confidence'] for row in rows], right, bins)
    return {
        'accuracy': 100 * float(right.mean()),
        'ECE': 100 * ece_from_counts(counts),
        'MCE': 100 * mce_from_counts(counts),
        'NLL': float(np.mean([row['NLL'] for row in rows])),
        'Brier': float(np.mean([row['Brier'] for row in rows])),
    }


def _detection(
    name: str, inside: Sequence[Row], outside: Sequence[Row], settings: ClassificationSettings
) -> dict[str, float]:
    positives = np.arange(len(inside) + len(outside)) >= len(inside)
    result: dict[str, float] = {}
    for score in settings.scores:
        prefix = f'{name}/{key_prefix(score, settings.scores)}'
        values = np.array([row[score] for row in (*inside, *outside)])
        found = detection_metrics(values, positives, rule=settings.fpr_rule)
        numbers = found.aupr, found.auroc, found.fpr
        result |= {prefix + key: 100 * v for key, v in zip(DETECTION, numbers, strict=True)}
    return result
