"""Images and labels as they are stored, and as a pipeline has packed them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

import cv2
import mmcv
import mmengine.fileio as fileio
import numpy as np
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from mmseg_abnn.datasets.file_checks import decode_image
from mmseg_abnn.datasets.ood_dataset import IGNORE_ID
from mmseg_abnn.datasets.ood_ids import check_ood_ids

UNKNOWN = -1
"""Id of a pixel whose stored id stands for nothing: no class, not OOD, not ignored."""

_NUMBERS = ('F', 'I')  # Pillow's modes of images whose pixels are any numbers

# Pillow's words for a file that is missing, broken, cut off or too large
_UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)


def ids_after_loading(
    info: Mapping[str, Any], num_classes: int, ood_id: int | Sequence[int] | None = None
) -> np.ndarray:
    """Return what each stored id becomes when a label is loaded, OOD pixels kept.

    With ``ood_id`` in ``info`` the label belongs to an :class:`OODSegDataset`, whose ``label_map``
    holds every id that is allowed. Without it MMSegmentation's ``LoadAnnotations`` is followed:
    ``reduce_zero_label`` ignores 0 and lowers the others by one, then ``label_map`` is applied,
    and an id that it lacks stays as it is.

    Args:
        info: What the dataset says about an image, see ``BaseDataset.get_data_info``.
        num_classes: Number of classes.
        ood_id: Ids of OOD pixels after loading, if there are any and ``info`` does not tell them.

    Returns:
        Shape (256,), int16, indexed by the stored id: ``0..num_classes-1``, an id of ``ood_id``,
        :data:`IGNORE_ID` or, whatever else it would become, :data:`UNKNOWN`.
    """
    label_map: Mapping[int, int] = info.get('label_map') or {}
    ids = np.arange(256, dtype=np.int16)
    if 'ood_id' in info:
        loaded = np.array([label_map.get(int(i), UNKNOWN) for i in ids], dtype=np.int16)
    else:
        if info.get('reduce_zero_label'):
            ids = np.concatenate([[IGNORE_ID], ids[:254], [IGNORE_ID]])
        loaded = np.array([label_map.get(int(i), int(i)) for i in ids], dtype=np.int16)
    ood_ids = check_ood_ids('ood_id', info.get('ood_id', ood_id))
    known = (loaded >= 0) & (loaded < num_classes) | (loaded == IGNORE_ID)
    known |= np.isin(loaded, ood_ids)
    return np.where(known, loaded, np.int16(UNKNOWN))


def read_label(info: Mapping[str, Any], backend_args: dict | None = None) -> np.ndarray:
    """Read a label as it is stored, and compare its size with that of its image.

    Args:
        info: What the dataset says about an image, see ``BaseDataset.get_data_info``.
        backend_args: Arguments of the file backend.

    Returns:
        Stored ids, uint8, shape (H, W).

    Raises:
        ValueError: If the label is missing, broken, not a single-channel image with ids from 0 to
            255 (8-bit, for an :class:`OODSegDataset`), or not as large as its image. The message
            does not name the file.
    """
    if not info.get('seg_map_path'):
        raise ValueError('has no label: the dataset gives no `seg_map_path`')
    by_format = 'ood_id' in info
    try:
        label = decode_image(fileio.get(info['seg_map_path'], backend_args=backend_args))
    except OSError as error:
        raise ValueError(f'cannot be read ({error})') from error
    mode, stored = label.mode, np.asarray(label)
    if stored.ndim != 2 or (by_format and stored.dtype != np.uint8):
        raise ValueError(f'expected one 8-bit channel, got mode {mode}')
    if stored.dtype != np.uint8:
        # LoadAnnotations keeps the lowest 8 bits, which makes other ids of larger ones
        if (stored != stored.astype(np.uint8)).any():
            raise ValueError(f'expected ids from 0 to 255, got {stored.min()} to {stored.max()}')
        stored = stored.astype(np.uint8)
    if backend_args is None:
        _check_size(info['img_path'], stored.shape, by_format)
    return stored


def _check_size(image_path: str, shape: tuple[int, ...], by_format: bool) -> None:
    """Raise ValueError if a label's shape is not that of its image; read its header only."""
    try:
        with Image.open(image_path) as image:
            width, height = image.size
    except UnidentifiedImageError as error:
        if by_format:
            raise ValueError('its image cannot be read (not an image)') from error
        return  # images of other datasets may be of kinds that only their pipelines read
    except _UNREADABLE as error:
        raise ValueError(f'its image cannot be read ({error})') from error
    if shape != (height, width):
        raise ValueError(f'is {shape[1]}x{shape[0]}, but its image is {width}x{height}')


def read_image(info: Mapping[str, Any], backend_args: dict | None = None) -> np.ndarray:
    """Read an image as ``LoadImageFromFile`` does with its default settings.

    Args:
        info: What the dataset says about an image, see ``BaseDataset.get_data_info``.
        backend_args: Arguments of the file backend.

    Returns:
        RGB uint8, shape (H, W, 3).

    Raises:
        ValueError: If the image is missing or broken. The message does not name the file.
    """
    try:
        image = mmcv.imfrombytes(fileio.get(info['img_path'], backend_args=backend_args))
    except (*_UNREADABLE, cv2.error) as error:
        raise ValueError(f'its image cannot be read ({error})') from error
    if image is None:
        raise ValueError('its image cannot be read')
    return np.ascontiguousarray(image[..., ::-1])


def read_drawable(path: str, backend_args: dict | None = None) -> np.ndarray:
    """Read an image for a picture of it, if it is one.

    Args:
        path: The image.
        backend_args: Arguments of the file backend.

    Returns:
        RGB uint8, shape (H, W, 3).

    Raises:
        ValueError: If it is missing, broken or no picture: of another number of channels than a
            picture has, or of numbers that stand for no brightness. The message does not name the
            file.
    """
    try:
        data = fileio.get(path, backend_args=backend_args)
        # OpenCV reads such files too, and makes something black of them
        with Image.open(BytesIO(data)) as header:
            mode = header.mode
    except UnidentifiedImageError as error:
        raise ValueError('it is no picture that can be drawn') from error
    except _UNREADABLE as error:
        raise ValueError(f'it cannot be read ({error})') from error
    if mode in _NUMBERS:
        raise ValueError(f'its pixels are numbers of 32 bits (mode {mode}), which are no colors')
    return read_image({'img_path': path}, backend_args)


def read_scene(dataset: Any, index: int) -> tuple[np.ndarray, np.ndarray]:
    """Read an image and its label as they are stored, whatever the pipeline does.

    Args:
        dataset: A ``BaseSegDataset``.
        index: Which of its images.

    Returns:
        The image, RGB uint8, shape (H, W, 3), and the ids of its pixels after loading, see
        :func:`ids_after_loading`, shape (H, W).

    Raises:
        ValueError: If a file is missing or broken.
    """
    info, meta = dataset.get_data_info(index), dataset.metainfo
    backend_args = getattr(dataset, 'backend_args', None)
    loaded = ids_after_loading(info, len(meta['classes']), meta.get('ood_id'))
    try:
        return read_image(info, backend_args), loaded[read_label(info, backend_args)]
    except ValueError as error:
        raise ValueError(f'{info.get("seg_map_path") or info["img_path"]}: {error}') from error


def unpack(sample: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return the image and the label that a pipeline has packed for the network.

    Args:
        sample: What ``PackSegInputs`` returns. The channels of its image are blue, green and red,
            as MMCV reads them, or there is a single one.

    Returns:
        The image, RGB uint8, shape (H, W, 3), and the ids of its pixels, shape (H, W). Where a
        pipeline leaves the label larger than the image, the image is enlarged.

    Raises:
        ValueError: If there is no such image or no label.
    """
    inputs, label = sample['inputs'], sample['data_samples'].get('gt_sem_seg')
    if not isinstance(inputs, Tensor) or inputs.ndim != 3 or len(inputs) not in (1, 3):
        shape = tuple(inputs.shape) if isinstance(inputs, Tensor) else type(inputs).__name__
        raise ValueError(f'a picture needs `inputs` of shape (1 or 3, H, W), got {shape}')
    if label is None:
        raise ValueError('the pipeline delivers no labels')
    ids = label.data[0].numpy()
    image = inputs.expand(3, -1, -1).flip(0).permute(1, 2, 0).float().numpy()
    image = np.rint(image.clip(0, 255)).astype(np.uint8)
    if image.shape[:2] != ids.shape:
        image = mmcv.imresize(image, ids.shape[::-1], interpolation='nearest')
    return image, ids
