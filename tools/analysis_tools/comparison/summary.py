"""From the numbers of each seed to means and standard errors."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mmseg_abnn.evaluation.metrics.common.results import DETECTION, key_prefix

from .methods import Comparison, Method
from .storage import Storage
from .training_cost import TrainingCost

POOLED = 'pooled/'


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds.

    Attributes:
        mean: The mean.
        standard_error: Of the mean, sample standard deviation / sqrt(n); None for one seed.
    """

    mean: float
    standard_error: float | None = None


@dataclass(frozen=True)
class Measured:
    """All that was measured of one method.

    Attributes:
        metrics: By seed, the numbers of ``UncertaintyMetric``.
        training: By seed, the cost of each work dir of ``trained_in``.
        storage: Sizes, of the first seed's checkpoint.
        seconds_per_image: Median time for an image.
    """

    metrics: Mapping[int, Mapping[str, float]]
    training: Mapping[int, Mapping[str, TrainingCost]]
    storage: Storage
    seconds_per_image: float


@dataclass(frozen=True)
class Row:
    """A method with one of its scores.

    Attributes:
        method: Name of the method.
        score: Name of the score.
        values: Means by name; None where something is undefined or unknown.
    """

    method: str
    score: str
    values: Mapping[str, Estimate | None]


def estimate(values: Sequence[float | None]) -> Estimate | None:
    """Return mean and standard error, or None if there is no value or one of them is undefined.

    Args:
        values: A number for each seed; None or NaN where it is undefined.
    """
    known = [value for value in values if value is not None and math.isfinite(value)]
    if not known or len(known) < len(values):
        return None
    mean = math.fsum(known) / len(known)
    if len(known) == 1:
        return Estimate(mean)
    variance = math.fsum((value - mean) ** 2 for value in known) / (len(known) - 1)
    return Estimate(mean, math.sqrt(variance / len(known)))


def summarize(comparison: Comparison, measured: Mapping[str, Measured]) -> list[Row]:
    """Summarize all methods.

    Args:
        comparison: The list.
        measured: What was measured, by name of the method.

    Returns:
        A row for each method and score. Its values are, in percent, ``mIoU``, ``ECE``, ``AUPR``,
        ``AUROC`` and ``FPR95`` as means over images and, but for mIoU, ``pooled/...``; and the
        costs of :func:`summarize_costs`.
    """
    rows = []
    for method in comparison.methods:
        costs = summarize_costs(comparison, method, measured)
        for score in method.scores:
            values = _summarize_metrics(method, score, measured[method.name])
            rows.append(Row(method.name, score, values | costs))
    return rows


def _summarize_metrics(
    method: Method, score: str, measured: Measured
) -> dict[str, Estimate | None]:
    return {
        name: estimate([metrics.get(key) for metrics in measured.metrics.values()])
        for name, key in metric_keys(score, method.scores).items()
    }


def metric_keys(score: str, scores: Sequence[str]) -> dict[str, str]:
    """Name the numbers that a table shows.

    Args:
        score: One of the scores.
        scores: Those that ``UncertaintyMetric`` measured, in its order.

    Returns:
        ``mIoU``, ``ECE``, ``AUPR``, ``AUROC``, ``FPR95`` and, but for mIoU, ``pooled/...``, with
        the name that the metric gives each of them.
    """
    keys = {'mIoU': 'mIoU'}
    for pooled in ('', POOLED):
        prefix = pooled + key_prefix(score, scores)
        keys[f'{pooled}ECE'] = f'{pooled}ECE'
        keys |= {pooled + name: prefix + name for name in DETECTION}
    return keys


def summarize_costs(
    comparison: Comparison, method: Method, measured: Mapping[str, Measured]
) -> dict[str, Estimate | None]:
    """Summarize what a method costs.

    Returns:
        - ``training_time`` relative to the reference's;
        - ``trained_parameters``;
        - both again as ``added_...``, of those work dirs that the reference was not trained in;
        - ``prediction_time`` relative to the reference's;
        - ``storage``: bytes beyond the reference's, and ``storage_share``: the same as a share.
    """
    own, reference = measured[method.name], measured[comparison.reference]
    found: dict[str, list[float | None]] = {}
    for seed in comparison.seeds:
        all_dirs, shared = own.training[seed], reference.training[seed]
        added = {path: cost for path, cost in all_dirs.items() if path not in shared}
        unit = _total([cost.seconds for cost in shared.values()])
        for prefix, costs in (('', all_dirs), ('added_', added)):
            seconds = _total([cost.seconds for cost in costs.values()])
            number = _total([cost.parameters for cost in costs.values()])
            told = bool(method.trained_in)
            ratio = seconds / unit if told and seconds is not None and unit else None
            found.setdefault(f'{prefix}training_time', []).append(ratio)
            found.setdefault(f'{prefix}trained_parameters', []).append(number if told else None)
    beyond = own.storage.needed - reference.storage.needed
    return {name: estimate(values) for name, values in found.items()} | {
        'prediction_time': Estimate(own.seconds_per_image / reference.seconds_per_image),
        'storage': Estimate(float(beyond)),
        'storage_share': Estimate(beyond / reference.storage.needed),
    }


def _total(values: Sequence[float | None]) -> float | None:
    """Sum up; None if one is not known."""
    known = [value for value in values if value is not None]
    return math.fsum(known) if len(known) == len(values) else None
