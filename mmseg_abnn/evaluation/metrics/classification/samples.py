"""Reading what the classification metric needs from the data sample of one image."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ...arrays import as_tensor, at_least_float, check_integers
from ...functional import negative_log_likelihood, squared_error
from ...functional.scores import OF_DRAWS, OF_LOGITS, OF_PROBABILITIES
from ..common.inputs import given_scores
from ..common.results import Row

COLUMNS = ('ood_set', 'label', 'prediction', 'confidence', 'NLL', 'Brier', 'sample_idx', 'img_path')
"""What a row holds beside the scores."""

# A sum of probabilities in bfloat16 misses 1 by less.
_SUM_TOLERANCE = 1e-2


def read_image(sample: Mapping[str, Any], num_classes: int | None, scores: Sequence[str]) -> Row:
    """Read the prediction of one image.

    Args:
        sample: Holds ``pred_score`` (K,); for an in-distribution image ``gt_label`` of one value,
            for another one ``ood_set``, a name; optionally ``pred_label`` of one value,
            ``log_score`` (K,) and ``uncertainty``, a mapping from names to single values.
        num_classes: Number of classes K; None: that of ``pred_score``.
        scores: Names of the scores to read. What ``uncertainty`` holds goes first.

    Returns:
        Its :data:`COLUMNS` and scores as plain Python values. ``label``, ``NLL`` (nats) and
        ``Brier`` of an OOD image are None; ``confidence`` is the largest probability.

    Raises:
        ValueError: If something is missing, does not have the right shape, is no probability, or a
            score is NaN or infinite.
    """
    p = _read_probabilities(sample, num_classes)
    ood_set = _read_set(sample)
    if not ood_set and 'gt_label' not in sample:
        raise ValueError(
            'the data sample has neither `gt_label`, as an in-distribution image has, nor '
            f'`ood_set`, only {sorted(sample)}'
        )
    row: Row = {
        'ood_set': ood_set,
        'label': None if ood_set else _read_class(sample, 'gt_label', len(p)),
        'prediction': int(p.argmax()),
        'confidence': float(p.amax()),
    }
    if 'pred_label' in sample:
        row['prediction'] = _read_class(sample, 'pred_label', len(p))
    row |= {name: _read_score(sample, name, p) for name in scores}
    row |= {'NLL': None, 'Brier': None}
    if row['label'] is not None:
        label = torch.tensor(row['label'])
        row['NLL'] = float(negative_log_likelihood(_read_log_probabilities(sample, p), label))
        row['Brier'] = float(squared_error(p, label))
    return row | {'sample_idx': sample.get('sample_idx'), 'img_path': sample.get('img_path')}


def image_name(sample: Mapping[str, Any], number: int) -> str:
    """Return what an image is called in messages.

    Args:
        sample: Its data sample.
        number: How many images came before it; for want of anything better.
    """
    if sample.get('img_path'):
        return str(sample['img_path'])
    if sample.get('sample_idx') is None:
        return f'image {number} of this process'
    of_set = f' of OOD set {sample["ood_set"]!r}' if sample.get('ood_set') else ''
    return f'image with `sample_idx` {sample["sample_idx"]}{of_set}'


def _read_probabilities(sample: Mapping[str, Any], num_classes: int | None) -> Tensor:
    if 'pred_score' not in sample:
        raise ValueError(f'the data sample has no `pred_score`, only {sorted(sample)}')
    p = _read_vector(sample, 'pred_score', num_classes)
    total = float(p.double().sum())
    if p.min() < -_SUM_TOLERANCE or abs(total - 1) > _SUM_TOLERANCE:
        raise ValueError(
            '`pred_score` must hold probabilities, non-negative and of sum 1; got the smallest '
            f'{float(p.min()):.6g} and the sum {total:.6g}'
        )
    return p.clamp(0, 1)  # a mean over draws may miss it by rounding


def _read_log_probabilities(sample: Mapping[str, Any], p: Tensor) -> Tensor:
    if 'log_score' in sample:
        return _read_vector(sample, 'log_score', len(p))
    # finite where p underflowed, as RunningPrediction.log_mean() is
    return p.clamp(min=torch.finfo(p.dtype).tiny).log()


def _read_vector(sample: Mapping[str, Any], name: str, num_classes: int | None) -> Tensor:
    """Return a finite vector on the CPU, at least float32."""
    values = at_least_float(as_tensor(sample[name]).cpu())
    if values.ndim != 1 or len(values) != (num_classes or max(len(values), 1)):
        expected = '(classes,)' if num_classes is None else f'({num_classes},)'
        raise ValueError(f'`{name}` must have shape {expected}, got {tuple(values.shape)}')
    bad = int((~values.isfinite()).sum())
    if bad:
        raise ValueError(f'`{name}` is NaN or infinite at {bad} of {len(values)} classes')
    return values


def _read_set(sample: Mapping[str, Any]) -> str:
    ood_set = sample.get('ood_set', '')
    if not isinstance(ood_set, str) or '/' in ood_set:
        raise ValueError(f"`ood_set` must be a string without '/', got {ood_set!r}")
    return ood_set


def _read_class(sample: Mapping[str, Any], name: str, num_classes: int) -> int:
    values = as_tensor(sample[name])
    check_integers(name, values)
    if values.numel() != 1:
        raise ValueError(f'`{name}` must hold one integer, got {values.tolist()}')
    value = int(values)
    if not 0 <= value < num_classes:
        raise ValueError(f'`{name}` must be in 0..{num_classes - 1}, got {value}')
    return value


def _read_score(sample: Mapping[str, Any], name: str, p: Tensor) -> float:
    given = given_scores(sample)
    if name in given:
        values = as_tensor(given[name])
    elif name in OF_PROBABILITIES:
        values = OF_PROBABILITIES[name](p)
    else:
        raise ValueError(
            f'score {name!r} is not available; from `pred_score`: {sorted(OF_PROBABILITIES)}, from '
            f'`uncertainty`: {sorted(given)}; MCImageClassifier gives '
            f'{", ".join((*OF_DRAWS, *OF_LOGITS))}'
        )
    if values.numel() != 1:
        raise ValueError(f'score {name!r} must be a single value, got shape {tuple(values.shape)}')
    value = float(values)
    if not math.isfinite(value):
        raise ValueError(f'score {name!r} must be finite, got {value}')
    return value
