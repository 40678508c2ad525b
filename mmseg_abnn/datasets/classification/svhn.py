"""SVHN (Netzer et al., "Reading Digits in Natural Images with Unsupervised Feature Learning")."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from mmpretrain.datasets import BaseDataset
from mmpretrain.registry import DATASETS
from scipy.io import loadmat

from ...messages import located
from ..protocol import check_choice

URL = 'http://ufldl.stanford.edu/housenumbers/'
_IMAGE_SHAPE = (32, 32, 3)
_STORED_ZERO = 10  # MATLAB counts from 1


@DATASETS.register_module()
class SVHNDataset(BaseDataset):
    """House numbers from street views, cropped to one digit of 32x32 pixels (SVHN's format 2).

    ``data_root`` holds ``<split>_32x32.mat``. Nothing is downloaded. Every ``data_info`` holds
    ``img``, uint8 (32, 32, 3) with channels in the order RGB as in MMPretrain's CIFAR, and
    ``gt_label``, the digit. A pipeline therefore loads nothing.

    Args:
        data_root: Folder that holds the file.
        split: ``train`` (73257 images), ``test`` (26032) or ``extra`` (531131).
        **kwargs: See MMPretrain's ``BaseDataset``. ``test_mode`` is set for ``test``.

    Raises:
        ValueError: If ``split`` is unknown or the file is not in the format above.
        FileNotFoundError: If the file is missing.
    """

    METAINFO = {'classes': tuple(str(digit) for digit in range(10))}  # noqa: RUF012
    SPLITS = ('train', 'test', 'extra')

    def __init__(self, data_root: str, split: str = 'test', **kwargs: Any) -> None:
        self.split = check_choice('split', split, self.SPLITS)
        super().__init__(
            ann_file=f'{split}_32x32.mat',
            data_root=data_root,
            **{'test_mode': split == 'test', **kwargs},
        )

    def load_data_list(self) -> list[dict[str, Any]]:
        """Read the file.

        Returns:
            One dict per image, in the order of the file.

        Raises:
            FileNotFoundError: If the file is missing.
            ValueError: If it is not in the format of SVHN.
        """
        images, digits = read_svhn(Path(self.ann_file))
        return [
            {'img': image, 'gt_label': int(digit)}
            for image, digit in zip(images, digits, strict=True)
        ]


def read_svhn(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read a file of SVHN's format 2.

    Args:
        path: A MATLAB v5 file with ``X``, uint8 (32, 32, 3, N), and ``y``, (N, 1), in which 10
            stands for the digit 0.

    Returns:
        The images, uint8 (N, 32, 32, 3), and the digits, int64 (N,).

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If it is not in that format. The message names the file.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f'SVHN is expected in {located(path)}, which does not exist; get {path.name} from {URL}'
        )
    try:
        content = loadmat(path, variable_names=['X', 'y'])
    except Exception as error:  # damage makes SciPy raise zlib.error, TypeError and more
        raise ValueError(
            f'{path} cannot be read as a MATLAB v5 file ({type(error).__name__}: {error}); it may '
            f'be cut off, get it again from {URL}'
        ) from error
    missing = [name for name in ('X', 'y') if name not in content]
    if missing:
        raise ValueError(f'{path} holds no variable {" and no ".join(missing)}')
    images, labels = content['X'], content['y']
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[:3] != _IMAGE_SHAPE:
        raise ValueError(
            f'{path}: `X` must be uint8 of shape (32, 32, 3, N), '
            f'got {images.dtype} of shape {images.shape}'
        )
    count = images.shape[3]
    if labels.dtype.kind not in 'iuf' or labels.shape != (count, 1):
        raise ValueError(
            f'{path}: `y` must be numbers of shape ({count}, 1), '
            f'got {labels.dtype} of shape {labels.shape}'
        )
    if not count:
        raise ValueError(f'{path} holds no image')
    wrong = np.setdiff1d(labels, np.arange(1, _STORED_ZERO + 1))
    if wrong.size:
        raise ValueError(f'{path}: labels must be integers from 1 to 10, got {wrong.tolist()[:5]}')
    digits = labels[:, 0].astype(np.int64) % _STORED_ZERO
    return np.ascontiguousarray(images.transpose(3, 0, 1, 2)), digits
