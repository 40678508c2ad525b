"""Predictions in files: how they are named, written, found and read."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from .arrays import check_integers

_UNNAMED = ('.npy', '.png')


def save_maps(
    folder: Path,
    img_path: str,
    split: str | None,
    classes: np.ndarray,
    maps: Mapping[str, np.ndarray],
) -> None:
    """Write the prediction and the uncertainty maps of one image.

    Args:
        folder: Made if it does not exist.
        img_path: The image.
        split: Its split, if it is known.
        classes: Predicted class ids up to 255, of shape (H, W): ``<stem>_pred.png``.
        maps: Uncertainty by name of the score, float32 of shape (H, W): ``<stem>_<score>.npy``.

    Raises:
        ValueError: If a class id is larger than 255.
    """
    if classes.max() > 255:
        raise ValueError(f'a class id of {classes.max()} does not fit into an 8-bit PNG')
    target = folder / _stem(img_path, split)
    target.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(classes.astype(np.uint8)).save(f'{target}_pred.png')
    for name, values in maps.items():
        np.save(f'{target}_{name}.npy', values)


def find_saved(folder: Path, img_path: str, split: str | None) -> Path | None:
    """Find what was saved of an image.

    Args:
        folder: Holds the predictions, directly, or in ``[<split>/][<folder of the image>/]``.
        img_path: The image.
        split: Its split, if the dataset says so.

    Returns:
        The path that the names of its files begin with, or None if there is no such file.
    """
    whole = _stem(img_path, split)
    plain = _stem(img_path, None)
    for stem in (whole, plain, Path(split or '', plain.name), Path(plain.name)):
        path = folder / stem
        names = (f'{path}.pth', f'{path}.npy', f'{path}.png', f'{path}_pred.png')
        if any(Path(name).is_file() for name in names):
            return path
        if path.parent.is_dir() and any(path.parent.glob(f'{_escape(path.name)}_*.npy')):
            return path
    return None


def read_saved(path: Path, scores: Sequence[str]) -> dict[str, Any]:
    """Read the prediction of one image.

    Three forms are known:

    - ``<path>.pth``, of the MUAD challenge: a dict with ``conf``, the confidence in [0, 1], and
      ``pred``, the class ids, both (H, W); the score is ``'msp'`` = 1 - conf;
    - ``<path>_<score>.npy`` or ``.png`` and, if there is one, ``<path>_pred.png`` with class ids,
      as :func:`save_maps` writes them;
    - ``<path>.npy`` or ``<path>.png``: one score.

    A score is high where OOD. PNG maps have one channel of 8 or 16 bits that stands for [0, 1].

    Args:
        path: As :func:`find_saved` returns it.
        scores: Names of the scores to read; a file without a name is the first one.

    Returns:
        The fields ``pred_sem_seg`` (if known) and ``uncertainty`` of a data sample.

    Raises:
        ValueError: If a file does not have the form, or a score is not there. The message names
            the file.
    """
    if Path(f'{path}.pth').is_file():
        return _read_challenge(Path(f'{path}.pth'), scores)
    sample: dict[str, Any] = {}
    classes = Path(f'{path}_pred.png')
    if classes.is_file():
        sample['pred_sem_seg'] = {'data': torch.from_numpy(_read_png(classes).astype(np.int64))}
    maps = {}
    for name in scores:
        files = [Path(f'{path}_{name}{suffix}') for suffix in _UNNAMED]
        if name == scores[0]:
            files += [Path(f'{path}{suffix}') for suffix in _UNNAMED]
        found = [file for file in files if file.is_file()]
        if len(found) != 1:
            what = 'more than one file' if found else 'no file'
            raise ValueError(
                f'score {name!r} of {path.name}: {what} of '
                f'{[file.name for file in files]} is in {path.parent}'
            )
        maps[name] = torch.from_numpy(_read_map(found[0]))
    return sample | {'uncertainty': maps}


def _stem(img_path: str, split: str | None) -> Path:
    """Return ``[<split>/]<folder of the image>/<name without suffix>``, where maps are saved."""
    image = Path(img_path)
    return Path(split or '', image.parent.name, image.stem)


def _read_challenge(file: Path, scores: Sequence[str]) -> dict[str, Any]:
    if tuple(scores) != ('msp',):
        raise ValueError(f"{file}: a .pth file holds the score 'msp' only, got {tuple(scores)}")
    try:
        content = torch.load(file, map_location='cpu', weights_only=True)
    except Exception as error:
        raise ValueError(f'{file}: no file that PyTorch can load safely: {error}') from error
    if not isinstance(content, dict) or not {'conf', 'pred'} <= content.keys():
        found = sorted(content) if isinstance(content, dict) else type(content).__name__
        raise ValueError(f"{file}: must hold a dict with 'conf' and 'pred', got {found}")
    confidence, classes = (torch.as_tensor(content[name]).squeeze() for name in ('conf', 'pred'))
    try:
        check_integers('pred', classes)
    except ValueError as error:
        raise ValueError(f'{file}: {error}') from error
    return {
        'pred_sem_seg': {'data': classes.long()},
        'uncertainty': {'msp': 1 - confidence.float()},
    }


def _read_map(file: Path) -> np.ndarray:
    if file.suffix == '.npy':
        try:
            values = np.load(file, allow_pickle=False)
        except (ValueError, OSError, EOFError) as error:
            raise ValueError(f'{file}: no NumPy array: {error}') from error
        return np.squeeze(values).astype(np.float32)
    values = _read_png(file)
    return (values / np.iinfo(values.dtype).max).astype(np.float32)


def _read_png(file: Path) -> np.ndarray:
    try:
        with Image.open(file) as image:
            values = np.asarray(image)
    except OSError as error:
        raise ValueError(f'{file}: cannot be read: {error}') from error
    if values.dtype == np.int32:  # how older versions of Pillow read 16 bits
        values = values.astype(np.uint16)
    if values.ndim != 2 or values.dtype not in (np.uint8, np.uint16):
        raise ValueError(
            f'{file}: must have one channel of 8 or 16 bits, got {values.dtype} {values.shape}'
        )
    return values


def _escape(name: str) -> str:
    return ''.join(f'[{c}]' if c in '[]*?' else c for c in name)
