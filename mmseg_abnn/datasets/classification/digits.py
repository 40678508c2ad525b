"""A small classification benchmark with OOD sets of several kinds that needs no download."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from mmpretrain.datasets import BaseDataset
from mmpretrain.registry import DATASETS

from ..protocol import check_choice

NAMES = tuple(str(digit) for digit in range(10))
_LEVELS = 16  # brightest pixel of a digit
_SIDE = 8
# shares of train and val; test has the rest
_TRAIN, _VAL = 0.6, 0.15
_WAVES, _MAX_CYCLES = 3, 3.0


@DATASETS.register_module()
class DigitsDataset(BaseDataset):
    """Handwritten digits that come with scikit-learn: 1797 gray images of 8x8 pixels.

    Some digits are the classes of the network; images of the others are OOD, and so are two sets
    made here. All is determined by the arguments:

    - ``train``, ``val``, ``test``: 60, 15 and 25 % of the images of each class. An image is in
      the same split whichever ``classes`` are chosen.
    - ``unseen``: all images of the other digits (OOD of the same kind).
    - ``shuffled``: the images of ``test``, the 64 pixels of each in another order (OOD with the
      gray values of the test images). ``gt_label`` is that of the digit.
    - ``textures``: as many images as in ``test``, see :func:`texture` (OOD of another kind).

    Every ``data_info`` holds ``img``, uint8 (size, size, 3) with equal channels, and
    ``gt_label``, an index in ``metainfo['classes']``, which are the names of the digits of the
    split, ``('texture',)`` for ``textures``. A pipeline therefore loads nothing.

    Args:
        split: One of ``SPLITS``.
        classes: The digits that are classes of the network.
        size: Side of the images in pixels, at least 8; they are enlarged bilinearly.
        metainfo: Overrides of ``metainfo``.
        **kwargs: See MMPretrain's ``BaseDataset``. ``test_mode`` is set for all but ``train``.

    Raises:
        ValueError: If an argument is not allowed.
        ImportError: If scikit-learn is not installed.
    """

    SPLITS = ('train', 'val', 'test', 'unseen', 'shuffled', 'textures')

    def __init__(
        self,
        split: str,
        classes: Sequence[int] = range(8),
        size: int = 16,
        metainfo: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        self.split = check_choice('split', split, self.SPLITS)
        self.digits = tuple(classes)
        if not self.digits or len({*self.digits} & {*range(10)}) != len(self.digits):
            raise ValueError(f'`classes` must be different digits, 0 to 9, got {list(classes)}')
        self.unseen = tuple(digit for digit in range(10) if digit not in self.digits)
        if split == 'unseen' and not self.unseen:
            raise ValueError("`classes` must leave out a digit for the split 'unseen'")
        if size < _SIDE:
            raise ValueError(f'`size` must be >= {_SIDE}, got {size}')
        self.size = size
        names = tuple(NAMES[digit] for digit in self._digits_of_split())
        if split == 'textures':
            names = ('texture',)
        super().__init__(
            ann_file='',
            metainfo={'classes': names, **(metainfo or {})},
            **{'test_mode': split != 'train', **kwargs},
        )

    def load_data_list(self) -> list[dict[str, Any]]:
        """Take or make the images of the split.

        Returns:
            One dict per image; those of digits are in scikit-learn's order.
        """
        bundled = _load_digits()
        kept = self._digits_of_split()
        if self.split == 'unseen':
            chosen = np.flatnonzero(np.isin(bundled.target, kept))
        else:
            part = self.split if self.split in ('train', 'val') else 'test'
            chosen = split_indices(bundled.target, kept, part)
        images = bundled.images[chosen].astype(np.uint8)
        labels = [kept.index(digit) for digit in bundled.target[chosen].tolist()]
        if self.split == 'shuffled':
            images = np.stack([shuffle(i, image) for i, image in enumerate(images)])
        elif self.split == 'textures':
            images = np.stack([texture(i) for i in range(len(images))])
            labels = [0] * len(images)
        return [
            {'img': enlarge(image, self.size), 'gt_label': label}
            for image, label in zip(images, labels, strict=True)
        ]

    def _digits_of_split(self) -> tuple[int, ...]:
        return self.unseen if self.split == 'unseen' else self.digits


def _load_digits() -> Any:
    # only this data set needs scikit-learn
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise ImportError(
            f'`DigitsDataset` needs scikit-learn, which its digits come with ({error}): '
            'pip install scikit-learn'
        ) from error
    return load_digits()


def split_indices(target: np.ndarray, digits: Sequence[int], part: str) -> np.ndarray:
    """Return which images are in a part of the fixed split.

    Args:
        target: Digit of each image, (N,).
        digits: The digits to take.
        part: ``train``, ``val`` or ``test``.

    Returns:
        Indices, ascending.
    """
    chosen = []
    for digit in digits:
        # RandomState: NumPy promises that its numbers never change
        order = np.random.RandomState(digit).permutation(np.flatnonzero(target == digit))
        bounds = [round(order.size * _TRAIN), round(order.size * (_TRAIN + _VAL))]
        train, val, test = np.split(order, bounds)
        chosen.append({'train': train, 'val': val, 'test': test}[part])
    return np.sort(np.concatenate(chosen))


def shuffle(index: int, image: np.ndarray) -> np.ndarray:
    """Put the pixels of an image in an order that its index determines."""
    order = np.random.RandomState(index).permutation(image.size)
    return image.ravel()[order].reshape(image.shape)


def texture(index: int) -> np.ndarray:
    """Make a texture with the size and the gray levels of a digit.

    It is the sum of three plane waves of random direction, phase and frequency, one to three
    periods per image, stretched to all gray levels.

    Args:
        index: Determines the texture.

    Returns:
        uint8 (8, 8), 0 to 16.
    """
    random = np.random.RandomState(index)
    y, x = np.mgrid[:_SIDE, :_SIDE] / _SIDE
    total = np.zeros((_SIDE, _SIDE))
    for _ in range(_WAVES):
        cycles = random.uniform(1, _MAX_CYCLES)
        angle, phase = random.uniform(0, 2 * np.pi, size=2)
        total += np.sin(2 * np.pi * cycles * (x * np.cos(angle) + y * np.sin(angle)) + phase)
    low, high = total.min(), total.max()
    return np.round((total - low) / (high - low) * _LEVELS).astype(np.uint8)


def enlarge(image: np.ndarray, size: int) -> np.ndarray:
    """Turn 17 gray levels into 256 and three channels, and enlarge bilinearly.

    Args:
        image: uint8 (8, 8), 0 to 16.
        size: Side of the result in pixels.

    Returns:
        uint8 (size, size, 3).
    """
    gray = np.round(image * (255 / _LEVELS)).astype(np.uint8)
    larger = cv2.resize(gray, (size, size), interpolation=cv2.INTER_LINEAR)
    return np.repeat(larger[..., None], 3, axis=2)
