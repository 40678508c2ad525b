"""What the datasets with out-of-distribution (OOD) labels have in common."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import print_log
from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS
from PIL import Image

from mmseg_abnn.datasets.odgt import read_odgt

OOD_ID = 254
"""Id of an out-of-distribution pixel after loading: never a class, never ignored."""

IGNORE_ID = 255
"""Id of a pixel that takes part in nothing."""

_NAMED_FILES = 3  # how many files an error names before it only counts


@DATASETS.register_module()
class OODSegDataset(BaseSegDataset):
    """Segmentation dataset whose labels may hold out-of-distribution pixels.

    A subclass says which folders a split lives in and what every *stored* label id becomes:
    ``0..K-1`` for the classes in ``METAINFO``, :data:`OOD_ID` for OOD pixels, :data:`IGNORE_ID`
    for ignored ones. That map goes into every ``data_info['label_map']``, composed with
    MMSegmentation's own map when ``metainfo`` asks for a part of the classes (the pixels of a
    class left out are then ignored). MMSegmentation's ``LoadAnnotations`` therefore works with
    it; ``LoadOODAnnotations`` adds the choice between keeping and ignoring OOD pixels.

    Every ``data_info`` holds ``img_path``, ``seg_map_path``, ``label_map``,
    ``reduce_zero_label``, ``seg_fields``, ``split`` and ``ood_id``.

    Args:
        split: One of the class's ``SPLITS``.
        stored_label_map: Maps each allowed stored id to the id after loading.
        data_root: Folder that holds the data.
        data_prefix: Folders of the split's images (``img_path``) and labels (``seg_map_path``),
            relative to ``data_root``.
        img_suffix: How the name of an image ends.
        seg_map_suffix: How the name of a label ends.
        ann_file: An ``.odgt`` list, see :func:`read_odgt`, in place of the folders.
        check_labels: Open every label once at construction, see :func:`check_label_files`.
        skip_broken: Leave out labels that are wrong, and say which, instead of raising.
        metainfo: Overrides of ``METAINFO``, for instance ``dict(classes=('road', 'car'))``.
        pipeline: Transforms.
        test_mode: Whether a sample that cannot be prepared is an error.
        indices: Which of the samples to use: the first ``n``, or a list. Default: all.
        serialize_data: Share the list of samples between workers.
        lazy_init: Put off reading the folders (and checking the labels) to ``full_init``.
        max_refetch: How often to try another sample when a transform gives None.

    Raises:
        ValueError: If ``split`` is unknown, an image has no label or a label no image, or a
            label is not what the format says.
        FileNotFoundError: If a folder is missing or holds no image.
    """

    SPLITS: tuple[str, ...] = ()

    def __init__(
        self,
        *,
        split: str,
        stored_label_map: Mapping[int, int],
        data_root: str | None,
        data_prefix: Mapping[str, str],
        img_suffix: str,
        seg_map_suffix: str,
        ann_file: str = '',
        check_labels: bool = True,
        skip_broken: bool = False,
        metainfo: Mapping[str, Any] | None = None,
        pipeline: Sequence[dict | Callable] = (),
        test_mode: bool = False,
        indices: int | Sequence[int] | None = None,
        serialize_data: bool = True,
        lazy_init: bool = False,
        max_refetch: int = 1000,
    ) -> None:
        self.split = split
        self.stored_label_map = dict(stored_label_map)
        self.check_labels = check_labels
        self.skip_broken = skip_broken
        super().__init__(
            data_root=data_root,
            data_prefix=dict(data_prefix),
            img_suffix=img_suffix,
            seg_map_suffix=seg_map_suffix,
            ann_file=ann_file,
            metainfo=metainfo,
            pipeline=list(pipeline),
            test_mode=test_mode,
            indices=indices,
            serialize_data=serialize_data,
            lazy_init=lazy_init,
            max_refetch=max_refetch,
            ignore_index=IGNORE_ID,
        )

    @classmethod
    def check_split(cls, split: str) -> str:
        """Return ``split``, or raise ValueError if the class has no such split."""
        if split not in cls.SPLITS:
            raise ValueError(f'`split` must be one of {list(cls.SPLITS)}, got {split!r}')
        return split

    def composed_label_map(self) -> dict[int, int]:
        """Stored id -> id after loading, with the classes left out by ``metainfo`` ignored."""
        subset: dict[int, int] = self.label_map or {}
        return {stored: subset.get(new, new) for stored, new in self.stored_label_map.items()}

    def load_data_list(self) -> list[dict]:
        """Pair the images with their labels and, unless told otherwise, check the labels.

        Returns:
            One dict per image, sorted by path.

        Raises:
            FileNotFoundError: If a folder is missing or holds no image.
            ValueError: If the files do not pair, or a label is not what the format says.
        """
        if self.ann_file:
            pairs = read_odgt(Path(self.ann_file), Path(self.data_root or '.'))
        else:
            pairs = pair_files(
                Path(self.data_prefix['img_path']),
                Path(self.data_prefix['seg_map_path']),
                self.img_suffix,
                self.seg_map_suffix,
            )
        if self.check_labels:
            pairs = check_label_files(pairs, self.stored_label_map, self.skip_broken)
        label_map = self.composed_label_map()
        return [
            {
                'img_path': str(image),
                'seg_map_path': str(label),
                'label_map': label_map,
                'reduce_zero_label': self.reduce_zero_label,
                'seg_fields': [],
                'split': self.split,
                'ood_id': OOD_ID,
            }
            for image, label in pairs
        ]


def pair_files(
    image_dir: Path, label_dir: Path, image_suffix: str, label_suffix: str
) -> list[tuple[Path, Path]]:
    """Pair images and labels that share a relative path up to their suffix.

    Args:
        image_dir: Folder of the images; sub-folders count.
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
            raise FileNotFoundError(f'the {what} folder {folder} does not exist')
    images = _stems(image_dir, image_suffix)
    labels = _stems(label_dir, label_suffix)
    if not images:
        raise FileNotFoundError(f'the image folder {image_dir} holds no file *{image_suffix}')
    for have, lack, folder, what in (
        (images, labels, label_dir, 'image(s) without a label'),
        (labels, images, image_dir, 'label(s) without an image'),
    ):
        alone = [have[stem] for stem in sorted(have.keys() - lack.keys())]
        if alone:
            raise ValueError(f'{len(alone)} {what} in {folder}: {_name_files(alone)}')
    return [(images[stem], labels[stem]) for stem in sorted(images)]


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
    allowed = np.zeros(256, dtype=bool)
    allowed[sorted(allowed_ids)] = True
    # Threads, not processes: Pillow releases the GIL while it decodes.
    with ThreadPoolExecutor() as pool:
        problems = list(pool.map(lambda pair: _label_problem(pair[0], pair[1], allowed), pairs))
    bad = [f'{pair[1]}: {what}' for pair, what in zip(pairs, problems, strict=True) if what]
    good = [pair for pair, what in zip(pairs, problems, strict=True) if not what]
    if not bad:
        return good
    found = (
        f'{len(bad)} of {len(pairs)} label(s) are wrong; '
        f'allowed stored ids are {np.flatnonzero(allowed).tolist()}. '
    )
    if skip_broken and good:
        print_log(f'{found}Left out: ' + '; '.join(bad), 'current', logging.WARNING)
        return good
    named = '; '.join(bad[:_NAMED_FILES])
    raise ValueError(found + named + ('; ...' if len(bad) > _NAMED_FILES else ''))


def _label_problem(image_path: Path, label_path: Path, allowed: np.ndarray) -> str | None:
    """What is wrong with one label, or None."""
    try:
        # Checksums first: some libraries tell Pillow to fill up what is cut off from a file.
        data = label_path.read_bytes()
        with Image.open(BytesIO(data)) as label:
            label.verify()
        with Image.open(BytesIO(data)) as label:
            if label.mode not in ('L', 'P'):
                return f'expected one 8-bit channel, got mode {label.mode}'
            size = label.size
            ids = np.flatnonzero(np.bincount(np.asarray(label).ravel(), minlength=256))
        with Image.open(image_path) as image:
            image_size = image.size
    except (OSError, SyntaxError) as error:  # Pillow's words for a broken or cut-off file
        return f'cannot be read ({error})'
    if size != image_size:
        return f'is {size[0]}x{size[1]}, but its image is {image_size[0]}x{image_size[1]}'
    unknown = ids[~allowed[ids]]
    return f'unknown stored id(s) {unknown.tolist()}' if unknown.size else None


def _stems(folder: Path, suffix: str) -> dict[str, Path]:
    """Relative path without the suffix -> path, for the files below a folder."""
    paths = (path for path in folder.rglob(f'*{suffix}') if path.is_file())
    return {path.relative_to(folder).as_posix()[: -len(suffix)]: path for path in paths}


def _name_files(paths: Sequence[Path]) -> str:
    names = ', '.join(path.name for path in paths[:_NAMED_FILES])
    return names + (', ...' if len(paths) > _NAMED_FILES else '')
