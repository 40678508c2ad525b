"""One test set of in-distribution and out-of-distribution images."""

from __future__ import annotations

import copy
from bisect import bisect_right
from collections.abc import Mapping
from itertools import accumulate
from typing import Any

import torch
from mmengine.dataset import force_full_init
from mmpretrain.registry import DATASETS
from mmpretrain.structures import DataSample
from torch.utils.data import Dataset

_LABELS = ('gt_label', 'gt_score')


class UnlabeledSample(DataSample):
    """The data sample of an image that has no class, beside labeled ones in a batch.

    MMPretrain's data preprocessor reads ``gt_label`` of all samples of a batch if the first has
    one, and sets it to what it read. Here it reads that there are no labels, and sets nothing:
    ``'gt_label' in sample`` stays False, and ``sample.to_dict()``, which is what metrics get, has
    no such key; ``sample.gt_label`` is empty.
    """

    @property
    def gt_label(self) -> torch.Tensor:
        """No labels: int64 of shape (0,)."""
        return torch.empty(0, dtype=torch.long)

    def set_gt_label(self, value: Any) -> UnlabeledSample:
        """Set nothing."""
        return self

    def set_gt_score(self, value: Any) -> UnlabeledSample:
        """Set nothing."""
        return self


@DATASETS.register_module()
class OODTestSet(Dataset[dict[str, Any]]):
    """A test set, followed by sets of images that are out of its distribution.

    One test run can so measure accuracy and calibration on the former and OOD detection on each
    of the latter. An item is what its set's own pipeline gives. Its data sample gets the metainfo
    ``ood_set``, the name of its OOD set or ``''``; a sample of an OOD set loses its label, as it
    is none of the classes, and becomes an :class:`UnlabeledSample`. A metric that expects a label
    of every sample, such as ``Accuracy``, thus fails instead of counting OOD images.

    All pipelines have to give images with channels in one order. Sets that hold arrays, such as
    CIFAR and SVHN, give RGB, ``LoadImageFromFile`` gives BGR; the transforms
    ``NumpyToPIL(to_rgb=True), PILToNumpy()`` behind it make that RGB.

    ``metainfo`` is that of the in-distribution set, and ``ood_sets``, the names.

    Args:
        dataset: The in-distribution set or its config. Its pipeline ends in ``PackInputs``.
        ood: Name to OOD set or its config, with such a pipeline too.
        lazy_init: Put off reading and checking the sets to ``full_init``.

    Raises:
        TypeError: If a set is neither a config nor a data set.
        ValueError: If there is no OOD set, a name is empty or holds a ``/``, a set is empty or a
            pipeline packs no data sample.
    """

    def __init__(
        self,
        dataset: Mapping[str, Any] | Any,
        ood: Mapping[str, Mapping[str, Any] | Any],
        lazy_init: bool = False,
    ) -> None:
        if not isinstance(ood, Mapping):
            raise TypeError(f'`ood` must map names to data sets, got {type(ood).__name__}')
        if not ood:
            raise ValueError('`ood` must name at least one OOD set, got none')
        for name in ood:
            if not isinstance(name, str) or not name.strip() or '/' in name:
                raise ValueError(f'names in `ood` must be non-empty, without "/", got {name!r}')
        self.names = ('', *ood)
        """The name of each of ``datasets``."""
        self.datasets = [_build('dataset', dataset)]
        self.datasets += [_build(f'ood[{name!r}]', part) for name, part in ood.items()]
        self._ends: list[int] = []
        self._fully_initialized = False
        if not lazy_init:
            self.full_init()

    @property
    def metainfo(self) -> dict[str, Any]:
        """Metainfo of the in-distribution set, and ``ood_sets``, the names of the OOD sets."""
        return {**copy.deepcopy(self.datasets[0].metainfo), 'ood_sets': self.names[1:]}

    def full_init(self) -> None:
        """Read all sets, and check that they hold images and pack them.

        Raises:
            ValueError: If a set is empty, or its first item has no data sample.
        """
        if self._fully_initialized:
            return
        for name, part in zip(self.names, self.datasets, strict=True):
            part.full_init()
            if not len(part):
                raise ValueError(f'{_called(name)} is empty')
            _mark(part[0], name)
        self._ends = list(accumulate(len(part) for part in self.datasets))
        self._fully_initialized = True

    @force_full_init
    def __len__(self) -> int:
        return self._ends[-1]

    @force_full_init
    def __getitem__(self, index: int) -> dict[str, Any]:
        place, inner = self._locate(index)
        return _mark(self.datasets[place][inner], self.names[place])

    @force_full_init
    def get_data_info(self, index: int) -> dict[str, Any]:
        """Return the annotation of an image: its set's own, changed as its data sample is."""
        place, inner = self._locate(index)
        info = {**self.datasets[place].get_data_info(inner), 'ood_set': self.names[place]}
        return info if not place else {k: v for k, v in info.items() if k not in _LABELS}

    def _locate(self, index: int) -> tuple[int, int]:
        """Which set an image is in, and its index in there."""
        count = self._ends[-1]
        if not -count <= index < count:
            raise IndexError(f'`index` must be in [-{count}, {count}), got {index}')
        place = bisect_right(self._ends, index % count)
        return place, index % count - (self._ends[place - 1] if place else 0)


def _called(name: str) -> str:
    return f'the OOD set {name!r}' if name else 'the in-distribution set'


def _build(argument: str, part: Mapping[str, Any] | Any) -> Any:
    built = DATASETS.build(part) if isinstance(part, Mapping) else part
    if not hasattr(built, 'full_init'):
        raise TypeError(f'`{argument}` must be a data set or its config, got {part!r}')
    return built


def _mark(item: Any, name: str) -> dict[str, Any]:
    """Write the set's name into the data sample of an item; without label if the set is OOD."""
    sample = item.get('data_samples') if isinstance(item, dict) else None
    if not isinstance(sample, DataSample):
        found = f'a dict of {sorted(item)}' if isinstance(item, dict) else type(item).__name__
        raise ValueError(
            f'the pipeline of {_called(name)} must end in PackInputs, so that an item holds a '
            f'data sample, but an item is {found}'
        )
    if name:
        fields = {key: value for key, value in sample.items() if key not in _LABELS}
        sample = UnlabeledSample(metainfo=dict(sample.metainfo_items()), **fields)
    sample.set_metainfo({'ood_set': name})
    return {**item, 'data_samples': sample}
