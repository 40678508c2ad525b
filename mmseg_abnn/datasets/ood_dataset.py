"""What the datasets with out-of-distribution (OOD) labels have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS

from mmseg_abnn.datasets.file_checks import check_label_files, list_images, pair_files
from mmseg_abnn.datasets.odgt import read_odgt

OOD_ID = 254
"""Id of an out-of-distribution pixel after loading: never a class, never ignored."""

IGNORE_ID = 255
"""Id of a pixel that takes part in nothing."""


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
    ``reduce_zero_label``, ``seg_fields``, ``split`` and ``ood_id``; see ``with_labels``.

    Args:
        split: One of the class's ``SPLITS``.
        stored_label_map: Maps each allowed stored id to the id after loading.
        data_root: Folder that holds the data.
        data_prefix: Folders of the split's images (``img_path``) and labels (``seg_map_path``),
            relative to ``data_root``.
        img_suffix: How the name of an image ends.
        seg_map_suffix: How the name of a label ends.
        ann_file: An ``.odgt`` list, see :func:`read_odgt`, in place of the folders. Its paths are
            relative to ``data_root``, to the folder of the list or to one of ``list_roots``.
        list_roots: Further folders, relative to ``data_root``.
        check_labels: Open every label once at construction, see :func:`check_label_files`.
        skip_broken: Leave out labels that are wrong, and say which, instead of raising.
        with_labels: False: the images have no labels, as those of benchmarks that hide them; no
            ``data_info`` holds a ``seg_map_path`` then.
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
        list_roots: Sequence[str] = (),
        check_labels: bool = True,
        skip_broken: bool = False,
        with_labels: bool = True,
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
        self.list_roots = tuple(list_roots)
        self.check_labels = check_labels
        self.skip_broken = skip_broken
        if ann_file and not with_labels:
            raise ValueError(
                f'`with_labels=False` is for folders, got `ann_file` {ann_file!r}, whose entries '
                'name labels'
            )
        self.with_labels = with_labels
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
        label_map = self.composed_label_map()
        if not self.with_labels:
            images = list_images(Path(self.data_prefix['img_path']), self.img_suffix)
            return [self._info(image, label_map) for image in images]
        if self.ann_file:
            root, path = Path(self.data_root or '.'), Path(self.ann_file)
            others = [root / folder for folder in self.list_roots]
            pairs = read_odgt(path, root, path.parent, *others)
        else:
            pairs = pair_files(
                Path(self.data_prefix['img_path']),
                Path(self.data_prefix['seg_map_path']),
                self.img_suffix,
                self.seg_map_suffix,
            )
        if self.check_labels:
            pairs = check_label_files(pairs, self.stored_label_map, self.skip_broken)
        return [
            {**self._info(image, label_map), 'seg_map_path': str(label)} for image, label in pairs
        ]

    def _info(self, image: Path, label_map: dict[int, int]) -> dict:
        """Return what is said about an image beside its label."""
        return {
            'img_path': str(image),
            'label_map': label_map,
            'reduce_zero_label': self.reduce_zero_label,
            'seg_fields': [],
            'split': self.split,
            'ood_id': OOD_ID,
        }
