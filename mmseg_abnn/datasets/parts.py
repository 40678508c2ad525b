"""The datasets that a dataloader reads from, without wrappers around them."""

from __future__ import annotations

from collections import Counter
from typing import Any

from mmseg.registry import DATASETS

from mmseg_abnn.datasets.ood_dataset import OODSegDataset


def skip_label_checks(cfg: Any) -> None:
    """Let every :class:`OODSegDataset` of a dataset's config take labels that are wrong, in place.

    Args:
        cfg: The config of a dataset, of a wrapper or of several datasets.
    """
    if 'dataset' in cfg:
        skip_label_checks(cfg['dataset'])
    for part in cfg.get('datasets', ()):
        skip_label_checks(part)
    kind = cfg['type'] if isinstance(cfg['type'], type) else DATASETS.get(cfg['type'])
    if isinstance(kind, type) and issubclass(kind, OODSegDataset):
        cfg['check_labels'] = False


def dataset_parts(dataset: Any, name: str) -> dict[str, Any]:
    """Unwrap a dataset, and name the datasets that are found.

    Args:
        dataset: A dataset; wrappers around one (``dataset``) or several (``datasets``) are opened.
        name: Name of a dataset that does not tell its ``split``.

    Returns:
        Name to dataset, in the order of their images. Where a name would occur twice, all of that
        name are numbered.
    """
    parts = _unwrap(dataset)
    names = [getattr(part, 'split', None) or name for part in parts]
    count = Counter(names)
    seen: Counter[str] = Counter()
    found = {}
    for part, own in zip(parts, names, strict=True):
        found[f'{own}_{seen[own]}' if count[own] > 1 else own] = part
        seen[own] += 1
    return found


def _unwrap(dataset: Any) -> list[Any]:
    if hasattr(dataset, 'dataset'):
        return _unwrap(dataset.dataset)
    if hasattr(dataset, 'datasets'):
        return [leaf for part in dataset.datasets for leaf in _unwrap(part)]
    return [dataset]
