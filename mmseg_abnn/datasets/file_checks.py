"""Whether the files of a dataset pair, and are what its format says."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import numpy as np
from mmengine.logging import print_log
from PIL import Image, UnidentifiedImageError

from ..messages import located
from .visible_files import visible_files

_NAMED = 3  # how many files an error names before it only counts


@dataclass(frozen=True)
class PairFacts:
    """What one look at an image and its label found.

    Attributes:
        problem: What is wrong, or None.
        wrong_image: Whether the problem is the image's, not the label's.
        size: Width and height of the label.
        pixels: Number of pixels per stored id.
    """

    problem: str | None = None
    wrong_image: bool = False
    size: tuple[int, int] = (0, 0)
    pixels: Mapping[int, int] = field(default_factory=dict)


def pair_files(
    image_dir: Path, label_dir: Path, image_suffix: str, label_suffix: str
) -> list[tuple[Path, Path]]:
    """Pair images and labels that share a relative path up to their suffix.

    Args:
        image_dir: Folder of the images; sub-folders count, see :func:`visible_files`.
        label_dir: Folder of the labels.
        image_suffix: How the name of an image ends.
        label_suffix: How the name of a label ends.

    Returns:
        ``(image, label)`` paths, sorted by image path.

    Raises:
        FileNotFoundError: If a folder is missing or holds no image.
        ValueError: If an image has no label, or a label no image.
    """
    for folder, what in ((image_dir, 'image'), (label_dir, 'label')):
        if not folder.is_dir():
            raise FileNotFoundError(f'the {what} folder {located(folder)} does not exist')
    images = _stems(image_dir, image_suffix)
    labels = _stems(label_dir, label_suffix)
    if not images:
        raise FileNotFoundError(
            f'the image folder {located(image_dir)} holds no file *{image_suffix}'
        )
    for have, lack, folder, what in (
        (images, labels, label_dir, 'image(s) without a label'),
        (labels, images, image_dir, 'label(s) without an image'),
    ):
        alone = [have[stem].name for stem in sorted(have.keys() - lack.keys())]
        if alone:
            raise ValueError(f'{len(alone)} {what} in {folder}: {first_few(alone, ", ")}')
    return [(images[stem], labels[stem]) for stem in sorted(images)]


def list_images(image_dir: Path, image_suffix: str) -> list[Path]:
    """List images that have no labels.

    Args:
        image_dir: Folder of the images; sub-folders count.
        image_suffix: How the name of an image ends.

    Returns:
        Paths, sorted.

    Raises:
        FileNotFoundError: If the folder is missing or holds no image.
    """
    if not image_dir.is_dir():
        raise FileNotFoundError(f'the image folder {located(image_dir)} does not exist')
    images = _stems(image_dir, image_suffix)
    if not images:
        raise FileNotFoundError(
            f'the image folder {located(image_dir)} holds no file *{image_suffix}'
        )
    return [images[stem] for stem in sorted(images)]


def check_label_files(
    pairs: Sequence[tuple[Path, Path]],
    allowed_ids: Mapping[int, int] | Sequence[int],
    skip_broken: bool = False,
) -> list[tuple[Path, Path]]:
    """Open every label once and check that it is what the format says.

    A label must be a complete single-channel 8-bit image, as large as its image, and hold no
    other ids than the allowed ones. Of the images only the header is read.

    Args:
        pairs: ``(image, label)`` paths.
        allowed_ids: Stored ids that may occur.
        skip_broken: Log what is wrong, and leave it out, instead of raising.

    Returns:
        The pairs with a right label.

    Raises:
        ValueError: Names how many files are wrong, the first few, what is wrong with them and
            the allowed ids; with ``skip_broken`` only if no label is right.
    """
    good, bad = [], []
    for pair, facts in zip(pairs, inspect_pairs(pairs, allowed_ids), strict=True):
        if facts.problem:
            bad.append(f'{pair[1]}: {facts.problem}')
        else:
            good.append(pair)
    if not bad:
        return good
    found = (
        f'{len(bad)} of {len(pairs)} label(s) are wrong; '
        f'allowed stored ids are {sorted(allowed_ids)}. '
    )
    if skip_broken and good:
        print_log(f'{found}Left out: ' + '; '.join(bad), 'current', logging.WARNING)
        return good
    raise ValueError(found + first_few(bad))


def inspect_pairs(
    pairs: Sequence[tuple[Path, Path]],
    allowed_ids: Mapping[int, int] | Sequence[int],
    decode_images: bool = False,
    workers: int | None = None,
) -> Iterator[PairFacts]:
    """Look at pairs of files, several at a time.

    Args:
        pairs: ``(image, label)`` paths.
        allowed_ids: Stored ids that may occur.
        decode_images: Whether the whole image has to be readable, not only its header.
        workers: Number of threads; None lets Python choose.

    Yields:
        The facts of each pair, in order.
    """
    allowed = np.zeros(256, dtype=bool)
    allowed[sorted(allowed_ids)] = True
    # Threads, not processes: Pillow releases the GIL while it decodes.
    pool = ThreadPoolExecutor(workers)
    try:
        yield from pool.map(lambda pair: _inspect(pair[0], pair[1], allowed, decode_images), pairs)
    finally:
        pool.shutdown(cancel_futures=True)


def decode_image(data: bytes) -> Image.Image:
    """Read a whole image.

    Args:
        data: The content of the file.

    Raises:
        ValueError: If it is not a complete image.
    """
    try:
        # Checksums first: some libraries tell Pillow to fill up what is cut off from a file.
        with Image.open(BytesIO(data)) as image:
            image.verify()
        image = Image.open(BytesIO(data))
        image.load()
    except UnidentifiedImageError as error:
        raise ValueError('cannot be read (not an image)') from error
    except Exception as error:  # damage makes Pillow raise IndexError, SyntaxError and more
        raise ValueError(f'cannot be read ({error})') from error
    return image


def decode_label(data: bytes) -> np.ndarray:
    """Return the ids of a label file.

    Args:
        data: The content of the file.

    Returns:
        uint8, ``(H, W)``.

    Raises:
        ValueError: If it is not a complete image of one 8-bit channel.
    """
    label = decode_image(data)
    if label.mode not in ('L', 'P'):
        raise ValueError(f'expected one 8-bit channel, got mode {label.mode}')
    return np.asarray(label)


def first_few(things: Sequence[str], separator: str = '; ') -> str:
    """Join the first few of things, and say if there are more."""
    return separator.join([*things[:_NAMED], *(['...'] if len(things) > _NAMED else [])])


def _inspect(
    image_path: Path, label_path: Path, allowed: np.ndarray, whole_image: bool
) -> PairFacts:
    wrong_image = False
    try:
        label = decode_label(label_path.read_bytes())
        wrong_image = True
        image = decode_image(image_path.read_bytes()) if whole_image else None
        image_size = _size(image_path) if image is None else image.size
    except ValueError as error:
        return PairFacts(str(error), wrong_image)
    except OSError as error:
        return PairFacts(f'cannot be read ({error})', wrong_image)
    counts = np.bincount(label.ravel(), minlength=256)
    ids = np.flatnonzero(counts)
    unknown = ids[~allowed[ids]]
    size = (label.shape[1], label.shape[0])
    problem = None
    if size != image_size:
        problem = f'is {size[0]}x{size[1]}, but its image is {image_size[0]}x{image_size[1]}'
    elif unknown.size:
        problem = f'unknown stored id(s) {unknown.tolist()}'
    pixels = {int(stored): int(counts[stored]) for stored in ids}
    return PairFacts(problem, False, size, pixels)


def _size(path: Path) -> tuple[int, int]:
    """Read the width and height of an image from its header, or raise ValueError."""
    try:
        with Image.open(path) as image:
            return image.size
    except Exception as error:
        raise ValueError(f'cannot be read ({error})') from error


def _stems(folder: Path, suffix: str) -> dict[str, Path]:
    """Relative path without the suffix -> path, for the files below a folder."""
    return {
        path.relative_to(folder).as_posix().removesuffix(suffix): path
        for path in visible_files(folder, suffix)
    }
