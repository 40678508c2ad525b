"""The pipeline that loads and prepares images without labels, found in a config."""

from collections.abc import Sequence
from typing import Any

from mmcv.transforms import LoadAnnotations
from mmengine.config import Config, ConfigDict
from mmengine.registry import TRANSFORMS

from .config_parts import type_name
from .registered import registered_class


def inference_pipeline(cfg: Config) -> list[ConfigDict]:
    """Return the test pipeline of a config without what loads labels.

    It is that of ``test_dataloader.dataset``, of the first data set in it if that wraps others
    (``ConcatDataset``, ``OODTestSet``), else ``test_pipeline``.

    Raises:
        ValueError: If the config has none, or nothing in it loads an image.
    """
    pipeline = _first_pipeline((cfg.get('test_dataloader') or {}).get('dataset'))
    if pipeline is None:
        pipeline = cfg.get('test_pipeline')
    if not pipeline:
        raise ValueError(
            'the config says of no pipeline how an image is prepared: it needs `test_pipeline`, or '
            '`test_dataloader.dataset.pipeline`'
        )
    kept = _without_labels(pipeline)
    if not any(_loads_image(transform) for transform in kept):
        raise ValueError(
            f'the test pipeline loads no image: it needs a `LoadImageFromFile`, got '
            f'{[type_name(transform) for transform in kept]}'
        )
    return kept


def for_arrays(pipeline: Sequence[ConfigDict]) -> list[ConfigDict]:
    """Return a pipeline that takes images which are loaded already."""
    return [_taking_arrays(each) if _loads_image(each) else each for each in pipeline]


def _taking_arrays(loader: ConfigDict) -> ConfigDict:
    to_float32 = bool(loader.get('to_float32', False))
    return ConfigDict(type='mmseg.LoadImageFromNDArray', to_float32=to_float32)


def reads_colors(pipeline: Sequence[ConfigDict]) -> bool:
    """Tell whether a pipeline reads every file as three colors of 8 bits."""
    loaders = [transform for transform in pipeline if _loads_image(transform)]
    usual = {'LoadImageFromFile', 'LoadImageFromNDArray'}
    return all(
        type_name(loader) in usual and loader.get('color_type', 'color') == 'color'
        for loader in loaders
    )


def _without_labels(transforms: Sequence[Any]) -> list[Any]:
    """Leave out what loads labels, in transforms of transforms, too."""
    kept: list[Any] = []
    for transform in transforms:
        if isinstance(transform, (list, tuple)):  # a choice, or a view of several
            kept.append(_without_labels(transform))
        elif not _loads_labels(transform):
            copied = ConfigDict(transform)
            if isinstance(copied.get('transforms'), (list, tuple)):
                copied.transforms = _without_labels(copied.transforms)
            kept.append(copied)
    return kept


def _first_pipeline(dataset: Any) -> Any:
    if not isinstance(dataset, dict):
        return None
    if dataset.get('pipeline'):
        return dataset['pipeline']
    inner = [dataset.get('dataset'), *(dataset.get('datasets') or [])]
    found = (_first_pipeline(part) for part in inner)
    return next((pipeline for pipeline in found if pipeline), None)


def _loads_labels(transform: Any) -> bool:
    if 'Annotation' in type_name(transform):
        return True
    found = registered_class(transform.get('type'), TRANSFORMS)
    return isinstance(found, type) and issubclass(found, LoadAnnotations)


def _loads_image(transform: Any) -> bool:
    name = type_name(transform)
    return name.startswith('Load') and 'Image' in name
