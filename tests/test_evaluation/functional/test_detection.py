"""The numbers of OOD detection, against scikit-learn, loops and by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    average_precision_score,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)

from mmseg_abnn.evaluation.functional import (
    average_precision,
    detection_metrics,
    fpr_at_recall,
    roc_auc,
)


def sklearn_numbers(scores, positives, recall=0.95):
    fpr, tpr, _ = roc_curve(positives, scores, drop_intermediate=False)
    return (
        roc_auc_score(positives, scores),
        average_precision_score(positives, scores),
        fpr[np.argmax(tpr >= recall)],
    )


def naive_nearest(scores, positives, recall):
    """hendrycks/anomaly-seg, as a loop: upwards from the highest threshold that finds all."""
    best_distance, best_fpr, all_found = None, None, min(scores[positives])
    for threshold in sorted(set(scores.tolist())):
        if threshold < all_found:
            continue
        accepted = scores >= threshold
        distance = abs(np.sum(accepted & positives) / np.sum(positives) - recall)
        if best_distance is None or distance < best_distance:
            best_distance = distance
            best_fpr = np.sum(accepted & ~positives) / np.sum(~positives)
    return best_fpr


def make_case(name, rng):
    """Score maps that are easy to get wrong."""
    shape = (200, 100)
    positives = rng.random(shape) < 0.05
    scores = rng.normal(size=shape) + positives
    if name == 'ties':
        scores = np.round(scores * 2) / 2
    elif name == 'rare':  # 0.01% of the pixels
        positives = np.zeros(shape, bool)
        positives.flat[[17, 9_001]] = True
    elif name == 'one_positive':
        positives = np.zeros(shape, bool)
        positives[3, 7] = True
    elif name == 'one_negative':
        positives = np.ones(shape, bool)
        positives[3, 7] = False
    elif name == 'constant':
        scores = np.zeros(shape)
    elif name == 'perfect':
        scores = positives.astype(float)
    elif name == 'inverted':
        scores = -positives.astype(float)
    elif name == 'saturated':  # confident pixels share the lowest score
        scores = np.maximum(scores, 0.8)
    return scores, positives


CASES = (
    'plain',
    'ties',
    'rare',
    'one_positive',
    'one_negative',
    'constant',
    'perfect',
    'inverted',
    'saturated',
)


@pytest.mark.parametrize('case', CASES)
def test_equal_to_scikit_learn(case):
    scores, positives = make_case(case, np.random.default_rng(0))
    expected = sklearn_numbers(scores.ravel(), positives.ravel())
    together = detection_metrics(scores, positives)
    assert together == pytest.approx(expected, abs=1e-9)
    alone = (
        roc_auc(scores, positives),
        average_precision(scores, positives),
        fpr_at_recall(scores, positives),
    )
    assert alone == tuple(together)
    assert all(type(value) is float and 0 <= value <= 1 for value in alone)


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


@settings(deadline=None, max_examples=150)
@given(data=scored_pixels(), recall=st.floats(0.01, 1))
def test_any_numbers_equal_scikit_learn(data, recall):
    scores, positives = data
    expected = sklearn_numbers(scores.astype(np.float64), positives, recall)
    assert detection_metrics(scores, positives, recall) == pytest.approx(expected, abs=1e-9)


@settings(deadline=None, max_examples=100)
@given(data=scored_pixels())
def test_numbers_follow_from_the_curves_of_scikit_learn(data):
    scores, positives = data
    fpr, tpr, _ = roc_curve(positives, scores.astype(np.float64), drop_intermediate=False)
    area = np.sum(np.diff(fpr) * (tpr[1:] + tpr[:-1]) / 2)
    assert roc_auc(scores, positives) == pytest.approx(area, abs=1e-12)
    precision, recalls, _ = precision_recall_curve(positives, scores.astype(np.float64))
    area = -np.sum(np.diff(recalls) * precision[:-1])
    assert average_precision(scores, positives) == pytest.approx(area, abs=1e-12)
    for recall in (0.3, 0.95, 1.0):
        assert fpr_at_recall(scores, positives, recall) == fpr[1:][tpr[1:] >= recall][0]
        # The nearest rule takes a point of the curve, too, and none is nearer.
        nearest = fpr_at_recall(scores, positives, recall, 'nearest')
        distances = np.abs(tpr[1:] - recall)
        assert distances[fpr[1:] == nearest].min() == distances.min()


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


@pytest.mark.parametrize('recall', [0.01, 0.3, 0.5, 0.8, 0.95, 1.0])
@pytest.mark.parametrize('case', CASES)
def test_first_rule_at_other_recalls(case, recall):
    scores, positives = make_case(case, np.random.default_rng(1))
    expected = sklearn_numbers(scores.ravel(), positives.ravel(), recall)[2]
    assert fpr_at_recall(scores, positives, recall) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize('recall', [0.1, 0.5, 0.75, 0.95, 1.0])
@pytest.mark.parametrize('seed', range(8))
def test_nearest_rule_equals_a_loop(seed, recall):
    rng = np.random.default_rng(seed)
    size = int(rng.integers(5, 120))
    scores = rng.integers(0, 15, size).astype(float)
    positives = rng.random(size) < 0.4
    positives[:2] = True, False
    expected = naive_nearest(scores, positives, recall)
    found = fpr_at_recall(scores, positives, recall, rule='nearest')
    assert found == pytest.approx(expected, abs=1e-12)


def test_by_hand():
    scores, positives = [0.8, 0.8, 0.3, 0.5, 0.3], [1, 0, 1, 0, 0]
    # Of 6 pairs 2 are won and 2 tied; precision is 1/2 at 0.8 and 2/5 at 0.3.
    found = detection_metrics(scores, positives, recall=0.5)
    assert found == pytest.approx((3 / 6, (1 / 2 + 2 / 5) / 2, 1 / 3), abs=1e-15)
    assert detection_metrics(scores, positives).fpr == 1


def test_rules_differ_by_hand():
    # From high to low the recalls are .5 (no false positive), .5 (1 of 4), 1 (1 of 4), 1, 1, 1.
    scores = np.array([6, 5, 4, 3, 2, 1.0])
    positives = np.array([1, 0, 1, 0, 0, 0])
    assert fpr_at_recall(scores, positives, 0.6, rule='first') == 0.25
    # Nearest is recall .5: of its two thresholds the lower one.
    assert fpr_at_recall(scores, positives, 0.6, rule='nearest') == 0.25
    assert fpr_at_recall(scores, positives, 0.5, rule='first') == 0.0
    # Recalls .5 and 1 are equally far from .75: the higher one, at its highest threshold.
    scores = np.array([6, 5, 4, 3, 2, 1.0])
    positives = np.array([1, 0, 0, 1, 0, 0])
    assert fpr_at_recall(scores, positives, 0.75, rule='nearest') == 0.5
    # Recall 0 is nearer to .4 than recall 1.
    scores, positives = np.array([3, 2, 1.0]), np.array([0, 1, 0])
    assert fpr_at_recall(scores, positives, 0.4, rule='nearest') == 0.5
    assert fpr_at_recall(scores, positives, 0.4, rule='first') == 0.5


@pytest.mark.parametrize(
    'dtype', [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64]
)
def test_torch_types(dtype):
    generator = torch.Generator().manual_seed(0)
    positives = torch.rand(3, 40, 50, generator=generator) < 0.1
    scores = torch.randn(3, 40, 50, generator=generator).mul(4).add(positives).to(dtype)
    exact = scores.double().numpy().ravel()
    expected = sklearn_numbers(exact, positives.numpy().ravel())
    assert detection_metrics(scores, positives) == pytest.approx(expected, abs=1e-9)
    assert roc_auc(scores, positives.long()) == pytest.approx(expected[0], abs=1e-9)


@pytest.mark.parametrize('dtype', [np.float16, np.float32, np.float64])
def test_numpy_types_and_views(dtype):
    rng = np.random.default_rng(0)
    scores = rng.random((60, 80)).astype(dtype)[::2, ::3]
    positives = (rng.random((60, 80)) < 0.2).astype(np.uint8)[::2, ::3]
    expected = sklearn_numbers(scores.ravel().astype(float), positives.ravel())
    assert detection_metrics(scores, positives) == pytest.approx(expected, abs=1e-9)


def test_scores_that_need_a_gradient_are_accepted():
    scores = torch.tensor([0.1, 0.9, 0.4], requires_grad=True)
    assert roc_auc(scores, [0, 1, 1]) == 1.0


@pytest.mark.parametrize(
    ('scores', 'positives', 'message'),
    [
        ([0.1, 0.2], [1, 0, 1], r'same shape, got `scores` \(2,\), `positives` \(3,\)'),
        (np.zeros((1, 4)), np.array([0, 1, 0, 1]), 'same shape'),
        ([0.1, float('nan')], [1, 0], '`scores` must be finite, got 1 NaN or infinite values'),
        ([0.1, float('inf')], [1, 0], '`scores` must be finite'),
        ([0.1, 0.2], [1, 2], r'`positives` must be boolean or hold only 0 and 1, got \[2\]'),
        ([0.1, 0.2], [0.5, 1.0], '`positives` must be boolean'),
        ([0.1, 0.2], [0, 0], 'holds no positive among 2'),
        ([0.1, 0.2], [1, 1], 'holds no negative among 2'),
        ([], [], 'holds no positive among 0'),
    ],
)
@pytest.mark.parametrize('function', [roc_auc, average_precision, fpr_at_recall, detection_metrics])
def test_bad_input(function, scores, positives, message):
    with pytest.raises(ValueError, match=message):
        function(scores, positives)


@pytest.mark.parametrize('recall', [0, -0.1, 1.1, float('nan')])
def test_bad_recall(recall):
    with pytest.raises(ValueError, match=r'`recall` must be in \(0, 1\]'):
        fpr_at_recall([0.1, 0.2], [0, 1], recall)


def test_bad_rule():
    with pytest.raises(ValueError, match=r"`rule` must be one of \('first', 'nearest'\), got 'x'"):
        detection_metrics([0.1, 0.2], [0, 1], rule='x')
