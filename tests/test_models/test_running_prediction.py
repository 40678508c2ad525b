"""The mean over draws and its uncertainty, against a loop over pixels and draws."""

import math

import pytest
import torch

from mmseg_abnn.models.running_prediction import RunningPrediction

WEIGHTS = (1.0, 1.0, 3.0)
SCORES = (
    'msp',
    'entropy',
    'expected_entropy',
    'mutual_information',
    'variation_ratio',
    'max_logit',
    'energy',
)


@pytest.fixture
def draws():
    """Logits of three draws, of shape (3, C=4, H=5, W=6)."""
    return 3 * torch.randn(3, 4, 5, 6, generator=torch.Generator().manual_seed(0))


def mean_of(draws, weights):
    running = RunningPrediction()
    for logits, weight in zip(draws, weights, strict=True):
        running.add(logits, weight)
    return running.mean()


def entropy_of(p):
    return -sum(x * math.log(x) for x in p)


def naive(draws, weights):
    """Return the probabilities, votes and scores of one pixel, from its logits in each draw."""
    shares = [weight / sum(weights) for weight in weights]
    exponentials = [[math.exp(x) for x in logits] for logits in draws]
    p = [[x / sum(e) for x in e] for e in exponentials]
    classes = range(len(draws[0]))
    mean = [sum(s * q[c] for s, q in zip(shares, p, strict=True)) for c in classes]
    top = [max(classes, key=q.__getitem__) for q in p]
    votes = [sum(s for s, t in zip(shares, top, strict=True) if t == c) for c in classes]
    expected = sum(s * entropy_of(q) for s, q in zip(shares, p, strict=True))
    scores = {
        'msp': 1 - max(mean),
        'entropy': entropy_of(mean),
        'expected_entropy': expected,
        'mutual_information': entropy_of(mean) - expected,
        'variation_ratio': 1 - max(votes),
        'max_logit': -sum(s * max(x) for s, x in zip(shares, draws, strict=True)),
        'energy': -sum(s * math.log(sum(e)) for s, e in zip(shares, exponentials, strict=True)),
    }
    return mean, votes, scores


@pytest.mark.parametrize('weights', [(1.0, 1.0, 1.0), WEIGHTS])
def test_every_field_of_every_pixel(draws, weights):
    mean = mean_of(draws, weights)
    assert set(mean.uncertainty) == set(SCORES)
    for y in range(5):
        for x in range(6):
            p, votes, scores = naive(draws[:, :, y, x].double().tolist(), weights)
            close = dict(rel=1e-4, abs=1e-5)
            assert mean.log_mean[:, y, x].exp().tolist() == pytest.approx(p, **close)
            assert mean.probabilities[:, y, x].tolist() == pytest.approx(p, **close)
            assert mean.votes[:, y, x].tolist() == pytest.approx(votes, **close)
            found = {name: float(values[y, x]) for name, values in mean.uncertainty.items()}
            assert found == pytest.approx(scores, **close)


def test_a_mean_counts_like_its_draws(draws):
    halves = RunningPrediction()
    for half in (draws[:1], draws[1:2]):
        mean = mean_of(half, [1.0])
        halves.add_mean(mean.log_mean, mean.votes, mean.uncertainty)
    found, expected = halves.mean(), mean_of(draws[:2], [1.0, 1.0])
    torch.testing.assert_close(found.probabilities, expected.probabilities)
    torch.testing.assert_close(found.log_mean, expected.log_mean)
    torch.testing.assert_close(found.votes, expected.votes)
    for name, values in expected.uncertainty.items():
        torch.testing.assert_close(found.uncertainty[name], values)


def test_a_classifier_has_no_pixels(draws):
    mean = mean_of(draws[:, :, 0, 0], WEIGHTS)
    whole = mean_of(draws, WEIGHTS)
    torch.testing.assert_close(mean.probabilities, whole.probabilities[:, 0, 0])
    assert {name: values.shape for name, values in mean.uncertainty.items()} == dict.fromkeys(
        SCORES, torch.Size([])
    )


def test_what_underflows_stays_finite():
    mean = mean_of(torch.tensor([[[[500.0]], [[0.0]]]]), [1.0])
    assert torch.isfinite(mean.log_mean).all()
    assert mean.log_mean[1, 0, 0] < -80
    assert mean.probabilities.flatten().tolist() == pytest.approx([1.0, 0.0], abs=1e-37)
    for name in ('entropy', 'expected_entropy', 'mutual_information'):
        assert 0 <= mean.uncertainty[name].item() < 1e-35
