"""Where images to predict come from: arrays, files, folders, videos and cameras."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..datasets.output_names import output_names
from ..messages import located

IMAGE_SUFFIXES = ('.bmp', '.jpeg', '.jpg', '.png', '.ppm', '.tif', '.tiff', '.webp')
VIDEO_SUFFIXES = ('.avi', '.m4v', '.mkv', '.mov', '.mp4', '.mpeg', '.mpg', '.webm', '.wmv')
_CAMERA = 'camera:'
_CAMERA_FPS = 10.0  # of a camera that does not say


@dataclass(frozen=True)
class NamedImage:
    """An image, and what files about it are called.

    Attributes:
        image: A path, or pixels of shape (H, W, 3) in the order blue, green, red.
        name: With ``/`` between folders.
    """

    image: str | np.ndarray
    name: str


class Film:
    """The frames of a video file, or of a camera, in their order.

    Args:
        source: A file, or the number of a camera.

    Raises:
        ValueError: If OpenCV cannot open it.
    """

    def __init__(self, source: str | int) -> None:
        self.source = source
        self.is_camera = isinstance(source, int)
        self.name = f'camera_{source}' if isinstance(source, int) else Path(source).stem
        self._capture = cv2.VideoCapture(source)
        if not self._capture.isOpened():
            what = f'camera {source}' if self.is_camera else f'video {source}'
            raise ValueError(f'OpenCV cannot open the {what}')
        fps = float(self._capture.get(cv2.CAP_PROP_FPS))
        self.fps = fps if 0 < fps < 1000 else _CAMERA_FPS

    def __len__(self) -> int:
        """How many frames the file says that it has; 0 of a camera."""
        return 0 if self.is_camera else max(0, int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)))

    def frames(self, stop: int | None = None) -> Iterator[NamedImage]:
        """Yield the frames, named ``<name of the film>/000000`` and so on.

        Args:
            stop: How many at most.

        Raises:
            ValueError: If there is not a single one.
        """
        count = 0
        try:
            while stop is None or count < stop:
                read, frame = self._capture.read()
                if not read:
                    break
                yield NamedImage(frame, f'{self.name}/{count:06d}')
                count += 1
        finally:
            self._capture.release()
        if count == 0:
            raise ValueError(f'there is no frame in {self.source}')


def find_sources(inputs: Any, first: int = 0) -> list[NamedImage | Film]:
    """Return the images and films that are meant.

    Args:
        inputs: An image (a path or an array), a folder, which is searched with all folders below
            it, a video file, the number of a camera or ``'camera:0'``; or a list of them.
        first: The number of the first array, which is its name.

    Raises:
        FileNotFoundError: If there is no such file or folder.
        ValueError: If a folder holds no image, the list is empty, or a film cannot be opened.
        TypeError: If an input is of another type.
    """
    listed = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
    if not listed:
        raise ValueError('`inputs` is empty')
    found: list[str | np.ndarray | Film] = []
    for entry in listed:
        found += _expand(entry)
    paths = [entry for entry in found if isinstance(entry, str)]
    names = output_names(paths)
    arrays = iter(range(first, first + len(found)))
    sources: list[NamedImage | Film] = []
    for entry in found:
        if isinstance(entry, Film):
            sources.append(entry)
        elif isinstance(entry, str):
            sources.append(NamedImage(entry, names[entry]))
        else:
            sources.append(NamedImage(entry, f'{next(arrays):08d}'))
    return sources


def _expand(entry: Any) -> Sequence[str | np.ndarray | Film]:
    if isinstance(entry, np.ndarray):
        return [entry]
    if isinstance(entry, (int, np.integer)) and not isinstance(entry, bool):
        return [Film(int(entry))]
    if not isinstance(entry, (str, os.PathLike)):
        raise TypeError(
            '`inputs` must be paths, arrays, folders, videos or numbers of cameras, got '
            f'{type(entry).__name__}'
        )
    path = os.fspath(entry)
    number = path.removeprefix(_CAMERA)
    if number.isdigit() and not os.path.exists(path):
        return [Film(int(number))]
    if os.path.isdir(path):
        return _images_in(path)
    if not os.path.isfile(path):
        raise FileNotFoundError(f'there is no image, folder or video {located(path)}')
    return [Film(path)] if path.lower().endswith(VIDEO_SUFFIXES) else [path]


def _images_in(folder: str) -> list[str]:
    found = [
        os.path.join(inside, name)
        for inside, _, names in os.walk(folder, followlinks=True)
        for name in names
        if name.lower().endswith(IMAGE_SUFFIXES) and not name.startswith('.')
    ]
    if not found:
        raise ValueError(
            f'there is no image in {located(folder)}: allowed are files {IMAGE_SUFFIXES}'
        )
    return sorted(found)
