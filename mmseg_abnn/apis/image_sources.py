"""Where images to predict come from: arrays, files, folders, videos and cameras."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..datasets.output_names import output_names
from ..datasets.visible_files import visible_files
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
        if isinstance(source, int) and source < 0:  # OpenCV may crash
            raise ValueError(f'the number of a camera must be >= 0, got {source}')
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
        if stop is not None and stop < 1:
            raise ValueError(f'`max_frames` must be None or >= 1, got {stop}')
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


def find_sources(
    inputs: Any, first: int = 0, outputs: Sequence[str | os.PathLike[str]] = ()
) -> list[NamedImage | Film]:
    """Return the images and films that are meant.

    Args:
        inputs: An image (a path or an array), a folder, which is searched with all folders below
            it, a video file, the number of a camera or ``'camera:0'``; or a list of them.
        first: The number of the first array, which is its name.
        outputs: Folders that are written to: they are not searched, and no file in them is read.

    Raises:
        FileNotFoundError: If there is no such file or folder.
        ValueError: If a folder holds no image, the list is empty, a film cannot be opened, two
            inputs would have one name, or one lies in ``outputs``.
        TypeError: If an input is of another type.
    """
    listed = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
    if not listed:
        raise ValueError('`inputs` is empty')
    written = [os.path.realpath(folder) for folder in outputs]
    found: list[str | np.ndarray | Film] = []
    for entry in listed:
        found += _expand(entry, written)
    files = [each.source if isinstance(each, Film) else each for each in found]
    paths = [file for file in files if isinstance(file, str)]
    _check_not_written(paths, written)
    names = output_names(paths)
    arrays = iter(range(first, first + len(found)))
    sources: list[NamedImage | Film] = []
    for entry in found:
        if isinstance(entry, Film):
            entry.name = names.get(str(entry.source), entry.name)
            sources.append(entry)
        elif isinstance(entry, str):
            sources.append(NamedImage(entry, names[entry]))
        else:
            sources.append(NamedImage(entry, f'{next(arrays):08d}'))
    _check_different(sources)
    return sources


def _check_not_written(paths: Sequence[str], written: Sequence[str]) -> None:
    for path in paths:
        inside = [each for each in written if Path(os.path.realpath(path)).is_relative_to(each)]
        if inside:
            raise ValueError(
                f'the input {path} lies in {inside[0]}, which is written to: choose another '
                '`out_dir`'
            )


def _check_different(sources: Sequence[NamedImage | Film]) -> None:
    """Refuse names that two inputs would share, as frames of a film and arrays may."""
    arrays = {s.name for s in sources if isinstance(s, NamedImage) and not isinstance(s.image, str)}
    files = {s.name for s in sources if isinstance(s, NamedImage) and isinstance(s.image, str)}
    films = [s.name for s in sources if isinstance(s, Film)]
    shared = [name for name in files if name in arrays or name.rpartition('/')[0] in films]
    shared += [name for name in films if films.count(name) > 1]
    if shared:
        raise ValueError(
            f'two inputs would both be called {min(shared)!r}: predict them in two calls, with an '
            '`out_dir` each'
        )


def _expand(entry: Any, written: Sequence[str]) -> Sequence[str | np.ndarray | Film]:
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
        return _images_in(path, written)
    if not os.path.isfile(path):
        raise FileNotFoundError(f'there is no image, folder or video {located(path)}')
    return [Film(path)] if path.lower().endswith(VIDEO_SUFFIXES) else [path]


def _images_in(folder: str, written: Sequence[str]) -> list[str]:
    suffixes = (*IMAGE_SUFFIXES, *(suffix.upper() for suffix in IMAGE_SUFFIXES))
    found = [str(path) for path in visible_files(Path(folder), suffixes, written)]
    if not found:
        raise ValueError(f'there is no image in {folder}: allowed are files {IMAGE_SUFFIXES}')
    return found
