import math

import pytest
import torch

from mmseg_abnn.evaluation.functional.scores import (
    OF_PROBABILITIES,
    entropy,
    probabilities,
    score_range,
    variation_ratio,
)


def msp(logits, dim=0):
    return OF_PROBABILITIES['msp'](probabilities(logits, dim).movedim(dim, 0))


def entropy_of(logits, dim=0):
    return entropy(probabilities(logits, dim), dim)


@pytest.mark.parametrize('dim', [0, 1, -1])
def test_equal_to_a_loop(dim):
    logits = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    rows = logits.movedim(dim, -1)
    for index in [(0, 0), (1, 2), (2, 3)]:
        exps = [math.exp(v) for v in rows[index].tolist()]
        p = [e / sum(exps) for e in exps]
        assert msp(logits, dim)[index].item() == pytest.approx(1 - max(p), abs=1e-14)
        found = probabilities(logits, dim).movedim(dim, -1)[index].tolist()
        assert found == pytest.approx(p, abs=1e-14)
        expected = -sum(v * math.log(v) for v in p)
        assert entropy_of(logits, dim)[index].item() == pytest.approx(expected, abs=1e-14)
        by_name = OF_PROBABILITIES['entropy'](probabilities(logits, dim).movedim(dim, 0))
        assert by_name[index].item() == pytest.approx(expected, abs=1e-14)


def test_log_of_a_mean_of_probabilities_gives_its_own_scores():
    draws = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3]], dtype=torch.float64)
    mean = [0.4, 0.4, 0.2]
    logits = draws.mean(0).log()
    assert msp(logits).item() == pytest.approx(0.6, abs=1e-14)
    expected = -sum(p * math.log(p) for p in mean)
    assert entropy_of(logits).item() == pytest.approx(expected, abs=1e-14)


def test_extremes():
    logits = torch.tensor([[0.0, 0.0], [float('-inf'), -1e30], [float('-inf'), 0.0]])
    assert entropy_of(logits).tolist() == pytest.approx([0.0, math.log(2)])
    assert msp(logits).tolist() == pytest.approx([0.0, 0.5])
    uniform = torch.full((19, 2, 2), 7.0)
    torch.testing.assert_close(entropy_of(uniform), torch.full((2, 2), math.log(19)))
    torch.testing.assert_close(msp(uniform), torch.full((2, 2), 18 / 19))


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_low_precision_logits_are_scored_in_float32(dtype):
    logits = torch.randn(5, 8, generator=torch.Generator().manual_seed(0)).to(dtype)
    assert entropy_of(logits).dtype == torch.float32
    torch.testing.assert_close(msp(logits), msp(logits.float()), rtol=0, atol=0)


@pytest.mark.parametrize('number', [2, 19])
def test_score_range(number):
    """The ends are reached: by certainty, and by a distribution that knows nothing."""
    certain, none = torch.eye(number)[0], torch.full((number,), 1 / number)
    for name, score in (*OF_PROBABILITIES.items(), ('variation_ratio', variation_ratio)):
        expected = (float(score(certain)), float(score(none)))
        assert score_range(name, number) == pytest.approx(expected)
    assert score_range('mutual_information', number) == score_range('entropy', number)
    assert score_range('expected_entropy', number) == score_range('entropy', number)
    assert score_range('energy', number) is score_range('max_logit', number) is None
