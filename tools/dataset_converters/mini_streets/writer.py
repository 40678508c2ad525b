"""MiniStreets on disk: files, and a manifest that says how they were made."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

import cv2

from .formats import FORMATS
from .render import SPLITS, check_size, render_image

MANIFEST = 'mini_streets.json'
VERSION = 1
"""Goes up whenever the same settings give other pixels."""


@dataclass(frozen=True)
class Settings:
    """What decides every byte of a copy of MiniStreets.

    Attributes:
        seed: At least 0.
        size: Height and width, pixels.
        counts: Images per split.
        format: One of ``FORMATS``.
    """

    seed: int
    size: tuple[int, int]
    counts: Mapping[str, int]
    format: str = 'mini_streets'

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f'`seed` must be >= 0, got {self.seed}')
        check_size(self.size)
        if self.format not in FORMATS:
            raise ValueError(f'`format` must be one of {list(FORMATS)}, got {self.format!r}')
        if set(self.counts) != set(SPLITS):
            raise ValueError(f'`counts` must name {list(SPLITS)}, got {sorted(self.counts)}')
        for split, count in self.counts.items():
            if not 0 <= count <= 999_999:
                raise ValueError(f'the number of {split} images must be 0..999999, got {count}')

    def manifest(self) -> dict:
        """The settings as they are written down."""
        return {'version': VERSION, **asdict(self), 'size': list(self.size)}


def paths(root: Path, settings: Settings, split: str, index: int) -> tuple[Path, Path]:
    """Where an image and its label are stored."""
    image, label = FORMATS[settings.format].paths(split, index)
    return root / image, root / label


def open_folder(root: Path, settings: Settings) -> list[tuple[str, int]]:
    """Make a folder ready for images.

    Args:
        root: Folder to write to.
        settings: Settings of the images.

    Returns:
        Split and index of each image that is not there yet.

    Raises:
        FileExistsError: If the folder holds something else, or images of other settings.
        ValueError: If its manifest cannot be read.
    """
    if root.exists() and not root.is_dir():
        raise FileExistsError(f'{root} is a file')
    manifest = root / MANIFEST
    wanted = settings.manifest()
    if manifest.is_file():
        found = _read_manifest(manifest)
        if found != wanted:
            raise FileExistsError(
                f'{root} holds images of other settings: it has {found}, asked for {wanted}; '
                'use another folder or delete this one'
            )
    elif root.is_dir() and any(root.iterdir()):
        raise FileExistsError(f'{root} is not empty and holds no {MANIFEST}; use another folder')
    else:  # the manifest comes first: a run cut off after this point can be taken up again
        root.mkdir(parents=True, exist_ok=True)
        _write_whole(manifest, (json.dumps(wanted, indent=2) + '\n').encode())
    for path, text in FORMATS[settings.format].lists(settings.counts).items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        _write_whole(root / path, text.encode())
    return [
        (split, index)
        for split in SPLITS
        for index in range(settings.counts[split])
        if not all(path.is_file() for path in paths(root, settings, split, index))
    ]


def _read_manifest(path: Path) -> dict:
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f'{path} is damaged ({error}); delete the folder') from error


def write_images(
    root: Path, settings: Settings, missing: list[tuple[str, int]], workers: int
) -> Iterator[None]:
    """Render and write images, in this process or in several.

    Args:
        root: Folder made ready with :func:`open_folder`.
        settings: Settings of the images.
        missing: Split and index of each.
        workers: Number of processes, at least 1. The files do not depend on it.

    Yields:
        None after each image, for a progress bar.

    Raises:
        ValueError: If ``workers`` is below 1.
    """
    if workers < 1:
        raise ValueError(f'`workers` must be >= 1, got {workers}')
    tasks = [(root, settings, split, index) for split, index in missing]
    if workers == 1:
        yield from map(_write_one, tasks)
        return
    # not by fork: a child of a process with running threads (PyTorch's, OpenCV's) can hang
    spawn = get_context('spawn')
    with spawn.Pool(workers, initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        yield from pool.imap_unordered(_write_one, tasks, chunksize=4)


def _write_one(task: tuple[Path, Settings, str, int]) -> None:
    root, settings, split, index = task
    scene = render_image(split, index, settings.seed, settings.size)
    files = FORMATS[settings.format].encode(*scene, index)
    for path, data in zip(paths(root, settings, split, index), files, strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_whole(path, data)


def _write_whole(path: Path, data: bytes) -> None:
    """Write a file that either is complete or does not exist, whatever interrupts us."""
    part = path.with_name(f'{path.name}.{os.getpid()}.part')
    part.write_bytes(data)
    part.replace(path)
