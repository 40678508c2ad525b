"""The bounds of ScoreHistogram hold the exact values, and are as narrow as they can be."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.score_histogram_samples import (
    NUMBERS,
    RECALLS,
    assert_exact_is_inside,
    exact_numbers,
    histogram_of,
    naive_cells,
    nearest_fprs,
    numbers_by_rule,
    pooled,
    score_maps,
)
from mmseg_abnn.evaluation.functional import (
    ScoreHistogram,
    detection_metrics,
)
from mmseg_abnn.evaluation.functional.scores import OF_PROBABILITIES, probabilities
from mmseg_abnn.evaluation.pooled.score_grid import FINEST


@settings(deadline=None, max_examples=250)
@given(maps=score_maps(), bits=st.integers(1, 10), recall=RECALLS)
def test_exact_values_lie_inside_the_bounds(maps, bits, recall):
    histogram = histogram_of(maps, bits)
    scores, positives = pooled(maps)
    for rule, exact in numbers_by_rule(scores, positives, recall, 'first', 'nearest').items():
        found = histogram.compute(recall, rule)
        assert_exact_is_inside(found, exact)
        assert found['num_positives'] == positives.sum()
        assert found['num_negatives'] == (~positives).sum()


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
    all_tied = histogram.cells().tied.all()
    number = positives.sum()
    recalls = (*(np.arange(1, 2 * number + 1) / (2 * number)), *rng.uniform(0.01, 1, 3))
    for recall, expected in zip(recalls, nearest_fprs(scores, positives, recalls), strict=True):
        low, high = histogram.compute(recall, 'nearest')['FPR95_bounds']
        assert low <= expected <= high
        if all_tied:
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
    logits = torch.where(positives, logits / weaker, logits)
    return OF_PROBABILITIES[score](probabilities(logits)), positives


@pytest.mark.parametrize(
    ('score', 'classes', 'step', 'confidence', 'weaker'),
    [
        ('msp', 19, 8, 5.0, 4),
        ('msp', 10, 16, 8.0, 2),
        ('entropy', 10, 16, 8.0, 4),
        ('entropy', 19, 16, 4.0, 2),
        ('entropy', 15, 16, 3.0, 2),
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
