"""What the numbers of the uncertainty metric mean, and which images and pixels count for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

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
        classes: Names of the in-distribution classes.
        not_in_miou: Ids of those that the mIoU leaves out.
        ood_id: Label of OOD pixels; None if there are none.
        ignore_index: Label of pixels that count nowhere.
        id_split: mIoU and calibration are measured on its images; None: on all.
        ood_split: OOD detection is measured on its images; None: on all.
    """

    classes: tuple[str, ...]
    not_in_miou: tuple[int, ...]
    ood_id: int | None
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
    ) -> Counted:
        """Read the ``metainfo`` of a dataset.

        Args:
            meta: Holds ``classes``, and may hold ``ood_id`` and, as names, ``not_in_miou``.
            ignore_index: See above.
            id_split: See above.
            ood_split: See above.

        Raises:
            ValueError: If ``meta`` holds no classes, or names classes that are none.
        """
        if not meta or 'classes' not in meta:
            raise ValueError("the dataset's `metainfo` must hold `classes`")
        classes, left_out = tuple(meta['classes']), meta.get('not_in_miou', ())
        unknown = [name for name in left_out if name not in classes]
        if unknown:
            raise ValueError(f"the dataset's `not_in_miou` names the unknown classes {unknown}")
        not_in_miou = tuple(classes.index(name) for name in left_out)
        return cls(classes, not_in_miou, meta.get('ood_id'), ignore_index, id_split, ood_split)

    def for_segmentation(self, split: str | None) -> bool:
        """Tell whether mIoU and calibration are measured on the images of a split."""
        return self.id_split in (None, split)

    def for_detection(self, split: str | None) -> bool:
        """Tell whether OOD detection is measured on the images of a split."""
        return self.ood_split in (None, split)

    def split_of(self, sample: Mapping[str, Any]) -> str | None:
        """Return the split of a data sample, None if it does not say it.

        Raises:
            ValueError: If it does not say it, and must.
        """
        split = sample.get('split')
        if split is None and (self.id_split is not None or self.ood_split is not None):
            raise ValueError(
                '`id_split` and `ood_split` need the split of each image, but the data sample has '
                "no `split`: add 'split' to the `meta_keys` of PackSegInputs in the test pipeline"
            )
        return None if split is None else str(split)

    def check_seen(self, splits: Iterable[str | None]) -> None:
        """Raise ValueError if ``id_split`` or ``ood_split`` is not among the splits of images."""
        seen = set(splits)
        for name, wanted in (('id_split', self.id_split), ('ood_split', self.ood_split)):
            if wanted is not None and wanted not in seen:
                raise ValueError(
                    f'`{name}` is {wanted!r}, but no image of it was seen; splits seen: '
                    f'{sorted(map(str, seen))}'
                )

    def pixels(self, label: np.ndarray) -> Pixels:
        """Tell in-distribution and OOD pixels apart; every label must be known.

        Args:
            label: Integer ids, of shape (H, W).

        Raises:
            ValueError: If the ids contradict each other, or a label is none of them.
        """
        number, ood_id, ignored = len(self.classes), self.ood_id, self.ignore_index
        if 0 <= ignored < number or ood_id == ignored:
            raise ValueError(
                f'`ignore_index` {ignored} must be neither a class id (0..{number - 1}) nor '
                f'the OOD id ({ood_id})'
            )
        if ood_id is not None and 0 <= ood_id < number:
            raise ValueError(f'`ood_id` {ood_id} must not be a class id (0..{number - 1})')
        is_id = (label >= 0) & (label < number)
        is_ood = np.zeros_like(is_id) if ood_id is None else label == ood_id
        unknown = ~(is_id | is_ood | (label == ignored))
        if unknown.any():
            raise ValueError(
                f'`gt_sem_seg` holds the unknown ids {np.unique(label[unknown])[:10].tolist()}; '
                f'known are 0..{number - 1}, the OOD id {ood_id} and the ignored id {ignored}'
            )
        return Pixels(is_id, is_ood)
