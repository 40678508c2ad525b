"""What is compared: functions that take one image after the other, and return metrics."""

import importlib
import math
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import pairwise
from statistics import fmean
from typing import Any

import numpy as np
import torch
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from mmseg_abnn.evaluation.functional import (
    ScoreHistogram,
    detection_metrics,
    expected_calibration_error,
)

from .score_maps import NUM_CLASSES, Maps

RECALL = 0.95
METRICS = ('AUROC', 'AUPR', 'FPR95')
ECE_BINS = 15
THRESHOLDS = 200  # of torchmetrics, evenly spaced
PERCENTILES = 1000
Row = dict[str, Any]


def ours_pooled(images: Iterable[Maps]) -> Row:
    """Count in a ScoreHistogram."""
    histogram = ScoreHistogram()
    for maps in images:
        histogram.update(maps.scores, maps.positives)
        del maps  # one image at a time is in memory
    return histogram.compute(recall=RECALL)


def first_fpr(fpr: Any, tpr: Any) -> float:
    """Return the false-positive rate at the highest threshold that reaches the recall."""
    return float(fpr[np.argmax(np.asarray(tpr) >= RECALL)])


def sklearn_metrics(scores: np.ndarray, positives: np.ndarray) -> Row:
    """Compute METRICS by scikit-learn."""
    fpr, tpr, _ = roc_curve(positives, scores, drop_intermediate=False)
    return {
        'AUROC': float(roc_auc_score(positives, scores)),
        'AUPR': float(average_precision_score(positives, scores)),
        'FPR95': first_fpr(fpr, tpr),
    }


def sklearn_pooled(images: Iterable[Maps]) -> Row:
    """Keep all pixels, then compute."""
    kept = [(maps.scores, maps.positives) for maps in images]
    scores, positives = (np.concatenate(column) for column in zip(*kept, strict=True))
    kept.clear()
    return sklearn_metrics(scores, positives)


def torchmetrics_pooled(images: Iterable[Maps], thresholds: int | None) -> Row:
    """Update the three metrics of torchmetrics with each image."""
    module: Any = importlib.import_module('torchmetrics.classification')
    collection: Any = importlib.import_module('torchmetrics').MetricCollection
    kinds = {'roc': module.BinaryROC, 'AUROC': module.BinaryAUROC}
    kinds['AUPR'] = module.BinaryAveragePrecision
    made = {name: kind(thresholds=thresholds, validate_args=False) for name, kind in kinds.items()}
    metrics = collection(made, compute_groups=[list(made)])
    for maps in images:
        scores = torch.from_numpy(maps.scores)
        if maps.scores.max() > 1:  # an entropy: a sigmoid would be applied to it
            scores = scores / math.log(NUM_CLASSES)
        metrics.update(scores, torch.from_numpy(maps.positives))
    found = metrics.compute()
    areas = {name: float(found[name]) for name in ('AUROC', 'AUPR')}
    return {**areas, 'FPR95': first_fpr(*found['roc'][:2])}


def percentile_bins(images: Iterable[Maps]) -> Row:
    """Count in bins between the percentiles of the first image, as if a bin's scores were equal."""
    edges, counts = np.empty(0), np.empty((2, 0), np.int64)
    for number, (scores, positives, *_) in enumerate(images):
        if number == 0:
            percentiles = np.percentile(scores, np.linspace(0, 100, PERCENTILES + 1))
            edges = np.unique(percentiles.astype(scores.dtype))
            counts = np.zeros((2, len(edges) + 1), np.int64)  # of all pixels, of positives
        bins = np.searchsorted(edges, scores, side='right')
        found = (np.bincount(kept, minlength=len(edges) + 1) for kept in (bins, bins[positives]))
        counts += np.stack(list(found))
    total, tp = np.cumsum(counts[:, ::-1], axis=1)
    total, tp = total[total > 0], tp[total > 0]
    tpr, fpr = tp / tp[-1], (total - tp) / (total - tp)[-1]
    return {
        'AUROC': float(np.sum(np.diff(fpr, prepend=0) * (tpr + np.append(0, tpr[:-1])) / 2)),
        'AUPR': float(np.sum(np.diff(tpr, prepend=0) * tp / total)),
        'FPR95': first_fpr(fpr, tpr),
    }


def ours_of_an_image(maps: Maps) -> Row:
    """Return METRICS and the calibration error of an image."""
    metrics = detection_metrics(maps.scores, maps.positives, recall=RECALL)
    ece = expected_calibration_error(maps.confidence, maps.correct, ECE_BINS)
    return {**dict(zip(METRICS, metrics, strict=True)), 'ECE': ece}


def sklearn_of_an_image(maps: Maps) -> Row:
    """Do the same with scikit-learn, and a loop over bins for the calibration error."""
    edges, ece = np.linspace(0, 1, ECE_BINS + 1), 0.0
    for low, high in pairwise(edges):
        inside = (maps.confidence > low) & (maps.confidence <= high)
        if inside.any():
            gap = maps.correct[inside].mean() - maps.confidence[inside].mean(dtype=np.float64)
            ece += abs(gap) * inside.mean()
    return {**sklearn_metrics(maps.scores, maps.positives), 'ECE': float(ece)}


def everything(
    images: Iterable[Maps], of_an_image: Callable[[Maps], Row], pooled: Callable[..., Row]
) -> Row:
    """Measure each image, and all pixels; the means over images stand beside the rest."""
    rows: list[Row] = []

    def measured() -> Iterator[Maps]:
        for maps in images:
            rows.append(of_an_image(maps))
            yield maps

    found = pooled(measured())
    return {**found, 'means': {key: fmean(row[key] for row in rows) for key in rows[0]}}


OURS, SKLEARN = 'ours: ScoreHistogram', 'scikit-learn'
EVERYTHING = 'everything: '
CONTENDERS: dict[str, Callable[[Iterable[Maps]], Row]] = {
    OURS: ours_pooled,
    SKLEARN: sklearn_pooled,
    'torchmetrics, exact': partial(torchmetrics_pooled, thresholds=None),
    f'torchmetrics, {THRESHOLDS} thresholds': partial(torchmetrics_pooled, thresholds=THRESHOLDS),
    f'NumPy, {PERCENTILES} percentile bins': percentile_bins,
    EVERYTHING + 'ours': partial(everything, of_an_image=ours_of_an_image, pooled=ours_pooled),
    EVERYTHING + SKLEARN: partial(
        everything, of_an_image=sklearn_of_an_image, pooled=sklearn_pooled
    ),
}


def reference(name: str) -> str:
    """Return the contender that a contender is compared with."""
    return EVERYTHING + SKLEARN if name.startswith(EVERYTHING) else SKLEARN
