"""The fitted temperature, against a grid search, scikit-learn's log loss and made data."""

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss

from mmseg_abnn.evaluation.functional import fit_temperature


def softmax(logits):
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def loss(p, labels):
    return -np.log(p[np.arange(len(labels)), labels]).mean()


@pytest.fixture(scope='module')
def made():
    """Logits, and labels drawn from their softmax at T = 2.5."""
    generator = np.random.default_rng(0)
    logits = 6 * generator.standard_normal((40000, 5))
    p = softmax(logits / 2.5)
    labels = (generator.random((40000, 1)) > p.cumsum(axis=1)).sum(axis=1).clip(max=4)
    return logits, labels


def test_the_temperature_of_made_data(made):
    assert fit_temperature(*made) == pytest.approx(2.5, rel=0.02)


def test_no_other_temperature_is_better(made):
    logits, labels = (part[:500] for part in made)
    found = fit_temperature(logits, labels)
    grid = found * np.exp(np.linspace(-1, 1, 2001))
    losses = [loss(softmax(logits / t), labels) for t in grid]
    for k in (0, 1000, 2000):
        expected = log_loss(labels, softmax(logits / grid[k]), labels=range(5))
        assert losses[k] == pytest.approx(expected, rel=1e-12)
    assert grid[np.argmin(losses)] == pytest.approx(found, rel=1.1e-3)


@pytest.mark.parametrize('kind', [np.float32, np.float64, torch.float32, torch.bfloat16])
def test_types(made, kind):
    logits, labels = (part[:2000] for part in made)
    values = torch.from_numpy(logits).to(kind) if isinstance(kind, torch.dtype) else None
    found = fit_temperature(logits.astype(kind) if values is None else values, labels)
    assert found == pytest.approx(fit_temperature(logits, labels), rel=1e-2)


def test_the_temperature_of_several_draws(made):
    """A grid search over the loss of the mean of their probabilities."""
    logits, labels = (part[:2000] for part in made)
    generator = np.random.default_rng(1)
    draws = np.stack([logits + 4 * generator.standard_normal(logits.shape) for _ in range(3)])
    for weights in (None, [1.0, 1.0, 4.0]):
        found = fit_temperature(draws, labels, weights)
        grid = found * np.exp(np.linspace(-1, 1, 2001))
        losses = [
            loss(np.average([softmax(draw / t) for draw in draws], axis=0, weights=weights), labels)
            for t in grid
        ]
        assert grid[np.argmin(losses)] == pytest.approx(found, rel=2e-3)
    assert fit_temperature(draws, labels) != pytest.approx(found, rel=1e-2)


def test_one_draw_and_equal_draws(made):
    logits, labels = (part[:500] for part in made)
    expected = fit_temperature(logits, labels)
    assert fit_temperature(logits[None], labels) == expected
    assert fit_temperature(np.stack([logits] * 3), labels) == pytest.approx(expected, rel=1e-4)


def test_where_there_is_no_minimum():
    right = np.eye(3)
    assert fit_temperature(right, [0, 1, 2]) == pytest.approx(1e-3)
    assert fit_temperature(right, [1, 2, 0]) == pytest.approx(1e3)
    twice = np.stack([right] * 2)
    assert fit_temperature(twice, [0, 1, 2]) == 1e-3
    assert fit_temperature(twice, [1, 2, 0]) == 1e3


@pytest.mark.parametrize(
    ('logits', 'labels', 'message'),
    [
        (np.zeros((0, 3)), np.zeros(0, int), 'at least one pixel'),
        (np.zeros((2, 3)), [0], 'must be of shape'),
        (np.full((1, 3), np.nan), [0], 'must be finite'),
        (np.zeros((1, 3)), [3], 'integers from 0 to 2'),
        (np.zeros((1, 3)), [0.5], '`labels` must hold integers'),
    ],
)
def test_wrong_input(logits, labels, message):
    with pytest.raises(ValueError, match=message):
        fit_temperature(logits, labels)
