"""What is found out about the data of a run before any work is done, and about each batch."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, Runner
from mmseg.models.segmentors import BaseSegmentor

from ..datasets.batch_sizes import check_equal_sizes
from ..datasets.label_range import check_label_paths
from ..datasets.ood_dataset import OODSegDataset
from ..datasets.parts import dataset_parts
from ..datasets.pipeline_geometry import check_test_pipelines
from ..models.wrappers import unwrapped
from .class_check import check_heads, check_labels


def check_test_data(dataset: Any) -> None:
    """Refuse a data set that a segmentor would be measured wrongly with.

    Labels exist and hold ids that fit (:func:`check_label_paths`; an ``OODSegDataset`` has checked
    its own); a pipeline keeps labels and predictions on the same pixels
    (:func:`check_test_pipelines`); the parts of a test set mean the same classes.

    Raises:
        ValueError: If it is not so.
        FileNotFoundError: If labels are missing.
    """
    _check_same_classes(dataset)
    _check_label_files(dataset)
    check_test_pipelines(dataset)


class DataChecksHook(Hook):
    """Refuses data that would be trained on or measured wrongly in silence.

    Before a run: heads have the classes of the data (:func:`check_heads`), labels are files of ids,
    and :func:`check_test_data`. In a run: labels to train on are classes, and images that are
    tested together are of one size.
    """

    priority = 'VERY_HIGH'

    def before_run(self, runner: Runner) -> None:
        """Check the data sets of the loops that this run has."""
        model = unwrapped(runner.model)
        trains = isinstance(runner._train_loop, BaseLoop)
        if trains:
            dataset = runner._train_loop.dataloader.dataset
            check_heads(model, _metainfo(dataset), 'the data set of `train_dataloader`')
            if isinstance(model, BaseSegmentor):
                _check_label_files(dataset)
        if trains and isinstance(runner._val_loop, BaseLoop):
            meta = _metainfo(runner._val_loop.dataloader.dataset)
            check_heads(model, meta, 'the data set of `val_dataloader`')
        for loop in (runner._val_loop, runner._test_loop):
            if isinstance(loop, BaseLoop) and isinstance(model, BaseSegmentor):
                check_test_data(loop.dataloader.dataset)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Check the labels of a batch."""
        check_labels(unwrapped(runner.model), data_batch)

    def before_val_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Check the sizes of the images."""
        check_equal_sizes(data_batch)

    def before_test_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Check the sizes of the images."""
        check_equal_sizes(data_batch)


def _metainfo(dataset: Any) -> dict[str, Any]:
    return getattr(dataset, 'metainfo', None) or {}


def _check_label_files(dataset: Any) -> None:
    paths: list[str] = []
    for part in dataset_parts(dataset, '').values():
        if not isinstance(part, OODSegDataset) and hasattr(part, 'get_data_info'):
            infos = (part.get_data_info(index) for index in range(len(part)))
            paths += [info['seg_map_path'] for info in infos if info.get('seg_map_path')]
    check_label_paths(dict.fromkeys(paths))


def _check_same_classes(dataset: Any) -> None:
    parts = dataset_parts(dataset, 'data')
    classes = {name: tuple(_metainfo(part).get('classes') or ()) for name, part in parts.items()}
    if len(set(classes.values())) > 1:
        listed = '; '.join(f'{name}: {len(found)} classes' for name, found in classes.items())
        raise ValueError(
            'the data sets of one test must have the same `classes` in their `metainfo`, for '
            f'labels are read by those of the first one, got {listed}. Test them one after the '
            'other'
        )
