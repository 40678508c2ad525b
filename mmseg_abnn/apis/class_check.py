"""Whether the heads of a network have the classes of the data set that they are trained on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import nn

_HEADS = ('decode_head', 'auxiliary_head', 'head')
# heads that make other labels of those of the data set: edges, and depths
_OTHER_LABELS = ('STDCHead', 'VPDDepthHead')


def check_heads(model: nn.Module, meta: Mapping[str, Any], data: str) -> None:
    """Raise ValueError if a head has another number of classes than a data set.

    A head of one channel (a sigmoid) tells two classes apart, or one from everything else.

    Args:
        model: A segmentor or classifier; heads without ``num_classes`` are not judged.
        meta: The ``metainfo`` of the data set; nothing is judged if it names no ``classes``.
        data: What the data set is called in an error.
    """
    classes = meta.get('classes')
    if not classes:
        return
    for name, head in _heads(model):
        if len(classes) not in _numbers_of_classes(head):
            reduced = (
                ' (`reduce_zero_label` is on: the id 0 is ignored, and no name in `classes` stands '
                'for it)'
                if meta.get('reduce_zero_label')
                else ''
            )
            raise ValueError(
                f'`model.{name}.num_classes` is {head.num_classes}, but {data} has {len(classes)} '
                f'classes{reduced}: {_few(classes)}. Set `num_classes` of all heads to the number '
                "of `classes` in the data set's `metainfo`, or the reverse"
            )


def check_labels(model: nn.Module, batch: Any) -> None:
    """Raise ValueError if a label of a training batch is no class of the heads, and not ignored.

    PyTorch's loss says 'Target 4 is out of bounds' of it, or ends the process on a GPU.

    Args:
        model: As in :func:`check_heads`.
        batch: What a dataloader gives, with ``data_samples``; anything else is not judged.
    """
    samples = batch.get('data_samples') if isinstance(batch, Mapping) else None
    if not isinstance(samples, Sequence):
        return
    for name, head in _heads(model):
        number = max(_numbers_of_classes(head))
        ignored = getattr(head, 'ignore_index', None)
        for sample in samples:
            labels = _labels_of(sample)
            if labels is None:
                continue
            wrong = (labels < 0) | (labels >= number)
            if ignored is not None:
                wrong &= labels != ignored
            if wrong.any():
                raise ValueError(
                    f'{sample.get("img_path", "an image")}: the label holds the ids '
                    f'{torch.unique(labels[wrong])[:5].tolist()}, but `model.{name}` knows the '
                    f'classes 0..{number - 1} and ignores {ignored}'
                )


def _heads(model: nn.Module) -> Iterator[tuple[str, Any]]:
    for name in _HEADS:
        part: Any = getattr(model, name, None)
        several = isinstance(part, nn.ModuleList)
        for place, head in enumerate(part if several else [part]):
            named = isinstance(getattr(head, 'num_classes', None), int)
            if named and type(head).__name__ not in _OTHER_LABELS:
                yield f'{name}[{place}]' if several else name, head


def _numbers_of_classes(head: Any) -> tuple[int, ...]:
    one_channel = getattr(head, 'out_channels', head.num_classes) == 1
    return (1, 2) if one_channel else (head.num_classes,)


def _labels_of(sample: Any) -> torch.Tensor | None:
    if 'gt_sem_seg' in sample:
        return sample.gt_sem_seg.data
    # a score beside it is a mixture of classes
    return sample.gt_label if 'gt_label' in sample and 'gt_score' not in sample else None


def _few(names: Sequence[str]) -> str:
    return ', '.join([*map(str, names[:5]), *(['...'] if len(names) > 5 else [])])
