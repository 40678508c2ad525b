import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from mmseg_abnn.evaluation.functional import (
    average_precision,
    best_f1,
    detection_metrics,
    fpr_at_recall,
    precision_recall_curve,
    roc_auc,
    roc_curve,
)

# Of magnitudes whose differences scikit-learn can take
SCORES = st.one_of(
    st.sampled_from([0.0, -0.0, 0.1, -0.1, 1.0, 1e-40, -1e-40, 1e30, -1e30, 1e300, -1e300]),
    st.integers(-3, 3).map(float),
    st.floats(-1e3, 1e3),
)


@st.composite
def scored_pixels(draw, dtypes=(np.float64, np.float32, np.float16)):
    pool = draw(st.one_of(st.none(), st.lists(SCORES, min_size=1, max_size=5)))
    value = SCORES if pool is None else st.sampled_from(pool)
    pixels = draw(st.lists(st.tuples(value, st.booleans()), min_size=2, max_size=40))
    scores = np.array([score for score, _ in pixels])
    positives = np.array([positive for _, positive in pixels])
    positives[:2] = True, False
    dtype = draw(st.sampled_from(dtypes))
    return scores.clip(np.finfo(dtype).min, np.finfo(dtype).max).astype(dtype), positives


def naive_best_f1(scores, positives):
    """The largest F1, and the highest threshold that reaches it."""
    best = (-1.0, None)
    for threshold in sorted(set(scores.tolist()), reverse=True):
        called = scores >= threshold
        precision, recall = positives[called].mean(), called[positives].mean()
        f1 = 2 * precision * recall / (precision + recall) if called[positives].any() else 0.0
        if f1 > best[0] + 1e-12:
            best = (f1, threshold)
    return best


@settings(deadline=None, max_examples=150)
@given(data=scored_pixels(), recall=st.floats(0.01, 1))
def test_numbers_equal_scikit_learn(data, recall):
    scores, positives = data
    exact = scores.astype(np.float64)
    fpr, tpr, _ = metrics.roc_curve(positives, exact, drop_intermediate=False)
    expected = (
        metrics.roc_auc_score(positives, exact),
        metrics.average_precision_score(positives, exact),
        fpr[np.argmax(tpr >= recall)],
    )
    assert detection_metrics(scores, positives, recall) == pytest.approx(expected, abs=1e-9)


@settings(deadline=None, max_examples=150)
@given(data=scored_pixels())
def test_roc_curve_equals_scikit_learn(data):
    scores, positives = data
    expected = metrics.roc_curve(positives, scores.astype(np.float64), drop_intermediate=False)
    curve = roc_curve(scores, positives)
    np.testing.assert_allclose(curve.fpr, expected[0], rtol=0, atol=1e-12)
    np.testing.assert_allclose(curve.tpr, expected[1], rtol=0, atol=1e-12)
    np.testing.assert_array_equal(curve.thresholds, expected[2])
    assert (curve.fpr[0], curve.tpr[0]) == (0, 0)
    assert (curve.fpr[-1], curve.tpr[-1]) == (1, 1)


@settings(deadline=None, max_examples=150)
@given(data=scored_pixels())
def test_precision_recall_curve_equals_scikit_learn(data):
    scores, positives = data
    precision, recall, thresholds = metrics.precision_recall_curve(
        positives, scores.astype(np.float64)
    )
    curve = precision_recall_curve(scores, positives)
    np.testing.assert_allclose(curve.precision, precision[-2::-1], rtol=0, atol=1e-12)
    np.testing.assert_allclose(curve.recall, recall[-2::-1], rtol=0, atol=1e-12)
    np.testing.assert_array_equal(curve.thresholds, thresholds[::-1])


@settings(deadline=None, max_examples=150)
@given(data=scored_pixels())
def test_best_f1_equals_a_loop(data):
    scores, positives = data
    expected = naive_best_f1(scores, positives)
    found = best_f1(scores, positives)
    assert found.f1 == pytest.approx(expected[0], abs=1e-12)
    assert found.threshold == expected[1]
    assert type(found.f1) is type(found.threshold) is float
    assert found.f1 == pytest.approx(
        metrics.f1_score(positives, scores >= found.threshold), abs=1e-12
    )


@settings(deadline=None, max_examples=100)
@given(data=scored_pixels())
def test_curves_and_numbers_agree(data):
    scores, positives = data
    roc, pr = roc_curve(scores, positives), precision_recall_curve(scores, positives)
    area = np.sum(np.diff(roc.fpr) * (roc.tpr[1:] + roc.tpr[:-1]) / 2)
    assert roc_auc(scores, positives) == pytest.approx(area, abs=1e-12)
    steps = np.diff(pr.recall, prepend=0)
    assert average_precision(scores, positives) == pytest.approx(
        np.sum(steps * pr.precision), abs=1e-12
    )
    for recall in (0.3, 0.95, 1.0):
        found = fpr_at_recall(scores, positives, recall)
        assert found == roc.fpr[1:][roc.tpr[1:] >= recall][0]
        # The nearest rule takes a point of the curve, too, and none is nearer.
        nearest = fpr_at_recall(scores, positives, recall, 'nearest')
        distances = np.abs(roc.tpr[1:] - recall)
        assert distances[roc.fpr[1:] == nearest].min() == distances.min()
    f1 = 2 * pr.precision * pr.recall / np.maximum(pr.precision + pr.recall, 1e-300)
    assert best_f1(scores, positives).f1 == pytest.approx(f1.max(), abs=1e-12)


@settings(deadline=None, max_examples=100)
@given(data=scored_pixels(dtypes=(np.float64,)), seed=st.integers(0, 10**6))
def test_order_alone_matters(data, seed):
    scores, positives = data
    expected = detection_metrics(scores, positives)
    ranks = np.unique(scores, return_inverse=True)[1].ravel()
    assert detection_metrics(ranks, positives) == expected
    assert detection_metrics(ranks * 7 - 1000, positives) == expected
    shuffle = np.random.default_rng(seed).permutation(len(scores))
    assert detection_metrics(scores[shuffle], positives[shuffle]) == expected
    # Mirrored scores lose the pairs that were won.
    assert roc_auc(-scores, positives) == pytest.approx(1 - expected.auroc, abs=1e-12)
    assert roc_auc(scores, ~positives) == pytest.approx(1 - expected.auroc, abs=1e-12)


def test_by_hand():
    scores, positives = [0.8, 0.8, 0.3, 0.5, 0.3], [1, 0, 1, 0, 0]
    roc = roc_curve(scores, positives)
    np.testing.assert_allclose(roc.fpr, [0, 1 / 3, 2 / 3, 1], rtol=1e-15)
    np.testing.assert_allclose(roc.tpr, [0, 1 / 2, 1 / 2, 1], rtol=1e-15)
    assert roc.thresholds.tolist() == [np.inf, 0.8, 0.5, 0.3]
    pr = precision_recall_curve(scores, positives)
    np.testing.assert_allclose(pr.precision, [1 / 2, 1 / 3, 2 / 5], rtol=1e-15)
    np.testing.assert_allclose(pr.recall, [1 / 2, 1 / 2, 1], rtol=1e-15)
    assert pr.thresholds.tolist() == [0.8, 0.5, 0.3]
    # F1 is 1/2 at 0.8, 2/5 at 0.5, and 4/7 at 0.3.
    assert best_f1(scores, positives) == pytest.approx((4 / 7, 0.3), abs=1e-15)
    # Equally good at 4 (2/3) and at 1 (2/3): the higher threshold.
    assert best_f1([4, 3, 2, 1], [1, 0, 0, 1]) == (pytest.approx(2 / 3), 4.0)


@pytest.mark.parametrize(
    'dtype', [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64]
)
def test_torch_types(dtype):
    generator = torch.Generator().manual_seed(0)
    positives = torch.rand(40, 50, generator=generator) < 0.1
    scores = torch.randn(40, 50, generator=generator).mul(4).add(positives).to(dtype)
    exact, labels = scores.double().numpy().ravel(), positives.numpy().ravel()
    expected = metrics.roc_curve(labels, exact, drop_intermediate=False)
    for column, wanted in zip(roc_curve(scores, positives), expected, strict=True):
        assert isinstance(column, np.ndarray)
        np.testing.assert_allclose(column, wanted, rtol=0, atol=1e-12)
    expected = metrics.precision_recall_curve(labels, exact)
    np.testing.assert_allclose(
        precision_recall_curve(scores.T, positives.T).precision, expected[0][-2::-1], atol=1e-12
    )
    assert best_f1(scores, positives) == pytest.approx(naive_best_f1(exact, labels), abs=1e-12)


@pytest.mark.parametrize(
    ('scores', 'positives', 'message'),
    [
        ([0.1, 0.2], [1, 0, 1], r'same shape, got `scores` \(2,\), `positives` \(3,\)'),
        ([0.1, float('nan')], [1, 0], '`scores` must be finite, got 1 NaN or infinite values'),
        ([0.1, -float('inf')], [1, 0], '`scores` must be finite'),
        ([0.1, 0.2], [1, 2], r'`positives` must be boolean or hold only 0 and 1, got \[2\]'),
        ([0.1, 0.2], [0, 0], 'holds no positive among 2'),
        ([0.1, 0.2], [1, 1], 'holds no negative among 2'),
        ([], [], 'holds no positive among 0'),
    ],
)
@pytest.mark.parametrize('function', [roc_curve, precision_recall_curve, best_f1])
def test_bad_input(function, scores, positives, message):
    with pytest.raises(ValueError, match=message):
        function(scores, positives)
