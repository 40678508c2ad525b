"""Whether labels and predictions of a test pipeline lie on the same pixels.

MMSegmentation scales what a network predicts to the size of the stored image, after it has undone a
flip and the padding of the data preprocessor. So a pipeline may scale the image as a whole and flip
it; a label that is loaded stays as it is. Whatever else moves pixels is not undone.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from mmseg_abnn.datasets.parts import dataset_parts

_IMAGE, _LABEL = 'img', 'gt_seg_map'


def check_test_pipelines(dataset: Any) -> None:
    """Send the first image of a data set through its pipeline, step by step.

    Of a wrapper around several data sets the first image of each. Random numbers that are drawn are
    given back.

    Args:
        dataset: A data set of a segmentor's validation or test.

    Raises:
        ValueError: If a step pads or cuts the image, or changes or flips a label that is loaded.
            The message names the step and what to write instead.
    """
    for part in dataset_parts(dataset, '').values():
        steps = getattr(getattr(part, 'pipeline', None), 'transforms', None)
        if steps and len(part):
            check_steps(steps, part.get_data_info(0))


class GeometryError(ValueError):
    """A pipeline moves pixels in a way that is not undone."""


def check_steps(steps: Sequence[Any], results: dict[str, Any]) -> None:
    """Send one image through the steps of a pipeline, see :func:`check_test_pipelines`.

    Raises:
        GeometryError: If one of them moves pixels in a way that is not undone.
    """
    with _same_random_numbers():
        _follow(steps, results)


def _follow(steps: Sequence[Any], results: dict[str, Any]) -> None:
    for place, step in enumerate(steps):
        if hasattr(step, 'subroutines'):  # TestTimeAug: its views, each with all of its steps
            for view in step.subroutines:
                _follow(view.transforms, copy.deepcopy(results))
            return
        before = copy.deepcopy(
            {key: results.get(key) for key in (_IMAGE, _LABEL, 'flip', 'scale_factor')}
        )
        results = step(results)
        if not isinstance(results, dict) or results.get(_IMAGE) is None:
            return  # packed
        if before[_IMAGE] is not None:
            _compare(f'{type(step).__name__} (step {place} of the pipeline)', step, before, results)


def _compare(name: str, step: Any, before: dict[str, Any], after: dict[str, Any]) -> None:
    old, new = before[_IMAGE].shape[:2], after[_IMAGE].shape[:2]
    label, new_label = before[_LABEL], after.get(_LABEL)
    if old != new and not _scales(step, before, after):
        raise GeometryError(
            f'{name} makes an image of {new[0]}x{new[1]} pixels from one of {old[0]}x{old[1]} '
            'other than by scaling it, which is not undone: predictions would be shifted against '
            'their labels. To pad images write data_preprocessor=dict(..., '
            'test_cfg=dict(size_divisor=32)) in place of this step; a step that scales has to set '
            '`scale_factor`, as Resize does'
        )
    if label is None or new_label is None:
        return
    if label.shape != new_label.shape:
        change = f'changes the label from {label.shape} to {new_label.shape}'
    elif before['flip'] is None and after.get('flip') is not None and getattr(step, 'prob', 1) != 0:
        change = 'flips the label'
    elif not np.array_equal(label, new_label) and not _same_image(before, after):
        change = 'moves the pixels of the label'
    else:
        return
    raise GeometryError(
        f'{name} {change}, but predictions are compared with labels as they are stored: put '
        'LoadAnnotations (LoadOODAnnotations) behind this step'
    )


def _scales(step: Any, before: dict[str, Any], after: dict[str, Any]) -> bool:
    factor = after.get('scale_factor')
    is_new = factor is not None and factor != before['scale_factor']
    return is_new or 'Resize' in type(step).__name__


def _same_image(before: dict[str, Any], after: dict[str, Any]) -> bool:
    return np.array_equal(before[_IMAGE], after[_IMAGE])


@contextmanager
def _same_random_numbers() -> Iterator[None]:
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])
