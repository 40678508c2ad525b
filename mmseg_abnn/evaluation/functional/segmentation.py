"""Intersection over union of the in-distribution classes, from a confusion matrix."""

from collections.abc import Sequence

import numpy as np

from ..arrays import Array, check_integers, check_same_shape, to_numpy


def confusion_matrix(prediction: Array, label: Array, num_classes: int) -> np.ndarray:
    """Count the pixels of each pair of label and prediction; matrices of several images add up.

    Only pixels whose label is in 0..num_classes-1 count: OOD and ignored pixels enter neither
    intersections nor unions.

    Args:
        prediction: Any shape; predicted class ids.
        label: Of the same shape; class ids, and any other ids for pixels that do not count.
        num_classes: Number of in-distribution classes K.

    Returns:
        Int64 array of shape (K, K); rows are labels, columns predictions.

    Raises:
        ValueError: If the shapes differ, an array does not hold integers, ``num_classes`` is below
            1, or a pixel that counts has a prediction outside 0..K-1.
    """
    if num_classes < 1:
        raise ValueError(f'`num_classes` must be >= 1, got {num_classes}')
    pred, truth = to_numpy(prediction), to_numpy(label)
    check_same_shape(prediction=pred, label=truth)
    for name, array in (('prediction', pred), ('label', truth)):
        check_integers(name, array)
    counts = (truth >= 0) & (truth < num_classes)
    # int64 first: an id of a uint8 map times num_classes would overflow.
    pred, truth = pred[counts].astype(np.int64), truth[counts].astype(np.int64)
    if pred.size and (pred.min() < 0 or pred.max() >= num_classes):
        raise ValueError(
            f'`prediction` must be in 0..{num_classes - 1}, got {pred.min()} to {pred.max()}'
        )
    pairs = np.bincount(truth * num_classes + pred, minlength=num_classes**2)
    return pairs.reshape(num_classes, num_classes)


def per_class_iou(confusion: Array) -> np.ndarray:
    """Intersection over union of each class.

    Args:
        confusion: Matrix of shape (K, K) as of :func:`confusion_matrix`.

    Returns:
        Float64 array of shape (K,) in [0, 1]; NaN for classes that are absent in labels and
        predictions.

    Raises:
        ValueError: If ``confusion`` is not a square matrix.
    """
    matrix = to_numpy(confusion)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f'`confusion` must be a square matrix, got shape {matrix.shape}')
    intersection = np.diag(matrix).astype(np.float64)
    union = matrix.sum(axis=0) + matrix.sum(axis=1) - intersection
    return np.divide(intersection, union, out=np.full(len(matrix), np.nan), where=union > 0)


def mean_iou(confusion: Array, left_out: Sequence[int] = ()) -> float:
    """Mean of :func:`per_class_iou` over the classes that occur in labels or predictions.

    Args:
        confusion: Matrix of shape (K, K) as of :func:`confusion_matrix`.
        left_out: Classes that the mean leaves out. Their pixels still count in the unions of the
            others.

    Returns:
        A float in [0, 1].

    Raises:
        ValueError: If ``confusion`` is not a square matrix or counts no pixel of these classes.
    """
    iou = per_class_iou(confusion)
    iou[list(left_out)] = np.nan
    present = iou[~np.isnan(iou)]
    if present.size == 0:
        raise ValueError('`confusion` counts no pixel: the mean IoU is undefined')
    return float(present.mean())
