"""ScoreHistogram knows which scores of a cell are equal, and its bounds then meet."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.score_histogram_samples import (
    MAX32,
    SPECIAL,
    as_doubles,
    assert_close,
    assert_exact_is_inside,
    exact_numbers,
    few_values,
    histogram_of,
    naive_cells,
    pooled,
    score_maps,
)
from mmseg_abnn.evaluation.functional.scores import entropy, probabilities
from mmseg_abnn.evaluation.pooled.score_grid import FINEST


@settings(deadline=None, max_examples=150)
@given(maps=score_maps(), bits=st.integers(1, 10))
def test_a_tied_cell_holds_equal_scores(maps, bits):
    cells = histogram_of(maps, bits).cells()
    scores, _ = pooled(maps)
    # Rounding to float32 may move a float64 score up to an edge, as it moves it into the cell.
    rounded = scores.clip(-MAX32, MAX32).astype(np.float32)
    for index in np.flatnonzero(cells.tied):
        edge = cells.edges[index]
        if np.signbit(edge):
            beyond = cells.edges[index + 1 :]
            inside = (rounded <= edge) & (scores < 0)
            inside &= rounded > (beyond[0] if beyond.size else -np.inf)
        else:
            beyond = cells.edges[:index]
            inside = (rounded >= edge) & (scores >= 0)
            inside &= rounded < (beyond[-1] if beyond.size else np.inf)
        assert inside.sum() == cells.positives[index] + cells.negatives[index]
        assert np.unique(scores[inside]).size == 1


@pytest.mark.parametrize(
    ('name', 'bits'),
    [('bytes', 16), ('ninths', 10), ('votes', 12), ('rounded', 16), ('bytes', FINEST)],
)
def test_ties_over_several_updates(name, bits):
    rng = np.random.default_rng(0)
    maps = []
    for size in [(40, 50), (300, 211), (1, 3000)]:
        scores = few_values(rng, name, size)
        maps.append((scores, rng.random(size) < 0.3 + 0.2 * as_doubles(scores).reshape(size)))
    maps.append((np.zeros((30, 30)), rng.random((30, 30)) < 0.1))
    expected = exact_numbers(*pooled(maps))
    for order in [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1)][: 1 if bits == FINEST else 3]:
        histogram = histogram_of([maps[i] for i in order], bits)
        found = histogram.compute()
        assert histogram.cells().tied.all()
        assert found['gap'] < 1e-11
        assert_close(found, expected)


@settings(deadline=None, max_examples=60)
@given(
    values=st.lists(st.sampled_from(SPECIAL), min_size=1, max_size=5),
    picks=st.lists(st.tuples(st.integers(0, 4), st.lists(st.booleans(), min_size=2)), max_size=8),
)
def test_ties_of_constant_maps(values, picks):
    # One value for each cell
    values = list({float(np.float32(np.clip(v, -MAX32, MAX32))): v for v in values}.values())
    maps = [(np.full(2, values[0]), np.array([True, False]))]
    for index, labels in picks:
        maps.append((np.full(len(labels), values[index % len(values)]), np.array(labels)))
    histogram = histogram_of(maps, 13)
    scores, positives = pooled(maps)
    found = histogram.compute()
    if len(histogram.cells().tied) == np.unique(scores).size:
        assert found['gap'] < 1e-11
    assert_exact_is_inside(found, exact_numbers(scores, positives))


def test_ties_of_half_precision():
    generator = torch.Generator().manual_seed(0)
    maps = []
    for dtype in (torch.float16, torch.bfloat16, torch.float16):
        logits = 6 * torch.randn(8, 90, 170, generator=generator)
        positives = torch.rand(90, 170, generator=generator) < 0.1
        scores = entropy(probabilities(logits)) + positives / 2
        maps.append((scores.to(dtype), positives))
    histogram = histogram_of(maps, FINEST)
    found = histogram.compute()
    assert histogram.cells().tied.all()
    assert found['gap'] < 1e-11
    assert_close(found, exact_numbers(*pooled(maps)))


def test_two_close_values_are_not_called_equal():
    # Each map is constant, but together they are two values in one cell.
    positive, negative = np.float32(0.7), np.nextafter(np.float32(0.7), np.float32(1))
    maps = [(np.full(50, positive), np.ones(50)), (np.full(50, negative), np.zeros(50))]
    histogram = histogram_of(maps, 10)
    assert histogram.cells().tied.tolist() == [False]
    assert histogram.compute()['AUROC_bounds'] == (0.0, 1.0)
    # The same in double precision, where float32 numbers are equal
    maps = [(np.full(9, 0.1), np.ones(9)), (np.full(9, np.float32(0.1)), np.zeros(9))]
    assert histogram_of(maps, FINEST).cells().tied.tolist() == [False]


@pytest.mark.parametrize('floor', [0.0, 0.5, 0.75, 0.8])
def test_a_frequent_value_among_others_of_its_cell_is_not_called_tied(floor):
    rng = np.random.default_rng(0)
    scores = np.maximum(rng.uniform(-1, 1, 60_000), floor).astype(np.float32)
    scores[:9] = np.nextafter(np.float32(floor), np.float32(1))
    positives = rng.random(scores.size) < 0.1 + scores / 2
    for bits in (3, 7):
        histogram = histogram_of([(scores, positives)], bits)
        cells, expected = histogram.cells(), naive_cells(scores, positives, bits)
        np.testing.assert_array_equal(cells.negatives, expected.negatives)
        assert not (cells.tied & ~expected.tied).any()
        assert not expected.tied[-1]
        assert_exact_is_inside(histogram.compute(), exact_numbers(scores, positives))


def test_ties_of_updates_in_which_nothing_repeats():
    scores = np.arange(1, 256) / 255
    rng = np.random.default_rng(0)
    maps = [(scores, rng.random(255) < scores) for _ in range(3)]
    maps += [(np.array([0.1]), [1]), (np.array([0.1]), [0])]
    histogram = histogram_of(maps, 14)
    assert histogram.compute()['gap'] < 1e-11


def test_ties_of_rare_values_among_zeros():
    rng = np.random.default_rng(0)
    scores = np.zeros((200, 200), np.float32)
    scores.flat[rng.choice(scores.size, 600, replace=False)] = rng.choice([0.1, 0.3, 0.7], 600)
    histogram = histogram_of([(scores, rng.random(scores.shape) < 0.1 + scores)], 14)
    assert len(histogram.cells().edges) == 4
    assert histogram.compute()['gap'] < 1e-11


def test_ties_of_a_map_enlarged_by_nearest_neighbour():
    rng = np.random.default_rng(0)
    small = (np.arange(1, 100 * 101 + 1) / 10_101).astype(np.float32).reshape(100, 101)
    scores = rng.permuted(small, axis=1).repeat(2, 0).repeat(2, 1)
    histogram = histogram_of([(scores, rng.random(scores.shape) < scores)], 17)
    assert len(histogram.cells().edges) == small.size
    assert histogram.compute()['gap'] < 1e-11


@pytest.mark.parametrize('together', [False, True])
@pytest.mark.parametrize('floor', [0.5, 0.75, 0.8])
def test_ties_at_a_floor(floor, together):
    """Many scores are clamped to one value, on an edge of the grid or not; others are distinct."""
    rng = np.random.default_rng(0)
    clamped = np.full(40_000, floor, np.float32)
    # In the middle of cells, one in each
    others = (np.arange(20_000) / 2**17 + floor + 1.3 / 2**16).astype(np.float32)
    maps = [(scores, rng.random(scores.size) < 0.5 * scores) for scores in (clamped, others)]
    if together:
        maps = [tuple(np.concatenate(columns) for columns in zip(*maps, strict=True))]
    for order in (maps, maps[::-1]):
        histogram = histogram_of(order, 16)
        assert len(histogram.cells().edges) == 20_001
        assert histogram.compute()['gap'] < 1e-11


def test_ties_of_zeros_beside_a_subnormal_number():
    rng = np.random.default_rng(0)
    scores = np.zeros(40_000, np.float32)
    scores[:2] = 1e-38, 0.5
    histogram = histogram_of([(scores, rng.random(scores.size) < 0.3)], 16)
    assert len(histogram.cells().edges) == 3
    assert histogram.compute()['gap'] < 1e-11
