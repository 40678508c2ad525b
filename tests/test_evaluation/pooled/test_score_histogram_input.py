"""What ScoreHistogram takes as scores and labels, and what it refuses."""

import copy

import numpy as np
import pytest
import torch

from helpers.score_histogram_samples import (
    NUMBERS,
    assert_exact_is_inside,
    assert_same,
    exact_numbers,
    histogram_of,
)
from mmseg_abnn.evaluation.functional import ScoreHistogram
from mmseg_abnn.evaluation.pooled.score_grid import FINEST


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
