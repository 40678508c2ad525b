"""The bounds of the area under the risk-coverage curve, against a loop in fractions."""

import math
from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmseg_abnn.evaluation.functional import ScoreHistogram, aurc_bounds


def mean_risk(errors):
    """Mean over k of the share of errors among the first k predictions."""
    found, total = 0, Fraction(0)
    for k, error in enumerate(errors, 1):
        found += Fraction(error)
        total += found / k
    return float(total / len(errors))


def naive_aurc(uncertainty, wrong):
    """One prediction after the other; errors among equal uncertainties are spread evenly."""
    uncertainty, wrong = np.ravel(uncertainty), np.ravel(wrong).astype(int)
    shares = []
    for value in sorted(set(uncertainty.tolist())):
        group = wrong[uncertainty == value]
        shares += [Fraction(int(group.sum()), len(group))] * len(group)
    return mean_risk(shares)


def float_aurc(uncertainty, wrong):
    """The same for many predictions: in floating point, summed without rounding."""
    _, inverse, counts = np.unique(uncertainty, return_inverse=True, return_counts=True)
    shares = np.bincount(inverse, weights=wrong) / counts
    found = np.cumsum(np.repeat(shares, counts))
    return math.fsum((found / np.arange(1, len(wrong) + 1)).tolist()) / len(wrong)


def histogram_of(uncertainty, wrong, bits):
    histogram = ScoreHistogram(bits)
    histogram.update(uncertainty, wrong)
    return histogram


VALUES = st.one_of(
    st.sampled_from([0.0, -0.0, 0.1, 1 / 3, 1e-40, -1e-40, 1e30, -1e30, 1e300, 0.5, -2.5]),
    st.integers(0, 9).map(lambda k: k / 9),
    st.floats(0, 3),
    st.floats(-1e3, 1e3),
)


@st.composite
def predictions(draw):
    pool = draw(st.one_of(st.none(), st.lists(VALUES, min_size=1, max_size=5)))
    value = VALUES if pool is None else st.sampled_from(pool)
    pixels = draw(st.lists(st.tuples(value, st.booleans()), min_size=1, max_size=80))
    return np.array([p[0] for p in pixels]), np.array([p[1] for p in pixels])


@settings(deadline=None, max_examples=150)
@given(data=predictions(), bits=st.integers(1, 8), parts=st.integers(1, 4))
def test_aurc_lies_inside_the_bounds(data, bits, parts):
    uncertainty, wrong = data
    histogram = ScoreHistogram(bits)
    for part in np.array_split(np.arange(len(wrong)), parts):
        histogram.update(uncertainty[part], wrong[part])
    low, high = aurc_bounds(histogram)
    assert 0 <= low <= naive_aurc(uncertainty, wrong) <= high <= 1
    assert type(low) is type(high) is float
    assert aurc_bounds(histogram.cells()) == (low, high)


@settings(deadline=None, max_examples=100)
@given(
    errors=st.lists(st.lists(st.booleans(), min_size=1, max_size=90), min_size=1, max_size=5),
    known=st.booleans(),
)
def test_bounds_are_those_of_the_worst_and_the_best_order(errors, known):
    # At 1 bit the cells of [1, 2) are [1, 1.5) and [1.5, 2), of [1/2, 1): [.5, .75) and [.75, 1).
    uncertainty, wrong, last, first = [], [], [], []
    for edge, group in zip([0.5, 0.75, 1.0, 1.5, 2.0], errors, strict=False):
        offsets = np.zeros(len(group)) if known else np.arange(len(group)) / 1000
        uncertainty += (edge + offsets).tolist()
        wrong += group
        last += sorted(group)
        first += sorted(group, reverse=True)
    low, high = aurc_bounds(histogram_of(np.array(uncertainty), np.array(wrong), 1))
    if known:
        expected = naive_aurc(uncertainty, wrong)
        assert (low, high) == pytest.approx((expected, expected), abs=3e-12)
    else:
        assert (low, high) == pytest.approx((mean_risk(last), mean_risk(first)), abs=3e-12)


@pytest.mark.parametrize('size', [1, 2, 62, 63, 64, 65, 127, 5000, 200_000])
@pytest.mark.parametrize('ties', [False, True])
def test_sizes(size, ties):
    rng = np.random.default_rng(size)
    uncertainty = rng.random(size)
    if ties:
        uncertainty = np.round(uncertainty, 2)
    wrong = rng.random(size) < uncertainty
    expected = float_aurc(uncertainty, wrong)
    low, high = aurc_bounds(histogram_of(uncertainty, wrong, 12))
    assert low - 1e-12 < expected < high + 1e-12
    assert high - low < 2e-3


def test_ties_are_the_mean_over_all_orders():
    wrong = [0, 1, 0, 0, 1, 1]
    orders = [mean_risk([0, 1, *order]) for order in permutations(wrong)]
    low, high = aurc_bounds(histogram_of([0.1, 0.2] + [0.3] * 6, [0, 1, *wrong], 8))
    assert low < np.mean(orders) < high < low + 1e-11


def test_by_hand():
    # The shares of errors are 0, 1/2, 1/3, 2/4.
    low, high = aurc_bounds(histogram_of([0.4, 0.1, 0.3, 0.2], [1, 0, 0, 1], 8))
    assert low < (0 + 1 / 2 + 1 / 3 + 1 / 2) / 4 < high < low + 1e-11
    # Of two ties one is wrong: 1/2 and 1.5/2 after a wrong one.
    low, high = aurc_bounds(histogram_of([0.0, 1.0, 1.0], [1, 0, 1], 8))
    assert low < (1 + 1.5 / 2 + 2 / 3) / 3 < high < low + 1e-11


def test_extremes():
    uncertainty = np.linspace(0, 1, 1000)
    constant = histogram_of(np.full(1000, 0.1), np.arange(1000) < 300, 4)
    assert aurc_bounds(constant) == pytest.approx((0.3, 0.3), abs=1e-11)
    ordered = np.arange(1000) >= 700
    best, worst = (aurc_bounds(histogram_of(uncertainty, w, 12)) for w in (ordered, ordered[::-1]))
    assert best[1] < 0.07 < 0.5 < worst[0]
    assert aurc_bounds(histogram_of(uncertainty, np.zeros(1000), 4)) == (0, 1e-12)
    assert aurc_bounds(histogram_of(uncertainty, np.ones(1000), 4)) == pytest.approx((1, 1))


def test_bounds_come_together_with_more_bits():
    rng = np.random.default_rng(0)
    uncertainty = rng.random(50_000).astype(np.float32)
    wrong = rng.random(50_000) < uncertainty
    expected, gaps = float_aurc(uncertainty, wrong), []
    for bits in range(3, 12):
        low, high = aurc_bounds(histogram_of(uncertainty, wrong, bits))
        assert low <= expected <= high
        gaps.append(high - low)
    assert (np.diff(gaps) < 0).all()
    assert 2**8 / 2 < gaps[0] / gaps[-1] < 2**8 * 2


def test_bounds_of_parts_are_those_of_all():
    rng = np.random.default_rng(0)
    parts = [(rng.normal(size=500), rng.random(500) < 0.2) for _ in range(3)]
    histograms = [histogram_of(*part, 6) for part in parts]
    whole = histogram_of(*(np.concatenate(columns) for columns in zip(*parts, strict=True)), 6)
    assert aurc_bounds(histograms[2] + histograms[0] + histograms[1]) == aurc_bounds(whole)


def test_bounds_of_nothing_are_undefined():
    assert np.isnan(aurc_bounds(ScoreHistogram(4))).tolist() == [True, True]


@pytest.mark.parametrize('dtype', [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_torch_types(dtype):
    generator = torch.Generator().manual_seed(0)
    uncertainty = torch.rand(20, 30, generator=generator).to(dtype)
    wrong = torch.rand(20, 30, generator=generator) < uncertainty
    expected = naive_aurc(uncertainty.double().numpy(), wrong.numpy())
    low, high = aurc_bounds(histogram_of(uncertainty, wrong, 5))
    assert low <= expected <= high
    assert aurc_bounds(histogram_of(uncertainty.T, wrong.long().T, 5)) == (low, high)
