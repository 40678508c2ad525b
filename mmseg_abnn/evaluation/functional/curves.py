"""Out-of-distribution detection: area under the ROC curve, average precision, FPR at a recall.

OOD is the positive class, and a score is high where a pixel looks OOD. Every number is exact: equal
scores are one threshold, and no threshold is left out or interpolated.
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


class _CurveCounts(NamedTuple):
    """True and false positives at or above each distinct threshold, from high to low (int64).

    The last entries are the numbers of positives and of negatives.
    """

    true_positives: np.ndarray
    false_positives: np.ndarray


def detection_metrics(
    scores: Array, positives: Array, recall: float = 0.95, rule: str = 'first'
) -> DetectionMetrics:
    """Compute :func:`roc_auc`, :func:`average_precision` and :func:`fpr_at_recall` with one sort.

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
    _check_recall_and_rule(recall, rule)
    counts = _count(scores, positives)
    return DetectionMetrics(
        _roc_auc(counts), _average_precision(counts), _fpr_at_recall(counts, recall, rule)
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
    return _roc_auc(_count(scores, positives))


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
    return _average_precision(_count(scores, positives))


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
    _check_recall_and_rule(recall, rule)
    return _fpr_at_recall(_count(scores, positives), recall, rule)


def _check_recall_and_rule(recall: float, rule: str) -> None:
    if not 0 < recall <= 1:
        raise ValueError(f'`recall` must be in (0, 1], got {recall}')
    if rule not in FPR_RULES:
        raise ValueError(f'`rule` must be one of {FPR_RULES}, got {rule!r}')


def _count(scores: Array, positives: Array) -> _CurveCounts:
    """Check the arguments, sort once, and count at each distinct threshold."""
    score, positive = to_finite('scores', scores), to_bool('positives', positives)
    check_same_shape(scores=score, positives=positive)
    score, positive = score.ravel(), positive.ravel()
    num_positives = int(np.count_nonzero(positive))
    if num_positives == 0:
        raise ValueError(f'`positives` holds no positive among {positive.size} values')
    if num_positives == positive.size:
        raise ValueError(f'`positives` holds no negative among {positive.size} values')

    order = np.argsort(score)[::-1]
    score = score[order]
    # The last place of each run of equal scores: they are accepted or rejected together.
    ends = np.append(np.flatnonzero(score[1:] != score[:-1]), score.size - 1)
    true_positives = np.cumsum(positive[order], dtype=np.int64)[ends]
    return _CurveCounts(true_positives, ends + 1 - true_positives)


def _roc_auc(counts: _CurveCounts) -> float:
    tp = counts.true_positives.astype(np.float64)
    fp = counts.false_positives.astype(np.float64)
    # Trapezoids between neighbouring thresholds, from (0, 0): a tie counts one half.
    area = np.dot(np.diff(fp, prepend=0.0), tp + np.append(0.0, tp[:-1])) / 2
    return float(area / (tp[-1] * fp[-1]))


def _average_precision(counts: _CurveCounts) -> float:
    tp, fp = counts
    return float(np.dot(np.diff(tp, prepend=0), tp / (tp + fp)) / tp[-1])


def _fpr_at_recall(counts: _CurveCounts, recall: float, rule: str) -> float:
    tp, fp = counts
    recalls = tp / tp[-1]
    if rule == 'first':
        index = int(np.argmax(recalls >= recall))
    else:
        # From the first threshold of full recall upwards: argmin then resolves ties as documented.
        full = int(np.argmax(tp == tp[-1]))
        index = full - int(np.argmin(np.abs(recalls[full::-1] - recall)))
    return float(fp[index] / fp[-1])
