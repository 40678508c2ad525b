"""Augmentations that a resumed training repeats exactly.

MMEngine saves no state of random generators, so a training that is resumed crops and flips other
than one that ran through. Here the randomness of a sample is determined by (seed, rank, position
in the training's stream of samples), whatever the number of worker processes.
"""

import hashlib
import random
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from mmengine.dataset import BaseDataset, InfiniteSampler
from mmengine.registry import DATA_SAMPLERS, DATASETS


class SeededIndex(int):
    """The index of a sample that brings along the seed of its augmentation."""

    seed: int

    def __new__(cls, index: int, seed: int) -> 'SeededIndex':
        """Make an int with an attribute."""
        new = super().__new__(cls, index)
        new.seed = seed
        return new

    def __reduce__(self) -> tuple[type['SeededIndex'], tuple[int, int]]:
        """Travel to worker processes with the seed."""
        return SeededIndex, (int(self), self.seed)


@DATA_SAMPLERS.register_module()
class SeededInfiniteSampler(InfiniteSampler):
    """:class:`mmengine.dataset.InfiniteSampler` that yields :class:`SeededIndex`."""

    def _indices_of_rank(self) -> Iterator[int]:
        for position, index in enumerate(super()._indices_of_rank()):
            key = f'{self.seed}/{self.rank}/{position}'
            seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], 'little')
            yield SeededIndex(index, seed)


@DATASETS.register_module()
class SeededDataset:
    """Any dataset, with Python's, NumPy's and PyTorch's generators seeded for each sample.

    Args:
        dataset: The dataset or its config.
    """

    def __init__(self, dataset: Mapping[str, Any] | BaseDataset) -> None:
        self.dataset = DATASETS.build(dataset) if isinstance(dataset, Mapping) else dataset

    def __getattr__(self, name: str) -> Any:
        # only what is not found here; `dataset` is missing while a copy is being unpickled
        if name == 'dataset':
            raise AttributeError(name)
        return getattr(self.dataset, name)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> dict[str, Any]:
        if isinstance(index, SeededIndex):
            random.seed(index.seed)
            np.random.seed(index.seed)
            torch.manual_seed(index.seed)
        return self.dataset[int(index)]
