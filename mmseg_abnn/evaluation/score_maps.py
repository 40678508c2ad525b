"""Uncertainty maps in files: NumPy arrays, 16-bit pictures and the files of the MUAD challenge."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .png_files import read_png, write_png, write_whole

SCORE_FORMATS = ('npy', 'png', 'pth')
"""Formats of score maps, and the suffixes of their files."""

RANGE_KEY = 'score_range'
"""Name of the text in a PNG file that tells which scores 0 and 65535 stand for."""

_STEPS = 2**16 - 1
_ROUNDING = 1e-3  # by which a mean of probabilities in half precision may miss [0, 1]


def check_format(name: str, value: Any) -> str:
    """Return a format of score maps, or raise ValueError, naming the argument."""
    if value not in SCORE_FORMATS:
        raise ValueError(f'`{name}` must be one of {SCORE_FORMATS}, got {value!r}')
    return str(value)


def write_score_map(
    path: str | Path,
    values: np.ndarray,
    format: str | None = None,
    limits: tuple[float, float] | None = None,
    classes: np.ndarray | None = None,
) -> Path:
    """Write an uncertainty map; :func:`read_score_map` returns it.

    - ``'npy'``: float32, as it is.
    - ``'png'``: 16-bit gray. The value 0 stands for the lowest score and 65535 for the highest;
      both stand as the text ``score_range`` in the file, ``[low, high]``. What is read differs by
      at most half a step, (high - low) / 131070, beside the rounding of float32.
    - ``'pth'``, of the MUAD challenge: a dict with ``conf``, the confidence 1 - score as float32,
      and ``pred``, the class ids, both (H, W). The score must be 1 - confidence, as ``'msp'`` is.

    Args:
        path: The file; the suffix of the format is added where it is missing. Its folder is made
            if it does not exist, and a file of the same name is replaced, never in part.
        values: Finite, of shape (H, W).
        format: One of :data:`SCORE_FORMATS`; None: what the suffix of ``path`` says.
        limits: The lowest and the highest score that there can be, for ``'png'``: maps with the
            same limits can be compared as pictures. Values beyond widen them. None: those of
            ``values``.
        classes: Class ids of shape (H, W), for ``'pth'``.

    Returns:
        The file.

    Raises:
        ValueError: If an argument is not as above.
    """
    if format is None:
        format = Path(path).suffix.removeprefix('.')
    check_format('format', format)
    file = Path(path if str(path).endswith(f'.{format}') else f'{path}.{format}')
    values = np.asarray(values, dtype=np.float32)
    if values.ndim != 2:
        raise ValueError(f'`values` must have shape (H, W), got {values.shape}')
    bad = int((~np.isfinite(values)).sum())
    if bad:
        raise ValueError(f'`values` is NaN or infinite at {bad} of {values.size} pixels')
    if format == 'npy':
        write_whole(file, lambda stream: np.save(stream, values))
    elif format == 'png':
        _write_png(file, values, limits)
    else:
        _write_challenge(file, values, classes)
    return file


def read_score_map(path: str | Path) -> np.ndarray:
    """Read an uncertainty map.

    Args:
        path: What :func:`write_score_map` wrote; also a PNG file of one channel with 8 or 16 bits
            and without the text ``score_range``, whose values stand for [0, 1].

    Returns:
        Float32, of shape (H, W).

    Raises:
        ValueError: If the file does not have the form. The message names it.
    """
    file = Path(path)
    if file.suffix == '.pth':
        return 1 - read_challenge(file)[0]
    if file.suffix == '.npy':
        return _read_npy(file)
    values, text = read_png(file)
    low, high = 0.0, 1.0
    if RANGE_KEY in text:
        try:
            low, high = map(float, json.loads(text[RANGE_KEY]))
        except (ValueError, TypeError) as error:
            raise ValueError(
                f'{file}: its text {RANGE_KEY!r} must be "[low, high]", got {text[RANGE_KEY]!r}'
            ) from error
    share = values / np.iinfo(values.dtype).max
    return (low + (high - low) * share).astype(np.float32)


def read_challenge(file: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read a file of the MUAD challenge.

    Returns:
        Confidence, float32, and class ids, int64, of shape (H, W) both.

    Raises:
        ValueError: If the file does not have the form. The message names it.
    """
    try:
        content = torch.load(file, map_location='cpu', weights_only=True)
    except Exception as error:
        raise ValueError(f'{file}: no file that PyTorch can load safely: {error}') from error
    if not isinstance(content, dict) or not {'conf', 'pred'} <= content.keys():
        found = sorted(content) if isinstance(content, dict) else type(content).__name__
        raise ValueError(f"{file}: must hold a dict with 'conf' and 'pred', got {found}")
    confidence, classes = (torch.as_tensor(content[name]) for name in ('conf', 'pred'))
    if classes.is_floating_point() or classes.dtype == torch.bool:
        raise ValueError(f'{file}: `pred` must hold integers, got {classes.dtype}')
    return _plane(confidence.float().numpy()), _plane(classes.long().numpy())


def _write_png(file: Path, values: np.ndarray, limits: tuple[float, float] | None) -> None:
    low, high = limits or (np.inf, -np.inf)
    low, high = min(float(low), float(values.min())), max(float(high), float(values.max()))
    if limits and not limits[0] <= limits[1]:
        raise ValueError(f'`limits` must be (low, high), got {limits}')
    share = (values.astype(np.float64) - low) / (high - low or 1.0)
    text = {RANGE_KEY: json.dumps([low, high])}
    write_png(file, np.rint(share * _STEPS).astype(np.uint16), text)


def _write_challenge(file: Path, values: np.ndarray, classes: np.ndarray | None) -> None:
    if classes is None or np.shape(classes) != values.shape:
        shape = None if classes is None else np.shape(classes)
        raise ValueError(
            f'a .pth file of the MUAD challenge needs `classes` of shape {values.shape}, '
            f'got {shape}'
        )
    if values.min() < -_ROUNDING or values.max() > 1 + _ROUNDING:
        raise ValueError(
            'a .pth file of the MUAD challenge holds 1 - score as a confidence: `values` must be '
            f'in [0, 1], got {values.min()} to {values.max()}'
        )
    confidence = (1 - values).clip(0, 1)
    content = {'conf': torch.from_numpy(confidence), 'pred': torch.from_numpy(_narrow(classes))}
    write_whole(file, lambda stream: torch.save(content, stream))


def _narrow(classes: np.ndarray) -> np.ndarray:
    """Return class ids in one byte if they fit."""
    return classes.astype(np.uint8 if classes.max() <= 255 else np.int64)


def _read_npy(file: Path) -> np.ndarray:
    try:
        values = np.load(file, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise ValueError(f'{file}: no NumPy array: {error}') from error
    return _plane(values).astype(np.float32)


def _plane(values: np.ndarray) -> np.ndarray:
    """Take axes of length 1 away that stand before or behind (H, W)."""
    while values.ndim > 2 and values.shape[0] == 1:
        values = values[0]
    while values.ndim > 2 and values.shape[-1] == 1:
        values = values[..., 0]
    return values
