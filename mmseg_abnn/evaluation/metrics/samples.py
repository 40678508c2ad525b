"""Reading what the uncertainty metric needs from a data sample, and saving it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.structures import BaseDataElement
from PIL import Image

from ..functional import msp, predictive_entropy

# Scores that follow from the predictive distribution; any other comes from the model.
_FROM_LOGITS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    'msp': msp,
    'entropy': predictive_entropy,
}


def read_fields(sample: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a field of a data sample as a mapping; it is a dict or, inside a dict, PixelData."""
    if name not in sample:
        raise ValueError(f'the data sample has no `{name}`, only {sorted(sample)}')
    value = sample[name]
    return value.to_dict() if isinstance(value, BaseDataElement) else value


def read_labels(sample: Mapping[str, Any], name: str) -> np.ndarray:
    """Return a label map of shape (H, W) or (1, H, W) as an array of shape (H, W)."""
    values = torch.as_tensor(read_fields(sample, name)['data']).cpu().numpy()
    return values[0] if values.ndim == 3 and values.shape[0] == 1 else values


def read_score(sample: Mapping[str, Any], name: str) -> np.ndarray:
    """Return an uncertainty score of a data sample.

    Args:
        sample: Holds ``seg_logits`` of shape (K, H, W) and, for scores other than ``'msp'`` and
            ``'entropy'``, their maps of shape (H, W) or (1, H, W) in ``uncertainty``.
        name: The score.

    Returns:
        Float32 array of shape (H, W).

    Raises:
        ValueError: If the score is not available, does not have the shape of the logits, or is
            not finite.
    """
    logits = read_fields(sample, 'seg_logits')['data']
    if name in _FROM_LOGITS:
        values = _FROM_LOGITS[name](logits)
    else:
        given = read_fields(sample, 'uncertainty') if 'uncertainty' in sample else {}
        if name not in given:
            raise ValueError(
                f'score {name!r} is not available; from `seg_logits`: {sorted(_FROM_LOGITS)}, '
                f'from `uncertainty`: {sorted(given)}'
            )
        values = torch.as_tensor(given[name])
    array = values.detach().float().cpu().numpy()
    array = array[0] if array.ndim == 3 and array.shape[0] == 1 else array
    if array.shape != tuple(logits.shape[1:]):
        raise ValueError(
            f'score {name!r} must have shape {tuple(logits.shape[1:])}, got {array.shape}'
        )
    bad = int((~np.isfinite(array)).sum())
    if bad:
        raise ValueError(f'score {name!r} is NaN or infinite at {bad} of {array.size} pixels')
    return array


def save_maps(
    folder: Path,
    img_path: str,
    split: str | None,
    prediction: np.ndarray,
    maps: Mapping[str, np.ndarray],
) -> None:
    """Write the prediction and the uncertainty maps of one image, see ``output_dir``."""
    if prediction.max() > 255:
        raise ValueError(f'a class id of {prediction.max()} does not fit into an 8-bit PNG')
    image = Path(img_path)
    target = folder.joinpath(*([split] if split else []), image.parent.name)
    target.mkdir(parents=True, exist_ok=True)
    Image.fromarray(prediction.astype(np.uint8)).save(target / f'{image.stem}_pred.png')
    for name, values in maps.items():
        np.save(target / f'{image.stem}_{name}.npy', values)
