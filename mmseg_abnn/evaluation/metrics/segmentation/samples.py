"""Reading what the uncertainty metric needs from a data sample."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ....datasets.label_range import check_ids_fit
from ...arrays import at_least_float, check_integers
from ...functional.scores import OF_LOGITS, OF_PROBABILITIES, probabilities
from ..common.inputs import given_scores, read_fields


@dataclass(frozen=True)
class Prediction:
    """Labels and prediction of one image.

    Attributes:
        label: Integer ids, shape (H, W).
        classes: Predicted class ids, shape (H, W); None if the sample holds score maps only.
        logits: Shape (K, H, W); None if the sample holds none.
        p: The predictive distribution, of shape (K, H, W); None if it is not known.
        confidence: Probability of the predicted class, float32 (H, W); None if it is not known.
        maps: Uncertainty score by name, float32 (H, W) each.
    """

    label: np.ndarray
    classes: np.ndarray | None
    logits: Tensor | None
    p: Tensor | None
    confidence: np.ndarray | None
    maps: dict[str, np.ndarray]


def read_prediction(
    sample: Mapping[str, Any], num_classes: int | None, scores: Sequence[str]
) -> Prediction:
    """Read a data sample.

    Args:
        sample: Holds ``gt_sem_seg``, ``pred_sem_seg`` and ``seg_logits``, (H, W) or (1, H, W) and
            (K, H, W), each as ``{'data': tensor}``; optionally, in the same way, ``probabilities``
            (K, H, W), else their softmax is computed; in ``uncertainty`` maps (H, W) or (1, H, W)
            by name, which go before the scores that would be computed. Predictions that were saved
            have no ``seg_logits`` and may be maps only.
        num_classes: Number of classes K; None: that of the prediction.
        scores: Names of the maps to read.

    Raises:
        ValueError: If something is missing, does not have the right shape, a label is no integer,
            or a score is NaN or infinite.
    """
    label = read_labels(sample, 'gt_sem_seg')
    check_integers('gt_sem_seg', label)
    if sample.get('seg_map_path'):
        check_ids_fit(str(sample['seg_map_path']))
    output = _Output(sample)
    classes = None
    if 'pred_sem_seg' in sample or output.is_known:
        classes = read_labels(sample, 'pred_sem_seg')
        check_integers('pred_sem_seg', classes)
        _check_shape('`pred_sem_seg`', classes.shape, label.shape, sample)
    output.check_shapes(num_classes, label.shape)
    maps = {name: output.score(name) for name in scores}
    for name, values in maps.items():
        _check_shape(f'score {name!r}', values.shape, label.shape, sample)
    if output.p is not None:
        confidence = output.p.amax(0).detach().cpu().numpy()
    elif 'msp' in given_scores(sample):
        confidence = 1 - output.score('msp')
    else:
        confidence = None
    return Prediction(label, classes, output.logits, output.p, confidence, maps)


def read_labels(sample: Mapping[str, Any], name: str) -> np.ndarray:
    """Return a label map of shape (H, W) or (1, H, W) as an array of shape (H, W)."""
    values = torch.as_tensor(read_fields(sample, name)['data']).cpu().numpy()
    return values[0] if values.ndim == 3 and values.shape[0] == 1 else values


def read_score(sample: Mapping[str, Any], name: str) -> np.ndarray:
    """Return an uncertainty score of a data sample, see :func:`read_prediction`.

    Returns:
        Float32 array of shape (H, W).

    Raises:
        ValueError: If the score is not available, is no map, or is not finite.
    """
    return _Output(sample).score(name)


class _Output:
    """What a network says of an image; a softmax is computed where it is needed, and once.

    Attributes:
        logits: Of shape (K, H, W), or None.
    """

    def __init__(self, sample: Mapping[str, Any]) -> None:
        self._sample = sample
        self.logits: Tensor | None = None
        if 'seg_logits' in sample:
            self.logits = torch.as_tensor(read_fields(sample, 'seg_logits')['data'])
        self._given: Tensor | None = None
        if 'probabilities' in sample:
            given = torch.as_tensor(read_fields(sample, 'probabilities')['data'])
            self._given = at_least_float(given)

    @property
    def is_known(self) -> bool:
        """Whether there is more than maps of scores."""
        return self.logits is not None or self._given is not None

    @cached_property
    def p(self) -> Tensor | None:
        """The predictive distribution, of shape (K, H, W)."""
        if self._given is not None or self.logits is None:
            return self._given
        return probabilities(self.logits)

    def check_shapes(self, num_classes: int | None, shape: tuple[int, ...]) -> None:
        """Raise ValueError if the logits or the probabilities have another shape."""
        for name, values in (('seg_logits', self.logits), ('probabilities', self._given)):
            if values is None:
                continue
            expected = (num_classes or values.shape[0], *shape)
            if tuple(values.shape) != expected:
                raise ValueError(
                    f'`{name}` must have shape {expected}, as `gt_sem_seg` and the {expected[0]} '
                    f'classes of the dataset have, got {tuple(values.shape)}'
                )

    def score(self, name: str) -> np.ndarray:
        """Return a score, float32 of shape (H, W): what the model gives, or what follows."""
        given = given_scores(self._sample)
        if name in given:
            values = torch.as_tensor(given[name])
        elif name in OF_LOGITS and self.logits is not None:
            values = OF_LOGITS[name](self.logits)
        elif name in OF_PROBABILITIES and self.p is not None:
            values = OF_PROBABILITIES[name](self.p)
        else:
            available = [] if self.logits is None else sorted([*OF_LOGITS, *OF_PROBABILITIES])
            raise ValueError(
                f'score {name!r} is not available; from `seg_logits`: {available}, '
                f'from `uncertainty`: {sorted(given)}'
            )
        array = values.detach().float().cpu().numpy()
        array = array[0] if array.ndim == 3 and array.shape[0] == 1 else array
        bad = int((~np.isfinite(array)).sum())
        if bad:
            raise ValueError(f'score {name!r} is NaN or infinite at {bad} of {array.size} pixels')
        return array


def _check_shape(
    name: str, shape: tuple[int, ...], expected: tuple[int, ...], sample: Mapping[str, Any]
) -> None:
    if shape == expected:
        return
    stored = tuple(sample.get('ori_shape', ()))[:2]
    why = ''
    if stored and stored != expected:
        why = (
            f'. The stored image is {stored}: labels must be loaded behind whatever resizes, pads '
            'or cuts it in the pipeline; data_preprocessor=dict(..., '
            'test_cfg=dict(size_divisor=32)) pads images for the network alone'
        )
    raise ValueError(f'{name} must have shape {expected}, as `gt_sem_seg` has, got {shape}{why}')
