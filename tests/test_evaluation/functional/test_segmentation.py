import numpy as np
import pytest
import torch

from mmseg_abnn.evaluation.functional import confusion_matrix, mean_iou, per_class_iou

OOD, IGNORED = 254, 255


def naive_iou(prediction, label, num_classes):
    """Intersections and unions as sets of pixels whose label is a class."""
    result = []
    for k in range(num_classes):
        intersection = union = 0
        for p, t in zip(prediction.ravel(), label.ravel(), strict=True):
            if t >= num_classes:
                continue
            intersection += p == k and t == k
            union += p == k or t == k
        result.append(intersection / union if union else float('nan'))
    return result


@pytest.fixture
def maps():
    rng = np.random.default_rng(0)
    label = rng.integers(0, 5, (40, 30))
    prediction = np.where(rng.random((40, 30)) < 0.6, label, rng.integers(0, 5, (40, 30)))
    # Class 5 occurs nowhere; class 6 is predicted only on OOD and ignored pixels.
    label[:10], prediction[:5] = OOD, 6
    label[10:14], prediction[12:14] = IGNORED, 6
    return prediction, label


def test_equal_to_a_loop_with_ood_and_ignored_pixels(maps):
    prediction, label = maps
    confusion = confusion_matrix(prediction, label, 7)
    assert confusion.dtype == np.int64
    assert confusion.sum() == 26 * 30
    assert confusion[2, 3] == np.sum((label == 2) & (prediction == 3))
    expected = naive_iou(prediction, label, 7)
    assert np.isnan(expected[5:]).all()
    np.testing.assert_allclose(per_class_iou(confusion), expected, rtol=1e-14)
    result = mean_iou(confusion)
    assert type(result) is float
    assert result == pytest.approx(np.mean(expected[:5]), abs=1e-14)


def test_a_class_that_is_only_predicted_counts_as_zero():
    confusion = confusion_matrix([0, 0, 1, 2], [0, 0, 1, 1], 3)
    assert per_class_iou(confusion).tolist() == [1.0, 0.5, 0.0]
    assert mean_iou(confusion) == 0.5


@pytest.mark.parametrize('dtype', [torch.uint8, torch.int32, torch.int64])
def test_types_and_sums_of_parts(maps, dtype):
    prediction, label = (torch.from_numpy(m.astype(np.uint8)).to(dtype) for m in maps)
    parts = [confusion_matrix(prediction[i::2], label[i::2], 7) for i in range(2)]
    np.testing.assert_array_equal(sum(parts), confusion_matrix(*maps, 7))


def test_no_overflow_of_small_types():
    label = np.full((4, 4), 18, np.uint8)
    assert confusion_matrix(label, label, 19)[18, 18] == 16


@pytest.mark.parametrize(
    ('prediction', 'label', 'num_classes', 'message'),
    [
        ([0, 1], [0], 2, 'same shape'),
        ([0, 2], [0, 1], 2, r'`prediction` must be in 0..1, got 0 to 2'),
        ([0, -1], [0, 1], 2, '`prediction` must be in 0..1'),
        ([0.0, 1.0], [0, 1], 2, '`prediction` must hold integers, got float64'),
        ([0, 1], [0.0, 1.0], 2, '`label` must hold integers'),
        ([0, 1], [0, 1], 0, '`num_classes` must be >= 1, got 0'),
    ],
)
def test_bad_input(prediction, label, num_classes, message):
    with pytest.raises(ValueError, match=message):
        confusion_matrix(prediction, label, num_classes)


def test_a_prediction_without_class_is_accepted_where_it_does_not_count():
    assert confusion_matrix([0, 9], [0, OOD], 2).tolist() == [[1, 0], [0, 0]]


def test_bad_matrix():
    with pytest.raises(ValueError, match='square matrix'):
        per_class_iou(np.zeros((2, 3)))
    with pytest.raises(ValueError, match='counts no pixel'):
        mean_iou(np.zeros((2, 2), np.int64))
