"""Histograms of parts add up to the histogram of the whole."""

import copy
import pickle
from functools import reduce

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.score_histogram_samples import (
    NUMBERS,
    SPECIAL,
    assert_exact_is_inside,
    assert_same,
    exact_numbers,
    histogram_of,
    large_maps,
    pooled,
)
from mmseg_abnn.evaluation.functional import ScoreHistogram
from mmseg_abnn.evaluation.pooled import score_table


def random_map(rng):
    """A map whose values repeat, a continuous one, or one of special values; or an empty one."""
    size = int(rng.choice([0, 1, 2, 17, 60]))
    kind = rng.choice(['few', 'continuous', 'constant', 'grid', 'doubles', 'special'])
    scores = {
        'few': lambda: (rng.integers(-2, 10, size) / 9).astype(np.float32),
        'continuous': lambda: rng.normal(size=size).astype(np.float32),
        'constant': lambda: np.full(size, rng.choice([0.1, 0.7, -0.1, 0.0]), np.float32),
        'grid': lambda: rng.integers(0, 4, size) / 4,
        'doubles': lambda: rng.choice([0.1, 0.7, 1e300, -1e-300], size),
        'special': lambda: rng.choice(np.array(SPECIAL), size),
    }[kind]()
    return scores, rng.random(size) < 0.4


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10**6), bits=st.integers(1, 7), parts=st.integers(1, 5))
def test_parts_add_up(seed, bits, parts):
    rng = np.random.default_rng(seed)
    maps = [random_map(rng) for _ in range(int(rng.integers(1, 9)))]
    whole = histogram_of(maps, bits)
    part_of = rng.integers(0, parts, len(maps))
    order = rng.permutation(len(maps))
    histograms = [
        histogram_of([maps[i] for i in order if part_of[i] == k], bits) for k in range(parts)
    ]
    if rng.random() < 0.5:
        histograms = [pickle.loads(pickle.dumps(histogram)) for histogram in histograms]
    assert_same(reduce(lambda a, b: a + b, histograms), whole)
    total = ScoreHistogram(bits) if rng.random() < 0.5 else histograms.pop()
    for index in rng.permutation(len(histograms)):
        total += histograms[index]
    assert_same(total, whole)
    # It can go on after that.
    total.update(*maps[0])
    whole.update(*maps[0])
    assert_same(total, whole)


def test_parts_of_large_maps_add_up():
    maps = large_maps()
    whole = histogram_of(maps, 8)
    first, second = histogram_of(maps[3:][::-1], 8), histogram_of(maps[:3], 8)
    assert_same(first + second, whole)
    assert_same(second + first, whole)
    assert_same(pickle.loads(pickle.dumps(second)) + pickle.loads(pickle.dumps(first)), whole)
    assert_same(copy.deepcopy(second) + first, whole)


@pytest.mark.parametrize('size', [7, 64, 1000])
def test_pieces_do_not_matter(monkeypatch, size):
    """How many scores are counted, and how many cells are added up, at a time."""
    maps = [(scores[:50, :20], positives[:50, :20]) for scores, positives in large_maps()]
    expected = histogram_of(maps, 8)
    exact = exact_numbers(*pooled(maps))
    monkeypatch.setattr(score_table, '_CHUNK', size)
    monkeypatch.setattr(score_table, '_BLOCK', size)
    histogram = histogram_of(maps, 8)
    np.testing.assert_equal(histogram.cells(), expected.cells())
    for rule in ('first', 'nearest'):
        found, wanted = (h.compute(rule=rule) for h in (histogram, expected))
        for name in NUMBERS:
            assert found[f'{name}_bounds'] == pytest.approx(wanted[f'{name}_bounds'], abs=1e-14)
    assert_exact_is_inside(histogram.compute(), exact)


def test_adding_leaves_both_as_they_are():
    maps = large_maps()
    a, b = histogram_of(maps[:2], 6), histogram_of(maps[2:], 6)
    a_before, b_before = copy.deepcopy(a), copy.deepcopy(b)
    total = a + b
    assert_same(a, a_before)
    assert_same(b, b_before)
    total.update(*maps[0])
    total += total
    assert_same(a, a_before)
    assert_same(b, b_before)
    a += b
    assert_same(b, b_before)


def test_adding_a_histogram_to_itself_doubles_the_counts():
    a = histogram_of(large_maps(), 6)
    before = a.cells()
    same = a
    a += a
    assert a is same
    np.testing.assert_array_equal(a.cells().positives, 2 * before.positives)
    np.testing.assert_array_equal(a.cells().negatives, 2 * before.negatives)
    np.testing.assert_array_equal(a.cells().edges, before.edges)


def test_empty_parts():
    full, empty = histogram_of(large_maps(), 6), ScoreHistogram(6)
    assert_same(full + empty, full)
    assert_same(empty + full, full)
    assert_same(empty + pickle.loads(pickle.dumps(empty)), empty)
    assert empty.nbytes == 0
    positive, negative = ScoreHistogram(6), ScoreHistogram(6)
    positive.update([0.25, 0.75], [1, 0])
    negative.update([-0.25, -0.75], [1, 0])
    both = histogram_of([([0.25, 0.75, -0.25, -0.75], [1, 0, 1, 0])], 6)
    assert_same(negative + positive, both)


def test_pickle_is_small():
    histogram = histogram_of([([0.1, 0.1, -3.0], [1, 0, 1])], 16)
    assert len(pickle.dumps(histogram)) < 10_000 < histogram.nbytes / 100


def test_histograms_that_do_not_fit():
    a, b = histogram_of([([0.5, 0.1], [1, 0])], 5), ScoreHistogram(6)
    before = copy.deepcopy(a)
    with pytest.raises(ValueError, match='same `bits` to be added, got 5 and 6'):
        a + b
    with pytest.raises(ValueError, match='same `bits` to be added, got 5 and 6'):
        a += b
    for other in (1, None, 'x', np.zeros(3), a.cells()):
        with pytest.raises(TypeError):
            a + other
        with pytest.raises(TypeError):
            a += other
    assert_same(a, before)
