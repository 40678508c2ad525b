"""Whether ids survive MMSegmentation's LoadAnnotations, which keeps their lowest eight bits."""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from mmseg_abnn.datasets.file_checks import decode_image, first_few
from mmseg_abnn.messages import located

_MORE_BITS = ('I', 'F', 'I;16', 'I;16B', 'I;16L', 'I;16N')  # modes of one channel


def check_ids_fit(path: str) -> None:
    """Raise ValueError if a label file holds ids that LoadAnnotations would turn into others.

    Of a file of 8 bits only the header is read. A file that is not on this machine, or
    that Pillow does not know, is not judged.

    Args:
        path: The file.
    """
    if not os.path.isfile(path):
        return
    try:
        with Image.open(path) as image:
            if image.mode not in _MORE_BITS:
                return
        stored = np.asarray(decode_image(Path(path).read_bytes()))
    except UnidentifiedImageError:
        return
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from error
    whole = stored == np.rint(stored)
    wrong = ~whole | (stored < 0) | (stored > 255)
    if wrong.any():
        found = np.unique(stored[wrong])[:5].tolist()
        raise ValueError(
            f'{path}: a label must hold ids from 0 to 255, got {found}: MMSegmentation keeps the '
            'lowest 8 bits, which makes other ids of larger ones (768 becomes 0)'
        )


def check_label_paths(paths: Iterable[str]) -> None:
    """Check many label files before any work is done, several at a time.

    Args:
        paths: The files; those with ``://`` in their name are not on this machine, and not judged.

    Raises:
        FileNotFoundError: If files are missing.
        ValueError: If one holds ids that do not fit, see :func:`check_ids_fit`.
    """
    local = [path for path in paths if '://' not in path]
    missing = [path for path in local if not os.path.isfile(path)]
    if missing:
        named = first_few([located(path) for path in missing], ', ')
        raise FileNotFoundError(f'{len(missing)} of {len(local)} labels do not exist: {named}')
    with ThreadPoolExecutor() as pool:
        for _ in pool.map(check_ids_fit, local):
            pass
