"""Scores of logits that need labels, and those that need neither a softmax nor labels."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, log_loss

from mmseg_abnn.evaluation.functional import (
    energy,
    max_logit,
    negative_log_likelihood,
    squared_error,
    variation_ratio,
)
from mmseg_abnn.evaluation.functional.scores import probabilities

ROWS = st.lists(st.lists(st.floats(-30, 30), min_size=4, max_size=4), min_size=1, max_size=6)


def naive_softmax(logits):
    exps = [math.exp(v - max(logits)) for v in logits]
    return [e / math.fsum(exps) for e in exps]


def brier_score(logits, labels, dim=0):
    p = probabilities(torch.as_tensor(logits), dim)
    return squared_error(p, torch.as_tensor(labels).long(), dim)


def random_logits(shape, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return (4 * torch.randn(shape, generator=generator, dtype=torch.float64)).to(dtype)


@settings(deadline=None, max_examples=100)
@given(rows=ROWS, labels=st.lists(st.integers(0, 3), min_size=6, max_size=6))
def test_proper_scores_equal_a_loop(rows, labels):
    labels = labels[: len(rows)]
    logits = torch.tensor(rows, dtype=torch.float64)
    nll, brier = (f(logits, labels, 1) for f in (negative_log_likelihood, brier_score))
    for i, (row, label) in enumerate(zip(rows, labels, strict=True)):
        p = naive_softmax(row)
        likelihood = math.log(math.fsum(math.exp(v - row[label]) for v in row))
        assert nll[i].item() == pytest.approx(likelihood, rel=1e-12, abs=1e-12)
        squares = math.fsum((q - (k == label)) ** 2 for k, q in enumerate(p))
        assert brier[i].item() == pytest.approx(squares, abs=1e-14)
        assert 0 <= brier[i].item() <= 2


@settings(deadline=None, max_examples=100)
@given(rows=ROWS)
def test_scores_without_a_softmax_equal_a_loop(rows):
    logits = torch.tensor(rows, dtype=torch.float64)
    assert max_logit(logits, 1).tolist() == [-max(row) for row in rows]
    expected = [-max(r) - math.log(math.fsum(math.exp(v - max(r)) for v in r)) for r in rows]
    assert energy(logits, 1).tolist() == pytest.approx(expected, rel=1e-13, abs=1e-13)
    votes = logits.abs() + 1
    expected = [1 - max(row) / math.fsum(row) for row in votes.tolist()]
    assert variation_ratio(votes, 1).tolist() == pytest.approx(expected, abs=1e-14)


def test_equal_to_scikit_learn():
    logits = random_logits((5, 30, 40))
    labels = torch.randint(0, 5, (30, 40), generator=torch.Generator().manual_seed(1))
    p = logits.softmax(0).flatten(1).T.numpy()
    expected = log_loss(labels.ravel().numpy(), p, labels=range(5))
    found = negative_log_likelihood(logits, labels)
    assert found.shape == labels.shape
    assert found.mean().item() == pytest.approx(expected, abs=1e-9)
    # Of two classes both errors are equal, and scikit-learn counts one.
    logits, labels = logits[:2], labels % 2
    p = logits.softmax(0)[1].ravel().numpy()
    expected = 2 * brier_score_loss(labels.ravel().numpy(), p)
    assert brier_score(logits, labels).mean().item() == pytest.approx(expected, abs=1e-9)


def test_by_hand():
    p = torch.tensor([[0.7, 0.5], [0.2, 0.5], [0.1, 0.0]], dtype=torch.float64)
    found = negative_log_likelihood(p.log(), [1, 0])
    assert found.tolist() == pytest.approx([-math.log(0.2), math.log(2)], abs=1e-14)
    found = brier_score(p.log(), [1, 0])
    assert found.tolist() == pytest.approx([0.49 + 0.64 + 0.01, 0.5], abs=1e-14)
    logits = torch.tensor([[1.0, -2.0], [3.0, -2.0]])
    assert max_logit(logits).tolist() == [-3, 2]
    expected = [-math.log(math.e + math.e**3), 2 - math.log(2)]
    assert energy(logits).tolist() == pytest.approx(expected, abs=1e-6)
    votes = torch.tensor([[3, 1, 9], [4, 1, 0], [2, 1, 0]])
    assert variation_ratio(votes).tolist() == pytest.approx([5 / 9, 2 / 3, 0], abs=1e-7)


def test_extremes():
    infinity = float('inf')
    logits = torch.tensor([[1e4, 0.0, 0.0, 88.0], [-1e4, -infinity, 0.0, -88.0]])
    assert negative_log_likelihood(logits, [0, 0, 0, 0]).tolist() == pytest.approx(
        [0, 0, math.log(2), 0], abs=1e-6
    )
    assert negative_log_likelihood(logits, [1, 1, 1, 1]).tolist() == pytest.approx(
        [2e4, infinity, math.log(2), 176], rel=1e-6
    )
    assert brier_score(logits, [0, 0, 0, 0]).tolist() == pytest.approx([0, 0, 0.5, 0], abs=1e-6)
    assert brier_score(logits, [1, 1, 1, 1]).tolist() == pytest.approx([2, 2, 0.5, 2], abs=1e-6)
    assert max_logit(logits).tolist() == [-1e4, 0, 0, -88]
    assert energy(logits).tolist() == pytest.approx([-1e4, 0, -math.log(2), -88], abs=1e-6)
    expected = -1e4 - math.log(3)
    assert energy(torch.full((3, 1), 1e4)).item() == pytest.approx(expected, rel=1e-7)


def test_brier_score_is_never_negative():
    logits = 20 * torch.randn(3, 100_000, generator=torch.Generator().manual_seed(0))
    scores = brier_score(logits, logits.argmax(0))
    assert scores.min() >= 0
    torch.testing.assert_close(
        scores.double(), brier_score(logits.double(), logits.argmax(0)), rtol=0, atol=1e-6
    )


@pytest.mark.parametrize('dim', [0, 1, 2, -1, -2])
def test_dimensions(dim):
    logits = random_logits((3, 4, 5))
    rows = logits.movedim(dim, -1)
    labels = torch.randint(0, rows.shape[-1], rows.shape[:-1])
    for function in (negative_log_likelihood, brier_score):
        found = function(logits, labels, dim)
        assert found.shape == labels.shape
        for index in np.ndindex(*labels.shape):
            alone = function(rows[index], labels[index])
            assert found[index].item() == pytest.approx(alone.item(), abs=1e-14)
    for function in (max_logit, energy, variation_ratio):
        values = logits.abs() + 1
        found = function(values, dim)
        assert found.shape == labels.shape
        for index in np.ndindex(*labels.shape):
            alone = function(values.movedim(dim, -1)[index])
            assert found[index].item() == pytest.approx(alone.item(), abs=1e-14)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_types(dtype):
    logits = random_logits((5, 8), dtype)
    labels = torch.arange(8) % 5
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    for function in (negative_log_likelihood, brier_score):
        found = function(logits, labels)
        assert found.dtype == wide
        torch.testing.assert_close(found, function(logits.to(wide), labels), rtol=0, atol=0)
        for kind in (torch.uint8, torch.int32):
            assert torch.equal(function(logits, labels.to(kind)), found)
    for function in (max_logit, energy, variation_ratio):
        values = logits.abs() + 1
        found = function(values)
        assert found.dtype == wide
        torch.testing.assert_close(found, function(values.to(wide)), rtol=0, atol=0)


def test_integers_and_arrays():
    logits = np.array([[2, 0, 1], [0, 2, 1]])
    labels = np.array([0, 0, 1])
    expected = torch.tensor([math.log1p(math.exp(-2)), 2 + math.log1p(math.exp(-2)), math.log(2)])
    torch.testing.assert_close(negative_log_likelihood(logits, labels), expected)
    torch.testing.assert_close(
        brier_score(logits.astype(np.float16), labels), brier_score(torch.tensor(logits), labels)
    )
    assert max_logit(torch.tensor(logits)).tolist() == [-2, -2, -1]
    assert variation_ratio(torch.tensor(logits)).tolist() == pytest.approx([0, 0, 0.5])


@pytest.mark.parametrize('function', [negative_log_likelihood, brier_score])
def test_nothing_to_score(function):
    assert function(torch.empty(4, 0), torch.empty(0, dtype=torch.long)).shape == (0,)


@pytest.mark.parametrize(
    ('shape', 'labels', 'dim', 'message'),
    [
        ((3, 4), [0, 1, 2], 0, r'`labels` must have shape \(4,\).* dimension 0, got \(3,\)'),
        ((3, 4), [[0, 1, 2, 0]], 0, r'`labels` must have shape \(4,\)'),
        ((3, 4), [0, 1, 2, 0], 1, r'`labels` must have shape \(3,\).* dimension 1, got \(4,\)'),
        ((3, 2), [0, 3], 0, r'`labels` must be in 0\.\.2, got 0 to 3'),
        ((3, 2), [0, 255], 0, r'`labels` must be in 0\.\.2, got 0 to 255'),
        ((3, 2), [-1, 0], 0, r'`labels` must be in 0\.\.2, got -1 to 0'),
    ],
)
def test_bad_input(shape, labels, dim, message):
    with pytest.raises(ValueError, match=message):
        negative_log_likelihood(random_logits(shape), labels, dim)


@pytest.mark.parametrize('labels', [torch.tensor([1.7]), np.array([1.0]), torch.tensor([True])])
def test_labels_must_be_integers(labels):
    logits = torch.zeros(3, 1)
    for function in (negative_log_likelihood, squared_error):
        with pytest.raises(ValueError, match='`labels` must hold integers'):
            function(logits, labels)
