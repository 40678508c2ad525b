from fractions import Fraction

import numpy as np
import pytest
import torch

from mmseg_abnn.evaluation.functional import (
    calibration_counts,
    ece_from_counts,
    expected_calibration_error,
)


def naive_ece(confidence, correct, bins):
    """Bin by bin, with the edges as doubles nearest to i / bins."""
    total, error = len(confidence), 0.0
    for i in range(bins):
        low, high = float(Fraction(i, bins)), float(Fraction(i + 1, bins))
        inside = [j for j, c in enumerate(confidence) if low < c <= high or (i == 0 and c == 0.0)]
        if inside:
            accuracy = sum(bool(correct[j]) for j in inside) / len(inside)
            mean = sum(float(confidence[j]) for j in inside) / len(inside)
            error += len(inside) / total * abs(accuracy - mean)
    return error


@pytest.mark.parametrize('bins', [1, 2, 10, 15, 100])
def test_equal_to_a_loop_with_values_on_edges(bins):
    rng = np.random.default_rng(0)
    edges = np.array([float(Fraction(i, bins)) for i in range(bins + 1)])
    confidence = np.concatenate([rng.random(500), edges, edges, [0.0, 1.0]])
    correct = rng.random(confidence.size) < confidence
    expected = naive_ece(confidence, correct, bins)
    assert expected_calibration_error(confidence, correct, bins) == pytest.approx(
        expected, abs=1e-12
    )


def test_edges_by_hand():
    counts = calibration_counts([0.0, 0.25, 0.5, 0.50001, 1.0], [1, 0, 1, 0, 1], bins=2)
    assert counts.dtype == np.float64
    # 0 and 0.5 lie in the first of (0, 0.5] and (0.5, 1].
    np.testing.assert_allclose(counts, [[3, 0.75, 2], [2, 1.50001, 1]], rtol=1e-15)
    assert ece_from_counts(counts) == pytest.approx((1.25 + 0.50001) / 5, abs=1e-15)


def test_tables_of_parts_add_up():
    rng = np.random.default_rng(1)
    confidence = rng.random((4, 30, 20))
    correct = rng.random((4, 30, 20)) < 0.7
    tables = [calibration_counts(c, r) for c, r in zip(confidence, correct, strict=True)]
    assert tables[0].shape == (15, 3)
    pooled = ece_from_counts(np.sum(tables, axis=0))
    assert pooled == pytest.approx(naive_ece(confidence.ravel(), correct.ravel(), 15), abs=1e-12)
    assert calibration_counts([], []).sum() == 0


@pytest.mark.parametrize('dtype', [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_torch_types(dtype):
    generator = torch.Generator().manual_seed(0)
    confidence = torch.rand(20, 30, generator=generator).to(dtype)
    correct = torch.rand(20, 30, generator=generator) < 0.5
    result = expected_calibration_error(confidence, correct)
    assert type(result) is float
    expected = naive_ece(confidence.double().ravel().tolist(), correct.ravel().tolist(), 15)
    assert result == pytest.approx(expected, abs=1e-12)


def test_rounding_above_one_belongs_to_the_last_bin():
    counts = calibration_counts([1 + 5e-7], [1], bins=4)
    assert counts[:, 0].tolist() == [0, 0, 0, 1]


@pytest.mark.parametrize(
    ('confidence', 'correct', 'bins', 'message'),
    [
        ([0.5], [1], 0, '`bins` must be >= 1, got 0'),
        ([0.5, 0.6], [1], 15, 'same shape'),
        ([0.5, 1.1], [1, 0], 15, r'`confidence` must be in \[0, 1\], got 0.5 to 1.1'),
        ([-0.1], [1], 15, '`confidence` must be in'),
        ([float('nan')], [1], 15, '`confidence` must be finite'),
        ([0.5], [3], 15, '`correct` must be boolean'),
        ([], [], 15, 'counts no value'),
    ],
)
def test_bad_input(confidence, correct, bins, message):
    with pytest.raises(ValueError, match=message):
        expected_calibration_error(confidence, correct, bins)


def test_bad_table():
    with pytest.raises(ValueError, match=r'shape \(bins, 3\), got \(3, 2\)'):
        ece_from_counts(np.zeros((3, 2)))
