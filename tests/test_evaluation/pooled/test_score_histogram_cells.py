"""The cells of ScoreHistogram: what they count, where their edges lie, what they take."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.score_histogram_samples import (
    MAX32,
    NUMBERS,
    SPECIAL,
    assert_same,
    histogram_of,
    large_maps,
    naive_cells,
)
from mmseg_abnn.evaluation.functional import ScoreHistogram
from mmseg_abnn.evaluation.pooled import score_table
from mmseg_abnn.evaluation.pooled.score_grid import FINEST, num_cells, octave_bits

# Counts


@pytest.mark.parametrize(
    'size', [1, 2, 3, 2**15 - 1, 2**15, 2**15 + 1, 2**17 - 1, 2**17, 2**17 + 1, 2**18 + 3]
)
def test_counts_equal_a_loop(size):
    rng = np.random.default_rng(size)
    scores = (rng.normal(size=size) * 10.0 ** rng.integers(-4, 5, size)).astype(np.float32)
    scores[::7] = 0.1
    scores[::11] = 0
    positives = rng.random(size) < 0.3
    found, expected = (
        histogram_of([(scores, positives)], 3).cells(),
        naive_cells(scores, positives, 3),
    )
    for name in ('edges', 'positives', 'negatives'):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    assert found.positives.dtype == found.negatives.dtype == np.int64
    assert not (found.tied & ~expected.tied).any()


@settings(deadline=None, max_examples=100)
@given(
    scores=st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1),
    bits=st.integers(1, 9),
)
def test_counts_of_any_numbers_equal_a_loop(scores, bits):
    scores = np.array(scores, np.float32)
    positives = np.arange(scores.size) % 3 == 0
    found = histogram_of([(scores, positives)], bits).cells()
    expected = naive_cells(scores, positives, bits)
    for name in ('edges', 'positives', 'negatives'):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    # A map that is compared pixel by pixel: ties are known exactly.
    repeated = histogram_of([(scores.repeat(2), positives.repeat(2))], bits).cells()
    np.testing.assert_array_equal(repeated.tied, expected.tied)


def test_counts_beyond_int32():
    histogram = ScoreHistogram(bits=3)
    histogram.update([0.1, 0.1, 0.1, 5.0, 5.0, -2.0], [1, 1, 0, 1, 0, 0])
    before, numbers = histogram.cells(), histogram.compute()
    for _ in range(32):
        histogram += histogram
    np.testing.assert_array_equal(histogram.cells().positives, before.positives * 2**32)
    np.testing.assert_array_equal(histogram.cells().negatives, before.negatives * 2**32)
    assert histogram.compute()['num_positives'] == 3 * 2**32
    for name in NUMBERS:
        assert histogram.compute()[name] == pytest.approx(numbers[name], abs=1e-9)
    histogram.update([0.1], [1])
    assert histogram.compute()['num_positives'] == 3 * 2**32 + 1
    fresh = ScoreHistogram(bits=3)
    fresh += histogram
    assert_same(fresh, histogram)
    assert_same(pickle.loads(pickle.dumps(histogram)), histogram)


@pytest.mark.parametrize('score', [0.1, -0.1])
def test_update_that_leaves_int32(score):
    histogram = ScoreHistogram(bits=3)
    histogram.update([score], [1])
    table = histogram._tables[score < 0]
    assert table._totals.dtype == np.int32
    # As if as many had been counted as can be
    table._totals[table._totals > 0] = 2**31 - 10
    table._positives[table._positives > 0] = 2**31 - 10
    table._num_scores = table._num_positives = 2**31 - 10
    histogram.update(np.full(9, score), np.ones(9))
    assert table._totals.dtype == np.int32
    histogram.update(np.full(100, score), np.ones(100))
    assert table._totals.dtype == table._positives.dtype == np.int64
    assert histogram.cells().positives.tolist() == [2**31 + 99]
    assert histogram.cells().negatives.tolist() == [0]


def test_a_limit_that_is_reached_early(monkeypatch):
    maps = large_maps()
    expected = histogram_of(maps, 5)
    monkeypatch.setattr(score_table, '_INT32_MAX', 30_000)
    histogram = histogram_of(maps, 5)
    assert histogram._tables[False]._totals.dtype == np.int64
    assert_same(histogram, expected)
    parts = [histogram_of(maps[:1], 5), histogram_of(maps[1:], 5)]
    assert parts[0]._tables[False]._totals.dtype == np.int32
    assert_same(parts[0] + parts[1], expected)
    assert_same(parts[1] + parts[0], expected)


# The grid


FLOATS32 = st.one_of(
    st.floats(width=32, allow_nan=False, allow_infinity=False),
    st.sampled_from([float(np.float32(np.clip(v, -MAX32, MAX32))) for v in SPECIAL]),
    st.floats(0, 4, width=32),
)


@settings(deadline=None, max_examples=150)
@given(pair=st.tuples(FLOATS32, FLOATS32), step=st.booleans(), bits=st.integers(1, 12))
def test_cells_follow_the_scores(pair, step, bits):
    low, high = sorted(np.array(pair, np.float32))
    if step and high < MAX32:  # neighbours, where an edge may lie
        low, high = high, np.nextafter(high, np.float32(np.inf))
    edges = [histogram_of([([v], [1])], bits).cells().edges for v in (low, high)]
    assert [edge.shape for edge in edges] == [(1,), (1,)]
    assert edges[0] <= edges[1]
    together = histogram_of([(np.array([low, high]), [1, 0])], bits).cells()
    if low < 0 <= high:
        assert together.edges.size == 2
    if together.edges.size == 2:
        # High scores come first.
        assert together.negatives.tolist() == [1, 0]
        np.testing.assert_array_equal(together.edges, [edges[1][0], edges[0][0]])
    for score, edge in zip((low, high), edges, strict=True):
        assert abs(edge[0]) <= abs(score)
        assert np.signbit(edge[0]) == (score < 0)


@settings(deadline=None, max_examples=100)
@given(scores=st.lists(FLOATS32, min_size=1), bits=st.integers(1, 12))
def test_edges_bracket_the_scores(scores, bits):
    scores = np.array(scores, np.float32)
    cells = histogram_of([(scores, np.zeros(scores.size))], bits).cells()
    assert (np.diff(cells.edges) <= 0).all()
    above, below = np.signbit(cells.edges) == 0, np.signbit(cells.edges)
    assert (np.diff(cells.edges[above]) < 0).all()
    assert (np.diff(cells.edges[below]) < 0).all()
    # From zero upwards an edge is the lower end of its cell, below zero the upper one.
    upwards, downwards = cells.edges[above][::-1], -cells.edges[below]
    found = np.searchsorted(upwards, scores[scores >= 0], side='right') - 1
    np.testing.assert_array_equal(
        np.bincount(found, minlength=upwards.size), cells.negatives[above][::-1]
    )
    found = np.searchsorted(downwards, -scores[scores < 0], side='right') - 1
    np.testing.assert_array_equal(
        np.bincount(found, minlength=downwards.size), cells.negatives[below]
    )


@pytest.mark.parametrize(
    ('low', 'width'), [(0.25, 2**-24), (0.5, 2**-24), (1.0, 2**-23), (2.0, 2**-22)]
)
def test_documented_widths(low, width):
    # From 0 upwards the octave of 1 is number 127.
    bits = octave_bits(False, 0)[127 + int(np.log2(low))]
    assert low / 2**bits == width


@pytest.mark.parametrize('bits', [1, 3, 7, 10])
def test_finest_octaves_have_as_many_cells_as_bits_say(bits):
    for low, high in [(0.5, 1), (1, 2)]:
        scores = np.linspace(low, high, 2**14, endpoint=False, dtype=np.float32)
        edges = histogram_of([(scores, scores > 1)], bits).cells().edges
        np.testing.assert_array_equal(
            edges[::-1], low + (high - low) * np.arange(2**bits) / 2**bits
        )


# Memory


def test_memory_does_not_grow():
    rng = np.random.default_rng(0)
    histogram = ScoreHistogram(10)
    assert histogram.nbytes == 0
    for kind in ('continuous', 'repeated', 'negative'):
        sizes = set()
        for size in (20_000, 50_000, 200_000):
            scores = rng.permutation(size) / size + 1e-9
            if kind == 'repeated':
                scores = np.full(size, 0.1)
            elif kind == 'negative':
                scores = -1 - scores
            histogram.update(scores, rng.random(size) < 0.5)
            histogram.compute()
            sizes.add(histogram.nbytes)
        assert len(sizes) == 1


def test_documented_memory():
    above, below = num_cells(False, FINEST - 12), num_cells(True, FINEST - 12)
    rng = np.random.default_rng(0)
    histogram = ScoreHistogram(12)
    histogram.update(rng.permutation(100_000) / 100_000, rng.random(100_000) < 0.5)
    per_cell = 8
    assert histogram.nbytes == per_cell * above
    histogram.update(rng.permutation(100_000) / 100_000 - 2, rng.random(100_000) < 0.5)
    assert histogram.nbytes == per_cell * (above + below)
    # Small maps, and maps in which scores repeat
    for _ in range(5):
        histogram.update(rng.integers(0, 50, 100) / 51, rng.random(100) < 0.5)
        histogram.update(rng.integers(0, 50, 100_000) / 51, rng.random(100_000) < 0.5)
    histogram.compute()
    assert histogram.nbytes == per_cell * (above + below) + 32 * 50
    assert 8 * num_cells(False, 0) / 1e6 == pytest.approx(299, abs=1)
    assert 8 * num_cells(True, 0) / 1e6 == pytest.approx(40, abs=1)
    assert num_cells(False, 0) / num_cells(False, 1) == pytest.approx(2, abs=0.1)


def test_cells_of_coarser_resolution():
    maps = large_maps()
    histogram = histogram_of(maps, 9)
    for bits in (1, 3, 4, 8, 9):
        found, expected = histogram.cells(bits), histogram_of(maps, bits).cells()
        for name in ('edges', 'positives', 'negatives'):
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
            assert getattr(found, name).dtype == getattr(expected, name).dtype
        # Fewer ties are known, but none that is not one.
        assert not (found.tied & ~expected.tied).any()
    np.testing.assert_equal(histogram.cells(9), histogram.cells())
    assert all(column.shape == (0,) for column in ScoreHistogram(9).cells(4))
    for bits in (0, 10, 4.0, '4'):
        with pytest.raises(ValueError, match='`bits` must be an integer from 1 to 9, got'):
            histogram.cells(bits)
