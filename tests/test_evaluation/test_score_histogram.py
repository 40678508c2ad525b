import copy
import pickle
from functools import reduce
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from mmseg_abnn.evaluation.functional import (
    ScoreCells,
    ScoreHistogram,
    detection_metrics,
    msp,
    predictive_entropy,
    score_table,
)
from mmseg_abnn.evaluation.functional.score_grid import FINEST, num_cells, octave_bits

NUMBERS = ('AUROC', 'AUPR', 'FPR95')
MAX32 = float(np.finfo(np.float32).max)


# Oracles


def as_doubles(scores):
    values = scores.detach().double().numpy() if torch.is_tensor(scores) else np.asarray(scores)
    return values.astype(np.float64).ravel()


def ranks(values):
    """Integers in the same order; scikit-learn subtracts scores, which may overflow."""
    return np.unique(values, return_inverse=True)[1].ravel()


def nearest_fpr(values, positives, recall):
    """hendrycks/anomaly-seg, as a loop: upwards from the highest threshold that finds all."""
    best_distance, best_fpr, all_found = None, None, values[positives].min()
    for threshold in np.unique(values):
        if threshold < all_found:
            continue
        accepted = values >= threshold
        distance = abs(np.sum(accepted & positives) / np.sum(positives) - recall)
        if best_distance is None or distance < best_distance:
            best_distance = distance
            best_fpr = np.sum(accepted & ~positives) / np.sum(~positives)
    return best_fpr


def exact_numbers(scores, positives, recall=0.95, rule='first'):
    values = ranks(as_doubles(scores))
    positives = np.asarray(positives).astype(bool).ravel()
    if rule == 'first':
        fpr, tpr, _ = roc_curve(positives, values, drop_intermediate=False)
        fpr95 = fpr[np.argmax(tpr >= recall)]
    else:
        fpr95 = nearest_fpr(values, positives, recall)
    return {
        'AUROC': roc_auc_score(positives, values),
        'AUPR': average_precision_score(positives, values),
        'FPR95': fpr95,
    }


def naive_cells(scores, positives, bits):
    """Count by the bit pattern of float32 numbers: octave and leading bits of the mantissa."""
    scores, positives = scores.ravel(), positives.ravel()
    negative = scores < 0
    pattern = np.abs(scores).view(np.int32).astype(np.int64)
    kept_bits = np.where(
        negative,
        np.array(octave_bits(True, FINEST - bits))[pattern >> 23],
        np.array(octave_bits(False, FINEST - bits))[pattern >> 23],
    )
    cleared = (pattern >> (23 - kept_bits)) << (23 - kept_bits)
    key = np.where(negative, -1 - cleared, cleared)
    found, inverse, totals = np.unique(key, return_inverse=True, return_counts=True)
    counts = np.bincount(inverse.ravel(), weights=positives).astype(np.int64)
    edge = np.where(found < 0, -1 - found, found).astype(np.int32).view(np.float32)
    edge = np.where(found < 0, -edge, edge).astype(np.float64)
    equal = np.array([np.unique(scores[inverse.ravel() == i]).size == 1 for i in range(len(found))])
    return ScoreCells(edge[::-1], counts[::-1], (totals - counts)[::-1], equal[::-1])


def histogram_of(maps, bits):
    histogram = ScoreHistogram(bits)
    for scores, positives in maps:
        histogram.update(scores, positives)
    return histogram


def pooled(maps):
    return (
        np.concatenate([as_doubles(scores) for scores, _ in maps]),
        np.concatenate([np.asarray(positives).astype(bool).ravel() for _, positives in maps]),
    )


def assert_exact_is_inside(found, expected):
    for name in NUMBERS:
        low, high = found[f'{name}_bounds']
        assert 0 <= low <= expected[name] <= high <= 1, name
        assert found[name] == (low + high) / 2
    assert found['gap'] == max(
        found[f'{name}_bounds'][1] - found[f'{name}_bounds'][0] for name in NUMBERS
    )


def assert_close(found, expected):
    for name in NUMBERS:
        assert found[name] == pytest.approx(expected[name], abs=1e-9), name


def assert_same(histogram, other):
    """Equal to the last bit; NaN equals NaN."""
    np.testing.assert_equal(histogram.compute(), other.compute())
    np.testing.assert_equal(histogram.compute(rule='nearest'), other.compute(rule='nearest'))
    for mine, theirs in zip(histogram.cells(), other.cells(), strict=True):
        assert mine.dtype == theirs.dtype
        np.testing.assert_array_equal(mine, theirs)


# Any input that is allowed


SPECIAL = (
    *(0.0, -0.0, 0.1, -0.1, 1 / 3, 0.5, 1.0, 1.5, -1.5, 2.0, 7.0, 63.9, 64.0),
    *(float(np.float32(0.1)), np.nextafter(1.5, 0), np.nextafter(1.5, 2), 1 - 2**-24, 1 - 2**-53),
    *(1e-40, -1e-40, 2e-45, 1e-38, 1e30, -1e30, MAX32, -MAX32, 1e300, -1e300, 1e-300, 5e-324),
)
VALUES = st.one_of(
    st.sampled_from(SPECIAL),
    st.integers(-3, 3).map(float),
    st.integers(0, 9).map(lambda k: k / 9),
    st.floats(0, 1),
    st.floats(-20, 20),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.floats(allow_nan=False, allow_infinity=False),
)
LARGEST = {
    **{torch.float16: 65504.0, torch.bfloat16: 3e38, torch.float32: MAX32, torch.float64: None},
    **{'float16': 65504.0, 'float32': MAX32, 'float64': None, 'int64': 2.0**53, torch.int32: 2e9},
}
RECALLS = st.one_of(st.sampled_from([0.95, 1.0, 0.5, 0.75, 0.25, 0.1, 2 / 3]), st.floats(0.01, 1))


@st.composite
def score_maps(draw):
    """A few maps of one type, with a positive and a negative among them."""
    dtype = draw(st.sampled_from(list(LARGEST)))
    # From a small pool there are many ties.
    pool = draw(st.one_of(st.none(), st.lists(VALUES, min_size=1, max_size=5)))
    value = VALUES if pool is None else st.sampled_from(pool)
    pixels = draw(st.lists(st.tuples(value, st.booleans()), min_size=2, max_size=40))
    values = np.array([pixel[0] for pixel in pixels])
    positives = np.array([pixel[1] for pixel in pixels])
    positives[:2] = True, False
    if LARGEST[dtype] is not None:
        values = values.clip(-LARGEST[dtype], LARGEST[dtype])
    values = (
        torch.from_numpy(values).to(dtype)
        if isinstance(dtype, torch.dtype)
        else values.astype(dtype)
    )
    cuts = sorted(draw(st.lists(st.integers(0, len(values)), max_size=3)))
    ends = [0, *cuts, len(values)]
    return [(values[start:end], positives[start:end]) for start, end in pairwise(ends)]


@settings(deadline=None, max_examples=250)
@given(maps=score_maps(), bits=st.integers(1, 10), recall=RECALLS)
def test_exact_values_lie_inside_the_bounds(maps, bits, recall):
    histogram = histogram_of(maps, bits)
    scores, positives = pooled(maps)
    for rule in ('first', 'nearest'):
        found = histogram.compute(recall, rule)
        assert_exact_is_inside(found, exact_numbers(scores, positives, recall, rule))
        assert found['num_positives'] == positives.sum()
        assert found['num_negatives'] == (~positives).sum()


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


def make_case(name, rng, shape):
    """Score maps that are easy to get wrong."""
    positives = rng.random(shape) < 0.05
    scores = rng.normal(size=shape) + positives
    scale = {'subnormal': 1e-40, 'huge': 1e30, 'huge_doubles': 1e300, 'tiny_doubles': 1e-300}
    if name == 'probabilities':
        scores = rng.random(shape) ** 4
    elif name == 'ties':
        scores = np.round(scores * 2) / 2
    elif name == 'one_positive':
        positives = np.zeros(shape, bool)
        positives[3, 7] = True
    elif name == 'one_negative':
        positives = np.ones(shape, bool)
        positives[3, 7] = False
    elif name == 'negative':
        scores = scores - 20
    elif name in scale:
        scores = scores * scale[name]
    elif name == 'signed_zeros':
        scores = np.where(rng.random(shape) < 0.5, -0.0, 0.0)
        scores[:10] = rng.choice([-1e-45, 1e-45], (10, shape[1]))
    elif name == 'integers':
        scores = np.round(scores * 30).astype(np.int64)
    elif name == 'perfect':
        scores = positives.astype(float)
    elif name == 'inverted':
        scores = -positives.astype(float)
    elif name == 'saturated':  # confident pixels share the lowest score
        scores = np.maximum(scores, 0.8)
    elif name.startswith('constant'):
        scores = np.full(shape, float(name.split('_')[1]))
    return scores, positives


CASES = (
    *('plain', 'probabilities', 'ties', 'one_positive', 'one_negative', 'negative', 'subnormal'),
    *('huge', 'huge_doubles', 'tiny_doubles', 'signed_zeros', 'integers', 'perfect', 'inverted'),
    *('saturated', 'constant_0.1', 'constant_-0.1', 'constant_0', 'constant_-0.0'),
    *('constant_1e-40', 'constant_1e300', 'constant_-7'),
)


@pytest.mark.parametrize('dtype', [np.float32, np.float64])
@pytest.mark.parametrize('bits', [1, 4, 9])
@pytest.mark.parametrize('case', CASES)
def test_cases(case, bits, dtype):
    # The loop over thresholds takes long for many of them.
    for rule, shape in [('first', (100, 80)), ('nearest', (20, 25))]:
        scores, positives = make_case(case, np.random.default_rng(0), shape)
        if scores.dtype != np.int64:
            scores = scores.clip(np.finfo(dtype).min, np.finfo(dtype).max).astype(dtype)
        found = histogram_of([(scores, positives)], bits).compute(rule=rule)
        assert_exact_is_inside(found, exact_numbers(scores, positives, rule=rule))
        if case.startswith('constant'):
            assert found['gap'] < 1e-11
            assert found['AUROC'] == pytest.approx(0.5, abs=1e-11)


@pytest.mark.parametrize('bits', [*range(1, 19), FINEST])
def test_number_of_bits(bits):
    scores, positives = make_case('plain', np.random.default_rng(1), (100, 80))
    found = histogram_of([(scores, positives)], bits).compute()
    assert_exact_is_inside(found, exact_numbers(scores, positives))
    assert found['gap'] < 1 / 2 ** (bits // 2)
    assert all(type(found[name]) is float for name in (*NUMBERS, 'gap'))
    assert all(type(v) is float for name in NUMBERS for v in found[f'{name}_bounds'])
    assert type(found['num_positives']) is type(found['num_negatives']) is int


# How far the bounds are apart


def test_bounds_by_hand():
    histogram = ScoreHistogram(bits=1)  # [1, 2) has the cells [1, 1.5) and [1.5, 2)
    histogram.update(np.array([1.9, 1.6, 1.7, 1.8, 1.1, 1.2]), [1, 1, 0, 0, 1, 0])
    np.testing.assert_array_equal(histogram.cells().edges, [1.5, 1.0])
    found = histogram.compute(recall=0.5)
    approx = {'abs': 3e-12}
    # Of 9 pairs, 2 are won between the cells and 4 + 1 are open inside them.
    assert found['AUROC_bounds'] == pytest.approx((2 / 9, 7 / 9), **approx)
    # Best: 2 of 2 at the first threshold, then 3 of 5.
    assert found['AUPR_bounds'][1] == pytest.approx((2 * 1 + 3 / 5) / 3, **approx)
    # Worst: 1 of 3, 2 of 4, 3 of 6; the bound may lie a little lower.
    worst = (1 / 3 + 2 / 4 + 3 / 6) / 3
    assert worst - 0.02 < found['AUPR_bounds'][0] <= worst
    assert found['FPR95_bounds'] == pytest.approx((0, 2 / 3), **approx)
    assert found['gap'] == pytest.approx(2 / 3, **approx)
    assert found['AUROC'] == pytest.approx(0.5, **approx)


@settings(deadline=None, max_examples=100)
@given(seed=st.integers(0, 10**6), bits=st.integers(1, 6), recall=RECALLS)
def test_bounds_are_those_of_the_worst_and_the_best_order(seed, bits, recall):
    rng = np.random.default_rng(seed)
    size = int(rng.integers(4, 60))
    scores = (rng.random(size) + 0.2).astype(np.float32)
    positives = rng.random(size) < rng.uniform(0.1, 0.9)
    positives[:2] = True, False
    found = histogram_of([(scores, positives)], bits).compute(recall)
    cells = naive_cells(scores, positives, bits)
    best_order, worst_order, labels = [], [], []
    for edge, p, n in zip(*cells[:3], strict=True):
        labels += [True] * p + [False] * n
        # Offsets below a cell's width; positives tied on top, or one by one at the bottom.
        best_order += [(edge, 2)] * p + [(edge, 1)] * n
        worst_order += [(edge, -i) for i in range(p)] + [(edge, 1)] * n
    found_orders = []
    for order in (worst_order, best_order):
        distinct = sorted(set(order))
        found_orders.append(exact_numbers([distinct.index(v) for v in order], labels, recall))
    worst, best = found_orders
    assert found['AUROC_bounds'] == pytest.approx((worst['AUROC'], best['AUROC']), abs=3e-12)
    assert found['FPR95_bounds'] == pytest.approx((best['FPR95'], worst['FPR95']), abs=3e-12)
    assert found['AUPR_bounds'][1] == pytest.approx(best['AUPR'], abs=3e-12)
    # The sum over positives is bounded by an integral.
    assert worst['AUPR'] - 0.05 < found['AUPR_bounds'][0] <= worst['AUPR'] + 1e-15


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 10**6), bits=st.integers(1, 6))
def test_nearest_rule_inside_cells(seed, bits):
    """Cells of one positive, of several and of ties; recalls inside cells and half-way."""
    rng = np.random.default_rng(seed)
    size = int(rng.integers(4, 40))
    scores = np.where(rng.random(size) < 0.3, 1.25, 1 + rng.random(size))
    if seed % 2:
        scores = np.round(scores, 1)
    positives = rng.random(size) < rng.uniform(0.1, 0.9)
    positives[:2] = True, False
    histogram = histogram_of([(scores, positives)], bits)
    number = positives.sum()
    for recall in (*(np.arange(1, 2 * number + 1) / (2 * number)), *rng.uniform(0.01, 1, 3)):
        expected = nearest_fpr(scores, positives, recall)
        low, high = histogram.compute(recall, 'nearest')['FPR95_bounds']
        assert low <= expected <= high
        if histogram.cells().tied.all():
            assert low == high


def test_gap_halves_with_each_bit():
    rng = np.random.default_rng(0)
    positives = rng.random(200_000) < 0.1
    scores = 1 / (1 + np.exp(-rng.normal(size=positives.size) - 2 * positives))
    maps = [(scores.astype(np.float32), positives)]
    gaps = np.array([histogram_of(maps, bits).compute()['gap'] for bits in range(4, 13)])
    assert (gaps[1:] < 0.8 * gaps[:-1]).all()
    assert 2**8 / 1.5 < gaps[0] / gaps[-1] < 2**8 * 1.5


def smooth_scores(generator, score, classes, step, confidence, weaker):
    """Scores of logits that are interpolated as networks do, and OOD where logits are weaker."""
    size = (512, 1280)
    coarse = torch.randn(1, classes, size[0] // step, size[1] // step, generator=generator)
    logits = torch.nn.functional.interpolate(coarse * confidence, size, mode='bilinear')[0]
    positives = torch.rand(size[0] // 32, size[1] // 32, generator=generator) < 0.02
    positives = positives.repeat_interleave(32, 0).repeat_interleave(32, 1)
    return score(torch.where(positives, logits / weaker, logits)), positives


@pytest.mark.parametrize(
    ('score', 'classes', 'step', 'confidence', 'weaker'),
    [
        (msp, 19, 8, 5.0, 4),
        (msp, 10, 16, 8.0, 2),
        (predictive_entropy, 10, 16, 8.0, 4),
        (predictive_entropy, 19, 16, 4.0, 2),
        (predictive_entropy, 15, 16, 3.0, 2),
    ],
)
def test_finest_bounds_of_softmax_scores(score, classes, step, confidence, weaker):
    generator = torch.Generator().manual_seed(0)
    histogram, maps = ScoreHistogram(), []
    for _ in range(3):
        maps.append(smooth_scores(generator, score, classes, step, confidence, weaker))
        histogram.update(*maps[-1])
    found = histogram.compute()
    assert found['num_positives'] + found['num_negatives'] > 1_960_000
    exact = detection_metrics(*pooled(maps))
    assert_exact_is_inside(found, dict(zip(NUMBERS, exact, strict=True)))
    assert found['gap'] < 1e-6


# Ties


def few_values(rng, name, size):
    """Maps in which values repeat, and all pixels of a cell are equal; not on the grid."""
    if name == 'bytes':
        return (rng.integers(0, 256, size) / 255).astype(np.float32)
    if name == 'ninths':
        return rng.integers(-9, 10, size) / 9
    if name == 'votes':
        return torch.from_numpy(rng.integers(0, 10, size)).float() / 9
    if name == 'rounded':
        return (np.round(rng.normal(size=size), 2)).astype(np.float32)
    return np.full(size, float(name), np.float32)


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
        scores = predictive_entropy(logits) + positives / 2
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


# Adding up


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


def large_maps():
    """Maps whose repeats are told by a sample: bytes, continuous, mostly zero, constant."""
    rng = np.random.default_rng(0)
    shape = (150, 170)
    scores = [
        few_values(rng, 'bytes', shape),
        rng.random(shape),
        np.maximum(rng.normal(size=shape), 0).astype(np.float32),
        few_values(rng, '0.1', shape),
        rng.normal(size=shape),
        few_values(rng, 'ninths', shape),
    ]
    return [(values, rng.random(shape) < 0.1) for values in scores]


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


# How scores enter


@pytest.mark.parametrize(
    'dtype',
    [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.uint8],
)
def test_torch_types(dtype):
    generator = torch.Generator().manual_seed(0)
    positives = torch.rand(3, 40, 50, generator=generator) < 0.1
    scores = torch.randn(3, 40, 50, generator=generator).mul(4).add(positives)
    scores = (scores.abs() if dtype == torch.uint8 else scores).to(dtype)
    kept = scores.clone()
    histogram = histogram_of([(scores, positives)], 9)
    assert torch.equal(scores, kept)
    assert_same(histogram, histogram_of([(scores.double().numpy(), positives.numpy())], 9))
    assert_exact_is_inside(histogram.compute(), exact_numbers(scores, positives.numpy()))


@pytest.mark.parametrize('dtype', [np.float16, np.float32, np.float64, np.int32, np.uint8, bool])
def test_numpy_types_and_views(dtype):
    rng = np.random.default_rng(0)
    scores = (rng.random((60, 80)) * 9).astype(dtype)[::-2, ::3].T
    positives = (rng.random((60, 80)) < 0.2).astype(np.uint8)[::-2, ::3].T
    kept = scores.copy()
    scores.flags.writeable = False
    histogram = histogram_of([(scores, positives)], 9)
    np.testing.assert_array_equal(scores, kept)
    assert_exact_is_inside(histogram.compute(), exact_numbers(scores, positives))
    assert_same(histogram, histogram_of([(scores.tolist(), positives.tolist())], 9))


@pytest.mark.parametrize('dtype', ['>f4', '>f8', '>i4', 'float128'])
def test_unusual_numpy_types(dtype):
    if not hasattr(np, 'float128') and dtype == 'float128':
        pytest.skip('this machine has no wider type')
    rng = np.random.default_rng(0)
    scores, positives = rng.normal(size=(30, 40)) * 9, rng.random((30, 40)) < 0.2
    histogram = histogram_of([(scores.astype(dtype), positives)], 9)
    expected = scores.astype(dtype).astype(np.float32 if dtype == '>f4' else np.float64)
    assert_same(histogram, histogram_of([(expected, positives)], 9))


def test_torch_views():
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(31, 41, 3, generator=generator).requires_grad_()
    positives = torch.rand(31, 41, 3, generator=generator) < 0.3
    for view in (
        lambda t: t[..., 1],
        lambda t: t.permute(2, 1, 0),
        lambda t: t[::2, 3:, ::2],
        lambda t: t[:1].expand(5, -1, -1),
    ):
        histogram = histogram_of([(view(scores), view(positives))], 9)
        flat = view(scores).detach().reshape(-1).clone(), view(positives).reshape(-1).clone()
        assert_same(histogram, histogram_of([flat], 9))
        assert histogram.compute()['num_positives'] == int(view(positives).sum())


@pytest.mark.parametrize(
    'empty', [[], np.empty((0, 5)), torch.empty(0), torch.empty(3, 0).half(), np.empty(0, int)]
)
def test_an_image_that_is_ignored_counts_nothing(empty):
    positives = np.zeros(np.shape(empty), bool)
    histogram = ScoreHistogram(4)
    histogram.update(empty, positives)
    assert histogram.nbytes == 0
    assert all(column.shape == (0,) for column in histogram.cells())
    full = histogram_of([([0.1, 0.9, -2.0], [0, 1, 0])], 4)
    before = copy.deepcopy(full)
    full.update(empty, positives)
    assert_same(full, before)


@pytest.mark.parametrize('labels', [[], [True, True, True], [False, False]])
def test_undefined_without_positives_or_negatives(labels):
    histogram = ScoreHistogram(4)
    histogram.update(np.linspace(-1, 1, len(labels)), np.array(labels, bool))
    for rule in ('first', 'nearest'):
        found = histogram.compute(rule=rule)
        assert all(np.isnan(found[name]) for name in (*NUMBERS, 'gap'))
        assert all(np.isnan(found[f'{name}_bounds']).tolist() == [True, True] for name in NUMBERS)
        assert found['num_positives'] == sum(labels)
        assert found['num_negatives'] == len(labels) - sum(labels)
    # The first image of the other kind makes it defined.
    histogram.update([0.5, 0.25], [1, 0])
    assert 0 <= histogram.compute()['AUROC'] <= 1


@pytest.mark.parametrize(
    ('scores', 'positives', 'message'),
    [
        (
            [0.1, float('nan')],
            [1, 0],
            '`scores` must be finite, got 1 NaN or infinite values among 2',
        ),
        ([0.1, float('inf')], [1, 0], '`scores` must be finite'),
        ([float('-inf'), 0.1], [1, 0], '`scores` must be finite'),
        (torch.tensor([0.1, float('nan'), -1]).half(), [1, 0, 0], '`scores` must be finite'),
        (torch.tensor([-1.0, float('inf')], dtype=torch.bfloat16), [1, 0], '`scores` must be fin'),
        (np.array([np.nan, np.inf, 1.0]), [1, 0, 0], 'got 2 NaN or infinite values among 3'),
        ([0.1, 0.2], [1, 0, 1], r'same shape, got `scores` \(2,\), `positives` \(3,\)'),
        (np.zeros((1, 4)), np.zeros(4, bool), 'same shape'),
        (np.zeros((2, 3)), np.zeros((3, 2), bool), 'same shape'),
        ([], [1], 'same shape'),
        ([0.1, 0.2], [1, 2], r'`positives` must be boolean or hold only 0 and 1, got \[2\]'),
        ([0.1, 0.2], [0.5, 1.0], '`positives` must be boolean'),
        ([0.1, 0.2], torch.tensor([254, 1]), r'`positives` must be boolean .* got \[254\]'),
        ([0.1, 0.2], [float('nan'), 1.0], '`positives` must be boolean'),
    ],
)
def test_bad_input_counts_nothing(scores, positives, message):
    fresh, full = ScoreHistogram(4), histogram_of([([0.1, 0.9, -2.0], [0, 1, 0])], 4)
    before = copy.deepcopy(full)
    for histogram in (fresh, full):
        with pytest.raises(ValueError, match=message):
            histogram.update(scores, positives)
    assert fresh.nbytes == 0
    assert fresh.compute()['num_negatives'] == 0
    assert_same(full, before)


@pytest.mark.parametrize('bits', [0, -1, FINEST + 1, 5.0, '8', None])
def test_bad_bits(bits):
    with pytest.raises(ValueError, match=f'`bits` must be an integer from 1 to {FINEST}, got'):
        ScoreHistogram(bits)


def test_bad_recall_and_rule():
    histogram = histogram_of([([0.1, 0.9], [0, 1])], 4)
    for recall in (0, -0.1, 1.1, float('nan')):
        with pytest.raises(ValueError, match=r'`recall` must be in \(0, 1\]'):
            histogram.compute(recall)
    with pytest.raises(ValueError, match='`rule` must be one of'):
        histogram.compute(rule='last')
