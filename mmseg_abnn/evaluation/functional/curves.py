"""Out-of-distribution detection, exactly: ROC and precision-recall curves and their numbers.

OOD is the positive class, and a score is high where a pixel looks OOD. Every number is exact: equal
scores are one threshold, and no threshold is left out or interpolated. For data that do not fit
into memory there is :class:`~mmseg_abnn.evaluation.functional.ScoreHistogram`.
"""

from typing import NamedTuple

import numpy as np

from ._arrays import Array, check_same_shape, to_bool, to_finite

FPR_RULES = ('first', 'nearest')


class DetectionMetrics(NamedTuple):
    """The three numbers of a detection curve, each in [0, 1]."""

    auroc: float
    aupr: float
    fpr: float


class RocCurve(NamedTuple):
    """A ROC curve, from the highest threshold to the lowest, starting at (0, 0).

    Each field has shape (thresholds + 1,): false-positive rate, true-positive rate (recall), and
    the threshold at or above which a pixel is called OOD; the first threshold is infinite.
    """

    fpr: np.ndarray
    tpr: np.ndarray
    thresholds: np.ndarray


class PrecisionRecallCurve(NamedTuple):
    """A precision-recall curve, from the highest threshold to the lowest.

    Each field has shape (thresholds,).
    """

    precision: np.ndarray
    recall: np.ndarray
    thresholds: np.ndarray


class BestF1(NamedTuple):
    """The largest F1 in [0, 1], and the threshold at or above which a pixel is called OOD."""

    f1: float
    threshold: float


class _Steps(NamedTuple):
    """What is found at each distinct score of a positive, from high to low.

    Recall changes at these thresholds only, so they hold all that the numbers need. Shape (K,);
    ``total_negatives`` is a number.
    """

    thresholds: np.ndarray
    true_positives: np.ndarray  # positives at or above the threshold
    negatives_above: np.ndarray  # negatives strictly above it
    false_positives: np.ndarray  # negatives at or above it
    total_negatives: int


def detection_metrics(
    scores: Array, positives: Array, recall: float = 0.95, rule: str = 'first'
) -> DetectionMetrics:
    """Compute :func:`roc_auc`, :func:`average_precision` and :func:`fpr_at_recall` at once.

    Args:
        scores: Any shape; high where OOD.
        positives: Of the same shape; True or 1 where OOD.
        recall: The recall of ``fpr``, in (0, 1].
        rule: ``'first'`` or ``'nearest'``, see :func:`fpr_at_recall`.

    Returns:
        The three numbers as Python floats in [0, 1].

    Raises:
        ValueError: If the shapes differ, a score is not finite, ``positives`` is not boolean-like,
            there is no positive or no negative, or ``recall`` or ``rule`` is not allowed.
    """
    check_recall_and_rule(recall, rule)
    steps = _find_steps(scores, positives)
    return DetectionMetrics(
        _roc_auc(steps), _average_precision(steps), _fpr_at_recall(steps, recall, rule)
    )


def roc_auc(scores: Array, positives: Array) -> float:
    """Area under the ROC curve: P(score of a positive > of a negative) + P(equal) / 2.

    Args:
        scores: Any shape; high where OOD.
        positives: Of the same shape; True or 1 where OOD.

    Returns:
        A float in [0, 1], equal to scikit-learn's ``roc_auc_score``.

    Raises:
        ValueError: As :func:`detection_metrics`.
    """
    return _roc_auc(_find_steps(scores, positives))


def average_precision(scores: Array, positives: Array) -> float:
    """Average precision, sum over thresholds of (recall step) x precision, without interpolation.

    Args:
        scores: Any shape; high where OOD.
        positives: Of the same shape; True or 1 where OOD.

    Returns:
        A float in [0, 1], equal to scikit-learn's ``average_precision_score``.

    Raises:
        ValueError: As :func:`detection_metrics`.
    """
    return _average_precision(_find_steps(scores, positives))


def fpr_at_recall(
    scores: Array, positives: Array, recall: float = 0.95, rule: str = 'first'
) -> float:
    """False-positive rate at the threshold where ``recall`` of the positives are found.

    A recall can be reached only at the thresholds that the scores offer, and two rules for
    choosing one are in use:

    - ``'first'``: the first threshold, from high to low, whose recall is at least ``recall``.
      That is scikit-learn's ``roc_curve(..., drop_intermediate=False)`` and its first point with
      ``tpr >= recall``.
    - ``'nearest'``: the threshold whose recall is nearest to ``recall``, as in
      ``fpr_and_fdr_at_recall`` of hendrycks/anomaly-seg. Ties are resolved as there: of a recall
      above and a recall below at the same distance (in double precision) the higher recall, and
      of several thresholds with the same recall the lowest one, which has the most false
      positives; of the thresholds with recall 1 the highest.

    Args:
        scores: Any shape; high where OOD.
        positives: Of the same shape; True or 1 where OOD.
        recall: In (0, 1].
        rule: ``'first'`` or ``'nearest'``.

    Returns:
        A float in [0, 1].

    Raises:
        ValueError: As :func:`detection_metrics`.
    """
    check_recall_and_rule(recall, rule)
    return _fpr_at_recall(_find_steps(scores, positives), recall, rule)


def best_f1(scores: Array, positives: Array) -> BestF1:
    """Largest F1 = 2 precision recall / (precision + recall) over all thresholds.

    It is a diagnostic: the threshold is chosen with the labels of the data that it is measured on.

    Args:
        scores: Any shape; high where OOD.
        positives: Of the same shape; True or 1 where OOD.

    Returns:
        The F1, and the highest threshold that reaches it.

    Raises:
        ValueError: As :func:`detection_metrics`.
    """
    steps = _find_steps(scores, positives)
    total = steps.true_positives[-1]
    f1 = 2 * steps.true_positives / (steps.true_positives + steps.false_positives + total)
    best = int(np.argmax(f1))
    return BestF1(float(f1[best]), float(steps.thresholds[best]))


def roc_curve(scores: Array, positives: Array) -> RocCurve:
    """ROC curve with one point for each distinct score.

    Args:
        scores: Any shape; high where OOD.
        positives: Of the same shape; True or 1 where OOD.

    Returns:
        The curve, equal to scikit-learn's ``roc_curve(..., drop_intermediate=False)``.

    Raises:
        ValueError: As :func:`detection_metrics`.
    """
    thresholds, tp, fp = _count_at_every_threshold(scores, positives)
    return RocCurve(
        np.append(0.0, fp / fp[-1]), np.append(0.0, tp / tp[-1]), np.append(np.inf, thresholds)
    )


def precision_recall_curve(scores: Array, positives: Array) -> PrecisionRecallCurve:
    """Precision-recall curve with one point for each distinct score.

    Args:
        scores: Any shape; high where OOD.
        positives: Of the same shape; True or 1 where OOD.

    Returns:
        The curve. scikit-learn's ``precision_recall_curve`` holds the same points from the lowest
        threshold to the highest, and a last one (1, 0) that no threshold reaches.

    Raises:
        ValueError: As :func:`detection_metrics`.
    """
    thresholds, tp, fp = _count_at_every_threshold(scores, positives)
    return PrecisionRecallCurve(tp / (tp + fp), tp / tp[-1], thresholds)


def check_recall_and_rule(recall: float, rule: str) -> None:
    """Raise ValueError if the arguments of :func:`fpr_at_recall` are not allowed."""
    if not 0 < recall <= 1:
        raise ValueError(f'`recall` must be in (0, 1], got {recall}')
    if rule not in FPR_RULES:
        raise ValueError(f'`rule` must be one of {FPR_RULES}, got {rule!r}')


def _split(scores: Array, positives: Array) -> tuple[np.ndarray, np.ndarray]:
    """Check the arguments; return the sorted scores of positives and of negatives."""
    score, positive = to_finite('scores', scores), to_bool('positives', positives)
    check_same_shape(scores=score, positives=positive)
    found, rest = score[positive], score[~positive]
    if found.size == 0:
        raise ValueError(f'`positives` holds no positive among {positive.size} values')
    if rest.size == 0:
        raise ValueError(f'`positives` holds no negative among {positive.size} values')
    # Sorted apart, without an index: much faster than sorting all with their labels.
    return np.sort(found), np.sort(rest)


def _find_steps(scores: Array, positives: Array) -> _Steps:
    found, rest = _split(scores, positives)
    values, first = np.unique(found, return_index=True)
    values, first = values[::-1], first[::-1]
    return _Steps(
        thresholds=values,
        true_positives=found.size - first,
        negatives_above=rest.size - np.searchsorted(rest, values, side='right'),
        false_positives=rest.size - np.searchsorted(rest, values, side='left'),
        total_negatives=rest.size,
    )


def _count_at_every_threshold(
    scores: Array, positives: Array
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the distinct scores from high to low, and true and false positives at each."""
    found, rest = _split(scores, positives)
    thresholds = np.unique(np.concatenate([found, rest]))[::-1]
    return (
        thresholds,
        found.size - np.searchsorted(found, thresholds, side='left'),
        rest.size - np.searchsorted(rest, thresholds, side='left'),
    )


def _roc_auc(steps: _Steps) -> float:
    new_positives = np.diff(steps.true_positives, prepend=0)
    # Twice the number of negatives below each positive, a tie counting one half.
    below = 2 * steps.total_negatives - steps.negatives_above - steps.false_positives
    area = np.dot(new_positives.astype(np.float64), below.astype(np.float64)) / 2
    return float(area / (float(steps.true_positives[-1]) * steps.total_negatives))


def _average_precision(steps: _Steps) -> float:
    tp = steps.true_positives
    precision = tp / (tp + steps.false_positives)
    return float(np.dot(np.diff(tp, prepend=0), precision) / tp[-1])


def _fpr_at_recall(steps: _Steps, recall: float, rule: str) -> float:
    tp, fp = steps.true_positives, steps.false_positives
    if rule == 'nearest':
        # The thresholds from the first one of full recall upwards. For the others it is the
        # lowest threshold with the same recall, just above the next positive; above all positives
        # there is one only if a negative is there.
        tp = np.append(tp[::-1], 0)
        fp = np.append(fp[-1], steps.negatives_above[::-1])
        if fp[-1] == 0:
            tp, fp = tp[:-1], fp[:-1]
        # argmin resolves ties as documented
        index = int(np.argmin(np.abs(tp / tp[0] - recall)))
    else:
        index = int(np.argmax(tp / tp[-1] >= recall))
    return float(fp[index] / steps.total_negatives)
