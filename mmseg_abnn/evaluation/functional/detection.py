"""Out-of-distribution detection, exactly: AUROC, average precision and FPR at a recall.

OOD is the positive class, and a score is high where a pixel looks OOD. Every number is exact: equal
scores are one threshold, and no threshold is left out or interpolated. For data that do not fit
into memory there is :class:`~mmseg_abnn.evaluation.functional.ScoreHistogram`.
"""

from typing import NamedTuple

import numpy as np

from ..arrays import Array, check_recall_and_rule, check_same_shape, to_bool, to_finite


class DetectionMetrics(NamedTuple):
    """The three numbers of a detection curve, each in [0, 1]."""

    auroc: float
    aupr: float
    fpr: float


class _Steps(NamedTuple):
    """What is found at each distinct score of a positive, from high to low.

    Recall changes at these thresholds only, so they hold all that the numbers need. Shape (K,);
    ``total_negatives`` is a number.
    """

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


def _find_steps(scores: Array, positives: Array) -> _Steps:
    """Check the arguments and count."""
    score, positive = to_finite('scores', scores), to_bool('positives', positives)
    check_same_shape(scores=score, positives=positive)
    found, rest = score[positive], score[~positive]
    if found.size == 0:
        raise ValueError(f'`positives` holds no positive among {positive.size} values')
    if rest.size == 0:
        raise ValueError(f'`positives` holds no negative among {positive.size} values')
    # Sorted apart, without an index: much faster than sorting all with their labels.
    found, rest = np.sort(found), np.sort(rest)
    thresholds, first = np.unique(found, return_index=True)
    thresholds, first = thresholds[::-1], first[::-1]
    return _Steps(
        true_positives=found.size - first,
        negatives_above=rest.size - np.searchsorted(rest, thresholds, side='right'),
        false_positives=rest.size - np.searchsorted(rest, thresholds, side='left'),
        total_negatives=rest.size,
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
