"""Calibration errors and reliability, against a loop over the bins and by hand."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmseg_abnn.evaluation.functional import (
    calibration_counts,
    ece_from_counts,
    expected_calibration_error,
    mce_from_counts,
    reliability_curve,
)


def naive_bins(confidence, correct, bins):
    """(mean confidence, accuracy, number) of the bins of equal width that hold a value."""
    found = []
    for i in range(bins):
        # the edges are the doubles nearest to i / bins
        low, high = float(Fraction(i, bins)), float(Fraction(i + 1, bins))
        inside = [j for j, c in enumerate(confidence) if low < c <= high or (i == 0 and c == 0.0)]
        if inside:
            mean = sum(float(confidence[j]) for j in inside) / len(inside)
            accuracy = sum(bool(correct[j]) for j in inside) / len(inside)
            found.append((mean, accuracy, len(inside)))
    return found


def naive_errors(confidence, correct, bins=15):
    """The expected and the maximum calibration error."""
    found = naive_bins(confidence, correct, bins)
    expected = sum(number * abs(accuracy - mean) for mean, accuracy, number in found)
    largest = max(abs(accuracy - mean) for mean, accuracy, _ in found)
    return expected / len(confidence), largest


def errors(confidence, correct, bins=15):
    """What the functions say of both."""
    table = calibration_counts(confidence, correct, bins)
    expected = expected_calibration_error(confidence, correct, bins)
    assert expected == ece_from_counts(table)
    assert type(expected) is type(mce_from_counts(table)) is float
    return expected, mce_from_counts(table)


CONFIDENCE = st.one_of(
    st.sampled_from([0.0, 1.0, 0.1, 0.2, 0.5, 1 / 3, 2 / 3, 1e-40, 1 - 1e-12]), st.floats(0, 1)
)


@st.composite
def predictions(draw):
    pool = draw(st.one_of(st.none(), st.lists(CONFIDENCE, min_size=1, max_size=4)))
    value = CONFIDENCE if pool is None else st.sampled_from(pool)
    pixels = draw(st.lists(st.tuples(value, st.booleans()), min_size=1, max_size=60))
    return np.array([p[0] for p in pixels]), np.array([p[1] for p in pixels])


@settings(deadline=None, max_examples=150)
@given(data=predictions(), bins=st.sampled_from([1, 2, 3, 7, 10, 15, 100]))
def test_errors_and_reliability_equal_a_loop(data, bins):
    found = errors(*data, bins)
    assert found == pytest.approx(naive_errors(*data, bins), abs=1e-12)
    assert found[0] <= found[1] + 1e-12
    curve = reliability_curve(calibration_counts(*data, bins))
    mean, accuracy, number = zip(*naive_bins(*data, bins), strict=True)
    np.testing.assert_allclose(curve.confidence, mean, rtol=0, atol=1e-12)
    np.testing.assert_allclose(curve.accuracy, accuracy, rtol=0, atol=1e-12)
    assert curve.counts.tolist() == list(number)
    assert curve.counts.dtype == np.int64


@pytest.mark.parametrize('bins', [1, 2, 10, 15, 100])
def test_equal_to_a_loop_with_values_on_edges(bins):
    rng = np.random.default_rng(0)
    edges = np.array([float(Fraction(i, bins)) for i in range(bins + 1)])
    confidence = np.concatenate([rng.random(500), edges, edges, [0.0, 1.0]])
    correct = rng.random(confidence.size) < confidence
    expected = naive_errors(confidence, correct, bins)
    assert errors(confidence, correct, bins) == pytest.approx(expected, abs=1e-12)


def test_edges_by_hand():
    counts = calibration_counts([0.0, 0.25, 0.5, 0.50001, 1.0], [1, 0, 1, 0, 1], bins=2)
    assert counts.dtype == np.float64
    # 0 and 0.5 lie in the first of (0, 0.5] and (0.5, 1].
    np.testing.assert_allclose(counts, [[3, 0.75, 2], [2, 1.50001, 1]], rtol=1e-15)
    assert ece_from_counts(counts) == pytest.approx((1.25 + 0.50001) / 5, abs=1e-15)


def test_by_hand():
    confidence, correct = [0.2, 0.6, 0.8, 0.9], [0, 1, 1, 0]
    # (0, .5]: .2 and none right; (.5, 1]: 2.3 / 3 and 2 / 3 right
    assert errors(confidence, correct, 2) == pytest.approx(((0.2 + 0.3) / 4, 0.2), abs=1e-15)
    curve = reliability_curve(calibration_counts(confidence, correct, 4))
    np.testing.assert_allclose(curve.confidence, [0.2, 0.6, 0.85], rtol=1e-15)
    np.testing.assert_allclose(curve.accuracy, [0, 1, 0.5], rtol=1e-15)
    assert curve.counts.tolist() == [1, 1, 2]


def test_perfect_calibration():
    confidence = np.repeat([0.25, 0.75], 400)
    correct = np.concatenate([np.arange(400) < 100, np.arange(400) < 300])
    assert errors(confidence, correct) == (0, 0)
    assert errors(confidence, ~correct) == (0.5, 0.5)


def test_tables_of_parts_add_up():
    rng = np.random.default_rng(1)
    confidence = rng.random((4, 30, 20))
    correct = rng.random((4, 30, 20)) < confidence
    tables = [calibration_counts(c, r) for c, r in zip(confidence, correct, strict=True)]
    assert tables[0].shape == (15, 3)
    expected = naive_errors(confidence.ravel(), correct.ravel())
    assert errors(confidence, correct) == pytest.approx(expected, abs=1e-12)
    for pooled in (np.sum(tables, axis=0), torch.tensor(np.sum(tables, axis=0))):
        found = ece_from_counts(pooled), mce_from_counts(pooled)
        assert found == pytest.approx(expected, abs=1e-12)
    assert calibration_counts([], []).sum() == 0


@pytest.mark.parametrize('dtype', [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_torch_types(dtype):
    generator = torch.Generator().manual_seed(0)
    confidence = torch.rand(20, 30, generator=generator).to(dtype)
    correct = torch.rand(20, 30, generator=generator) < 0.5
    expected = naive_errors(confidence.double().ravel().tolist(), correct.ravel().tolist())
    for view in (lambda t: t, lambda t: t.T, lambda t: t[None]):
        found = errors(view(confidence), view(correct))
        assert found == pytest.approx(expected, abs=1e-12)
        assert errors(view(confidence), view(correct).int()) == found


def test_rounding_above_one_belongs_to_the_last_bin():
    counts = calibration_counts([1 + 5e-7], [1], bins=4)
    assert counts[:, 0].tolist() == [0, 0, 0, 1]


@pytest.mark.parametrize(
    ('confidence', 'correct', 'bins', 'message'),
    [
        ([0.5], [1], 0, '`bins` must be >= 1, got 0'),
        ([0.5, 0.6], [1], 15, r'same shape, got `confidence` \(2,\), `correct` \(1,\)'),
        ([0.5, 1.1], [1, 0], 15, r'`confidence` must be in \[0, 1\], got 0.5 to 1.1'),
        ([-0.1], [1], 15, '`confidence` must be in'),
        ([float('nan')], [1], 15, '`confidence` must be finite'),
        ([float('inf')], [1], 15, '`confidence` must be finite'),
        ([0.5], [3], 15, r'`correct` must be boolean or hold only 0 and 1, got \[3\]'),
        ([], [], 15, 'counts no value: the calibration error is undefined'),
    ],
)
def test_bad_input(confidence, correct, bins, message):
    with pytest.raises(ValueError, match=message):
        expected_calibration_error(confidence, correct, bins)


@pytest.mark.parametrize('function', [ece_from_counts, mce_from_counts, reliability_curve])
def test_bad_table(function):
    for shape in [(3, 2), (3,), (2, 3, 3)]:
        with pytest.raises(ValueError, match=r'`counts` must have shape \(bins, 3\), got'):
            function(np.zeros(shape))
    with pytest.raises(ValueError, match='`counts` counts no value'):
        function(np.zeros((15, 3)))
