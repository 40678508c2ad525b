"""Score maps, and naive oracles of what ScoreHistogram should say about them."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from mmseg_abnn.evaluation.functional import ScoreCells, ScoreHistogram
from mmseg_abnn.evaluation.pooled.score_grid import FINEST, octave_bits

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
    return nearest_fprs(values, positives, [recall])[0]


def nearest_fprs(values, positives, recalls):
    """hendrycks/anomaly-seg, as a loop: upwards from the highest threshold that finds all."""
    points, all_found = [], values[positives].min()
    for threshold in np.unique(values):
        if threshold >= all_found:
            accepted = values >= threshold
            recall = np.sum(accepted & positives) / np.sum(positives)
            points.append((recall, np.sum(accepted & ~positives) / np.sum(~positives)))
    return [min(points, key=lambda point: abs(point[0] - recall))[1] for recall in recalls]


def exact_numbers(scores, positives, recall=0.95, rule='first'):
    return numbers_by_rule(scores, positives, recall, rule)[rule]


def numbers_by_rule(scores, positives, recall, *rules):
    """The numbers by the rule of the FPR95; the others do not depend on it."""
    values = ranks(as_doubles(scores))
    positives = np.asarray(positives).astype(bool).ravel()
    areas = {
        'AUROC': roc_auc_score(positives, values),
        'AUPR': average_precision_score(positives, values),
    }
    found = {}
    for rule in rules:
        if rule == 'first':
            fpr, tpr, _ = roc_curve(positives, values, drop_intermediate=False)
            fpr95 = fpr[np.argmax(tpr >= recall)]
        else:
            fpr95 = nearest_fpr(values, positives, recall)
        found[rule] = areas | {'FPR95': fpr95}
    return found


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
