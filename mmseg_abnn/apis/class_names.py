"""Names and colors of the classes that a network tells apart."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.registry import DATASETS
from torch import nn

from ..visualization.colors import default_palette
from .config_parts import dicts_in
from .registered import registered_class


def dataset_meta(cfg: Config, checkpoint: Mapping[str, Any], model: nn.Module) -> dict[str, Any]:
    """Return ``classes`` and ``palette`` of a network.

    They are those in its checkpoint, else those of the data set that its config trains on, else of
    the one that it tests on. Without any of them classes have numbers for names, and a warning says
    so.

    Args:
        cfg: Its complete config.
        checkpoint: Its checkpoint's dictionary.
        model: The network.
    """
    meta = checkpoint.get('meta')
    meta = meta if isinstance(meta, Mapping) else {}
    stored = meta.get('dataset_meta')
    old = {'classes': meta.get('CLASSES'), 'palette': meta.get('PALETTE')}  # MMSegmentation 0.x
    for source in (stored, old, *_of_data_sets(cfg)):
        if isinstance(source, Mapping) and source.get('classes'):
            if not isinstance(source['classes'], (list, tuple)):
                raise ValueError(f'`classes` must be a list of names, got {source["classes"]!r}')
            return _complete(source)
    count = _num_classes(model)
    print_log(
        f'Neither the checkpoint nor the config names the {count} classes: they are numbered. '
        'Set `metainfo=dict(classes=[...])` of a data set to name them',
        logger='current',
        level=30,
    )
    return _complete({'classes': [f'class {index}' for index in range(count)]})


def class_facts(meta: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``classes`` and ``palette`` of a data set's meta information as plain lists."""
    return {
        name: _plain(meta[name]) for name in ('classes', 'palette') if meta.get(name) is not None
    }


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value


def _of_data_sets(cfg: Config) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        for part in dicts_in((cfg.get(loader) or {}).get('dataset')):
            dataset = registered_class(part.get('type'), DATASETS)
            if hasattr(dataset, 'METAINFO'):
                found.append({**dataset.METAINFO, **(part.get('metainfo') or {})})
    return found


def _complete(meta: Mapping[str, Any]) -> dict[str, Any]:
    facts = class_facts(meta)
    count = len(facts['classes'])
    palette: Sequence[Any] = facts.get('palette') or []
    if len(palette) < count:
        palette = [list(color) for color in default_palette(count)]
    return {'classes': facts['classes'], 'palette': list(palette)}


def _num_classes(model: nn.Module) -> int:
    head = getattr(model, 'decode_head', None) or getattr(model, 'head', None)
    last = head[-1] if isinstance(head, nn.ModuleList) else head
    return int(getattr(last, 'num_classes', 0) or getattr(last, 'out_channels', 0) or 0)
