"""The classes of Cityscapes, in the order of their train ids, that several benchmarks share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

CITYSCAPES = {
    'road': [128, 64, 128],
    'sidewalk': [244, 35, 232],
    'building': [70, 70, 70],
    'wall': [102, 102, 156],
    'fence': [190, 153, 153],
    'pole': [153, 153, 153],
    'traffic_light': [250, 170, 30],
    'traffic_sign': [220, 220, 0],
    'vegetation': [107, 142, 35],
    'terrain': [152, 251, 152],
    'sky': [70, 130, 180],
    'person': [220, 20, 60],
    'rider': [255, 0, 0],
    'car': [0, 0, 142],
    'truck': [0, 0, 70],
    'bus': [0, 60, 100],
    'train': [0, 80, 100],
    'motorcycle': [0, 0, 230],
    'bicycle': [119, 11, 32],
}
"""Name to RGB color."""


def pick(names: Iterable[str]) -> dict[str, Any]:
    """Return ``classes`` and ``palette`` of some classes, for a dataset's ``METAINFO``."""
    kept = tuple(names)
    return {'classes': kept, 'palette': [CITYSCAPES[name] for name in kept]}
