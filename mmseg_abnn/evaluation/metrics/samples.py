"""Reading what the uncertainty metric needs from a data sample, and saving it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.structures import BaseDataElement
from PIL import Image

from ..functional import energy, max_logit
from ..functional.scores import entropy, probabilities

# Scores that follow from the logits of one network or their softmax; a map of the model goes first.
_FROM_LOGITS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    'max_logit': max_logit,
    'energy': energy,
}
FROM_P: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    'msp': lambda p: 1 - p.amax(0),
    'entropy': entropy,
}


@dataclass(frozen=True)
class Prediction:
    """Labels and prediction of one image.

    Attributes:
        label: Integer ids, shape (H, W).
        classes: Predicted class ids, shape (H, W); None if the sample holds score maps only.
        logits: Shape (K, H, W); None if the sample holds none.
        p: Softmax of the logits.
        confidence: Probability of the predicted class, float32 (H, W); None if it is not known.
        maps: Uncertainty score by name, float32 (H, W) each.
    """

    label: np.ndarray
    classes: np.ndarray | None
    logits: torch.Tensor | None
    p: torch.Tensor | None
    confidence: np.ndarray | None
    maps: dict[str, np.ndarray]


def read_prediction(
    sample: Mapping[str, Any], num_classes: int, scores: Sequence[str]
) -> Prediction:
    """Read a data sample.

    Args:
        sample: Holds ``gt_sem_seg``, ``pred_sem_seg`` and ``seg_logits``, (H, W) or (1, H, W) and
            (K, H, W), each as ``{'data': tensor}``; in ``uncertainty`` maps (H, W) or (1, H, W) by
            name. Predictions that were saved have no ``seg_logits`` and may be maps only.
        num_classes: Number of classes K.
        scores: Names of the maps to read.

    Raises:
        ValueError: If something is missing, does not have the right shape, or a score is NaN or
            infinite.
    """
    label = read_labels(sample, 'gt_sem_seg')
    logits = read_fields(sample, 'seg_logits')['data'] if 'seg_logits' in sample else None
    classes = None
    if 'pred_sem_seg' in sample or logits is not None:
        classes = read_labels(sample, 'pred_sem_seg')
        _check_shape('`pred_sem_seg`', classes.shape, label.shape)
    if logits is not None and tuple(logits.shape) != (num_classes, *label.shape):
        raise ValueError(
            f'`seg_logits` must have shape {(num_classes, *label.shape)}, as `gt_sem_seg` and the '
            f'{num_classes} classes of the dataset have, got {tuple(logits.shape)}'
        )
    p = None if logits is None else probabilities(logits)
    maps = {name: _read_score(sample, name, logits, p) for name in scores}
    for name, values in maps.items():
        _check_shape(f'score {name!r}', values.shape, label.shape)
    if p is not None:
        confidence = p.amax(0).detach().cpu().numpy()
    elif 'uncertainty' in sample and 'msp' in read_fields(sample, 'uncertainty'):
        confidence = 1 - read_score(sample, 'msp')
    else:
        confidence = None
    return Prediction(label, classes, logits, p, confidence, maps)


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
    logits = read_fields(sample, 'seg_logits')['data'] if 'seg_logits' in sample else None
    p = probabilities(logits) if logits is not None and name in FROM_P else None
    return _read_score(sample, name, logits, p)


def _read_score(
    sample: Mapping[str, Any], name: str, logits: torch.Tensor | None, p: torch.Tensor | None
) -> np.ndarray:
    given = read_fields(sample, 'uncertainty') if 'uncertainty' in sample else {}
    if name in given:
        values = torch.as_tensor(given[name])
    elif name in _FROM_LOGITS and logits is not None:
        values = _FROM_LOGITS[name](logits)
    elif name in FROM_P and p is not None:
        values = FROM_P[name](p)
    else:
        available = [] if logits is None else sorted([*_FROM_LOGITS, *FROM_P])
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


def save_maps(
    folder: Path,
    img_path: str,
    split: str | None,
    classes: np.ndarray,
    maps: Mapping[str, np.ndarray],
) -> None:
    """Write the prediction and the uncertainty maps of one image, see ``output_dir``."""
    if classes.max() > 255:
        raise ValueError(f'a class id of {classes.max()} does not fit into an 8-bit PNG')
    target = folder / saved_stem(img_path, split)
    target.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(classes.astype(np.uint8)).save(f'{target}_pred.png')
    for name, values in maps.items():
        np.save(f'{target}_{name}.npy', values)


def saved_stem(img_path: str, split: str | None) -> Path:
    """Return ``[<split>/]<folder of the image>/<name without suffix>``, where maps are saved."""
    image = Path(img_path)
    return Path(split or '', image.parent.name, image.stem)


def read_fields(sample: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a field of a data sample as a mapping; it is a dict or, inside a dict, PixelData."""
    if name not in sample:
        raise ValueError(f'the data sample has no `{name}`, only {sorted(sample)}')
    value = sample[name]
    return value.to_dict() if isinstance(value, BaseDataElement) else value


def _check_shape(name: str, shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    if shape != expected:
        raise ValueError(f'{name} must have shape {expected}, as `gt_sem_seg` has, got {shape}')
