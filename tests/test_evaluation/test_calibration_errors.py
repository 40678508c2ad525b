from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmseg_abnn.evaluation.functional import (
    adaptive_calibration_error,
    calibration_counts,
    expected_calibration_error,
    maximum_calibration_error,
    mce_from_counts,
    reliability_curve,
)


def naive_bins(confidence, correct, bins):
    """(mean confidence, accuracy, number) of the bins of equal width that hold a value."""
    found = []
    for i in range(bins):
        low, high = float(Fraction(i, bins)), float(Fraction(i + 1, bins))
        inside = [j for j, c in enumerate(confidence) if low < c <= high or (i == 0 and c == 0.0)]
        if inside:
            mean = sum(float(confidence[j]) for j in inside) / len(inside)
            accuracy = sum(bool(correct[j]) for j in inside) / len(inside)
            found.append((mean, accuracy, len(inside)))
    return found


def naive_adaptive(confidence, correct, bins):
    """Each value goes into the first bin whose last rank holds no smaller value."""
    confidence = [float(c) for c in confidence]
    ordered, number = sorted(confidence), len(confidence)
    ends = [ordered[-(-number * (i + 1) // bins) - 1] for i in range(bins)]
    gaps = [0.0] * bins
    for c, right in zip(confidence, correct, strict=True):
        gaps[next(i for i in range(bins) if c <= ends[i])] += bool(right) - c
    return sum(abs(gap) for gap in gaps) / number


CONFIDENCE = st.one_of(
    st.sampled_from([0.0, 1.0, 0.1, 0.2, 0.5, 1 / 3, 2 / 3, 1e-40, 1 - 1e-12]), st.floats(0, 1)
)


@st.composite
def predictions(draw):
    pool = draw(st.one_of(st.none(), st.lists(CONFIDENCE, min_size=1, max_size=4)))
    value = CONFIDENCE if pool is None else st.sampled_from(pool)
    pixels = draw(st.lists(st.tuples(value, st.booleans()), min_size=1, max_size=60))
    return np.array([p[0] for p in pixels]), np.array([p[1] for p in pixels])


BINS = st.sampled_from([1, 2, 3, 7, 10, 15, 100])


@settings(deadline=None, max_examples=150)
@given(data=predictions(), bins=BINS)
def test_maximum_error_equals_a_loop(data, bins):
    expected = max(abs(mean - accuracy) for mean, accuracy, _ in naive_bins(*data, bins))
    found = maximum_calibration_error(*data, bins)
    assert type(found) is float
    assert found == pytest.approx(expected, abs=1e-12)
    assert mce_from_counts(calibration_counts(*data, bins)) == found
    assert expected_calibration_error(*data, bins) <= found + 1e-12


@settings(deadline=None, max_examples=150)
@given(data=predictions(), bins=BINS)
def test_reliability_curve_equals_a_loop(data, bins):
    curve = reliability_curve(calibration_counts(*data, bins))
    mean, accuracy, number = zip(*naive_bins(*data, bins), strict=True)
    np.testing.assert_allclose(curve.confidence, mean, rtol=0, atol=1e-12)
    np.testing.assert_allclose(curve.accuracy, accuracy, rtol=0, atol=1e-12)
    assert curve.counts.tolist() == list(number)
    assert curve.counts.dtype == np.int64


@settings(deadline=None, max_examples=200)
@given(data=predictions(), bins=BINS, seed=st.integers(0, 10**6))
def test_adaptive_error_equals_a_loop_in_any_order(data, bins, seed):
    confidence, correct = data
    found = adaptive_calibration_error(confidence, correct, bins)
    assert type(found) is float
    assert found == pytest.approx(naive_adaptive(confidence, correct, bins), abs=1e-12)
    order = np.random.default_rng(seed).permutation(len(correct))
    again = adaptive_calibration_error(confidence[order], correct[order], bins)
    assert again == pytest.approx(found, abs=1e-12)


@pytest.mark.parametrize(('size', 'bins'), [(600, 15), (601, 15), (14, 15), (1000, 7), (5, 1)])
def test_adaptive_bins_hold_equally_many_values(size, bins):
    rng = np.random.default_rng(0)
    confidence = rng.random(size) ** 0.2
    correct = rng.random(size) < 0.8
    order = np.argsort(confidence)
    ends = [-(-size * i // bins) for i in range(bins + 1)]
    expected = 0.0
    for start, end in pairwise(ends):
        inside = order[start:end]
        assert len(inside) in (size // bins, size // bins + 1)
        expected += abs(correct[inside].sum() - confidence[inside].sum()) / size
    found = adaptive_calibration_error(confidence, correct, bins)
    assert found == pytest.approx(expected, abs=1e-12)


def test_by_hand():
    confidence, correct = [0.2, 0.6, 0.8, 0.9], [0, 1, 1, 0]
    # (0, .5]: .2 and none right; (.5, 1]: 2.3 / 3 and 2 / 3 right
    assert maximum_calibration_error(confidence, correct, 2) == pytest.approx(0.2, abs=1e-15)
    curve = reliability_curve(calibration_counts(confidence, correct, 4))
    np.testing.assert_allclose(curve.confidence, [0.2, 0.6, 0.85], rtol=1e-15)
    np.testing.assert_allclose(curve.accuracy, [0, 1, 0.5], rtol=1e-15)
    assert curve.counts.tolist() == [1, 1, 2]
    # {.2, .6}: .8 for 1 right; {.8, .9}: 1.7 for 1 right
    assert adaptive_calibration_error(confidence, correct, 2) == pytest.approx(0.9 / 4, abs=1e-15)
    # Equal values stay together, in the first bin: the second has one value.
    found = adaptive_calibration_error([0.5, 0.5, 0.5, 0.9], [1, 1, 0, 0], 2)
    assert found == pytest.approx((0.5 + 0.9) / 4, abs=1e-15)
    assert adaptive_calibration_error([0.7] * 10, [1] * 4 + [0] * 6, 5) == pytest.approx(0.3)


def test_perfect_calibration():
    confidence = np.repeat([0.25, 0.75], 400)
    correct = np.concatenate([np.arange(400) < 100, np.arange(400) < 300])
    assert maximum_calibration_error(confidence, correct) == 0
    assert adaptive_calibration_error(confidence, correct) == 0
    assert maximum_calibration_error(confidence, ~correct) == 0.5
    assert adaptive_calibration_error(confidence, ~correct) == 0.5


def test_tables_of_parts_add_up():
    rng = np.random.default_rng(1)
    confidence = rng.random((4, 30, 20))
    correct = rng.random((4, 30, 20)) < confidence
    tables = [calibration_counts(c, r) for c, r in zip(confidence, correct, strict=True)]
    whole = maximum_calibration_error(confidence, correct)
    assert mce_from_counts(np.sum(tables, axis=0)) == pytest.approx(whole, abs=1e-12)
    assert mce_from_counts(torch.tensor(np.sum(tables, axis=0))) == pytest.approx(whole, abs=1e-12)


@pytest.mark.parametrize('dtype', [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_torch_types(dtype):
    generator = torch.Generator().manual_seed(0)
    confidence = torch.rand(20, 30, generator=generator).to(dtype)
    correct = torch.rand(20, 30, generator=generator) < 0.5
    values, labels = confidence.double().ravel().tolist(), correct.ravel().tolist()
    expected = max(abs(mean - accuracy) for mean, accuracy, _ in naive_bins(values, labels, 15))
    for view in (lambda t: t, lambda t: t.T, lambda t: t[None]):
        found = maximum_calibration_error(view(confidence), view(correct))
        assert found == pytest.approx(expected, abs=1e-12)
        found = adaptive_calibration_error(view(confidence), view(correct).int())
        assert found == pytest.approx(naive_adaptive(values, labels, 15), abs=1e-12)


@pytest.mark.parametrize('function', [maximum_calibration_error, adaptive_calibration_error])
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
        ([], [], 15, 'calibration error is undefined'),
    ],
)
def test_bad_input(function, confidence, correct, bins, message):
    with pytest.raises(ValueError, match=message):
        function(confidence, correct, bins)


@pytest.mark.parametrize('function', [mce_from_counts, reliability_curve])
def test_bad_table(function):
    for shape in [(3, 2), (3,), (2, 3, 3)]:
        with pytest.raises(ValueError, match=r'`counts` must have shape \(bins, 3\), got'):
            function(np.zeros(shape))
    with pytest.raises(ValueError, match='`counts` counts no value'):
        function(np.zeros((15, 3)))
