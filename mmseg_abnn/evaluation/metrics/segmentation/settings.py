"""What the numbers of the uncertainty metric mean, and which images and pixels count for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import numpy as np

from ....datasets.ood_ids import ood_ids_line, ood_ids_of

ECE_SCOPES = ('id', 'all')


@dataclass(frozen=True)
class Settings:
    """The arguments of the metric that decide what its numbers mean."""

    scores: tuple[str, ...]
    ece_bins: int
    ece_scope: str
    fpr_rule: str
    pooled: bool

    def ece_names(self) -> dict[str, str]:
        """Return the name of the calibration error of each scope: ``ECE`` is the one asked for."""
        return {scope: 'ECE' if scope == self.ece_scope else f'ECE_{scope}' for scope in ECE_SCOPES}


@dataclass(frozen=True)
class Pixels:
    """Which pixels of an image count, boolean masks of shape (H, W)."""

    is_id: np.ndarray
    is_ood: np.ndarray

    @property
    def labelled(self) -> np.ndarray:
        """Pixels of both kinds."""
        return self.is_id | self.is_ood


@dataclass(frozen=True)
class Counted:
    """Which images and pixels count, and for what.

    Attributes:
        classes: Names of the in-distribution classes. A single one says that the labels tell no
            classes apart, only in-distribution and OOD pixels.
        not_in_miou: Ids of those that the mIoU leaves out.
        ood_ids: Labels of OOD pixels; none if there are no such pixels.
        ignore_index: Label of pixels that count nowhere.
        id_split: mIoU and calibration are measured on its images; None: on all.
        ood_split: OOD detection is measured on its images; None: on all.
    """

    classes: tuple[str, ...]
    not_in_miou: tuple[int, ...]
    ood_ids: tuple[int, ...]
    ignore_index: int
    id_split: str | None
    ood_split: str | None

    @classmethod
    def of_dataset(
        cls,
        meta: Mapping[str, Any] | None,
        ignore_index: int,
        id_split: str | None,
        ood_split: str | None,
        ood_ids: Sequence[int] = (),
    ) -> Counted:
        """Read the ``metainfo`` of a dataset.

        Args:
            meta: Holds ``classes``, and may hold ``ood_id`` and, as names, ``not_in_miou``.
            ignore_index: See above.
            id_split: See above.
            ood_split: See above.
            ood_ids: Labels of OOD pixels beside those that ``meta`` names.

        Raises:
            ValueError: If ``meta`` holds no classes, names classes that are none, or ids
                contradict each other.
        """
        if not meta or 'classes' not in meta:
            raise ValueError("the dataset's `metainfo` must hold `classes`")
        classes, left_out = tuple(meta['classes']), meta.get('not_in_miou', ())
        unknown = [name for name in left_out if name not in classes]
        if unknown:
            raise ValueError(f"the dataset's `not_in_miou` names the unknown classes {unknown}")
        not_in_miou = tuple(classes.index(name) for name in left_out)
        ids = tuple(sorted({*ood_ids_of(meta), *ood_ids}))
        counted = cls(classes, not_in_miou, ids, ignore_index, id_split, ood_split)
        counted._check_ids()
        return counted

    def _check_ids(self) -> None:
        number, ignored = len(self.classes), self.ignore_index
        if 0 <= ignored < number or ignored in self.ood_ids:
            raise ValueError(
                f'`ignore_index` {ignored} must be neither a class id (0..{number - 1}) nor '
                f'an OOD id ({list(self.ood_ids)})'
            )
        taken = [i for i in self.ood_ids if 0 <= i < number]
        if taken:
            raise ValueError(
                f'`ood_id` {taken} must not be a class id (0..{number - 1}). Where labels tell '
                'only in-distribution from OOD pixels, name a single class: '
                "metainfo=dict(classes=('in-distribution',), ood_id=1)"
            )

    @property
    def num_classes(self) -> int | None:
        """Number of classes that labels tell apart; None: they tell none apart."""
        return len(self.classes) if len(self.classes) > 1 else None

    def for_segmentation(self, split: str | None) -> bool:
        """Tell whether mIoU and calibration are measured on the images of a split."""
        return self.num_classes is not None and self.id_split in (None, split)

    def for_detection(self, split: str | None) -> bool:
        """Tell whether OOD detection is measured on the images of a split."""
        return self.ood_split in (None, split)

    def split_of(self, sample: Mapping[str, Any]) -> str | None:
        """Return the split of a data sample, None if it is not known.

        Where the data sample does not say it, it is ``id_split`` or ``ood_split`` if the image lies
        in a folder of that name.

        Raises:
            ValueError: If the image lies in folders of both names.
        """
        split = sample.get('split')
        if split is not None:
            return str(split)
        folders = PurePath(str(sample['img_path'])).parent.parts
        found = sorted({s for s in (self.id_split, self.ood_split) if s in folders})
        if len(found) > 1:
            raise ValueError(
                f'the image lies in folders of the names {found}, so it is not clear whether it is '
                'of `id_split` or of `ood_split`: let the data set say the `split`, and add it to '
                'the `meta_keys` of PackSegInputs in the test pipeline'
            )
        return found[0] if found else None

    def check_seen(self, splits: Iterable[str | None]) -> None:
        """Raise ValueError if ``id_split`` or ``ood_split`` is not among the splits of images."""
        seen = set(splits)
        for name, wanted in (('id_split', self.id_split), ('ood_split', self.ood_split)):
            if wanted is not None and wanted not in seen:
                raise ValueError(
                    f'`{name}` is {wanted!r}, but no image of it was seen; splits seen: '
                    f'{sorted(map(str, seen))}. The split of an image is the `split` of its data '
                    'sample (`meta_keys` of PackSegInputs), else a folder of this name that it '
                    'lies in'
                )

    def pixels(self, label: np.ndarray) -> Pixels:
        """Tell in-distribution and OOD pixels apart; every label must be known.

        Args:
            label: Integer ids, of shape (H, W).

        Raises:
            ValueError: If a label is none of them.
        """
        number, ids, ignored = len(self.classes), self.ood_ids, self.ignore_index
        is_id = (label >= 0) & (label < number)
        is_ood = label == ids[0] if len(ids) == 1 else np.isin(label, ids)
        unknown = ~(is_id | is_ood | (label == ignored))
        if unknown.any():
            found = np.unique(label[unknown])[:10].tolist()
            raise ValueError(
                f'`gt_sem_seg` holds the unknown ids {found}; known are the classes '
                f'0..{number - 1}, the OOD ids {list(ids)} and the ignored id {ignored}. If they '
                f'mark OOD pixels, write {ood_ids_line(found)}'
            )
        return Pixels(is_id, is_ood)
