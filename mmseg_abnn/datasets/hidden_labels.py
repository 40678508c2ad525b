"""Images without labels, as those of benchmarks that keep their labels to themselves."""

from __future__ import annotations

import os
from typing import Any

from mmcv.transforms import LoadAnnotations
from mmseg.datasets import BaseSegDataset

from mmseg_abnn.datasets.parts import dataset_parts


def check_labels_exist(dataset: Any) -> bool:
    """Tell whether the images of a data set have labels; all of them, or none.

    A data set that is no ``BaseSegDataset`` loads its labels in its own way, and is taken to have
    some. Files are looked for where they lie on a disk.

    Args:
        dataset: A data set; wrappers around one or several are opened.

    Returns:
        False if it gives no ``seg_map_path`` for any image.

    Raises:
        ValueError: If some images have labels and some have none, or the file of a label is
            missing. The message names the first image.
    """
    with_label: list[str] = []
    without: list[str] = []
    for part in dataset_parts(dataset, '').values():
        if not isinstance(part, BaseSegDataset):
            return True
        for index in range(len(part)):
            info = part.get_data_info(index)
            label = info.get('seg_map_path')
            if label and not getattr(part, 'backend_args', None) and not os.path.exists(label):
                raise ValueError(
                    f'{info["img_path"]} has no label: there is no file {label}. A folder without '
                    'any labels is tested by `data_prefix=dict(img_path=...)` without '
                    '`seg_map_path`, or, of our own data sets, by `with_labels=False`'
                )
            (with_label if label else without).append(info['img_path'])
    if with_label and without:
        raise ValueError(
            f'{len(without)} of {len(with_label) + len(without)} images have no label, the first '
            f'is {without[0]}: test those with labels and those without in two runs'
        )
    return bool(with_label)


def drop_label_loading(dataset: Any) -> None:
    """Take what loads labels out of the pipelines of a data set, in place.

    Args:
        dataset: A data set that is built; wrappers around one or several are opened.
    """
    for part in dataset_parts(dataset, '').values():
        if hasattr(part, 'pipeline'):
            _drop(part.pipeline)


def _drop(step: Any) -> None:
    """Look into what holds other transforms, such as those of test-time augmentation."""
    for name in ('transforms', 'subroutines'):
        inner = getattr(step, name, ())
        if isinstance(inner, list):
            inner[:] = [one for one in inner if not isinstance(one, LoadAnnotations)]
        for one in inner if isinstance(inner, (list, tuple)) else [inner]:
            _drop(one)
