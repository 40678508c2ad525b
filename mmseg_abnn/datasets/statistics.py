"""What the labels of a dataset hold: pixels and images of every class, and what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from mmseg_abnn.datasets.ood_dataset import IGNORE_ID
from mmseg_abnn.datasets.stored import UNKNOWN, ids_after_loading, read_label

_AT_A_TIME = 256  # labels that are in work or counted, but not yet added up


@dataclass
class Occurrence:
    """How often something occurs in labels.

    Attributes:
        pixels: Number of pixels.
        images: Number of labels with at least one of them.
        first: The first of these labels.
    """

    pixels: int = 0
    images: int = 0
    first: str | None = None

    def add(self, pixels: int, path: str) -> None:
        """Count the pixels of another label."""
        self.pixels += pixels
        self.images += 1
        if self.first is None:
            self.first = path


@dataclass
class LabelStatistics:
    """Counts of what labels hold, in constant memory however many there are.

    Attributes:
        classes: Names of the classes.
        images: Number of labels that were counted.
        per_class: One for each class.
        ood: OOD pixels.
        ignored: Ignored pixels.
        unknown: Stored id to its occurrence, for ids that stand for nothing.
        broken: Label to what is wrong with it; these are not counted.
    """

    classes: tuple[str, ...]
    images: int = 0
    per_class: list[Occurrence] = field(init=False)
    ood: Occurrence = field(default_factory=Occurrence)
    ignored: Occurrence = field(default_factory=Occurrence)
    unknown: dict[int, Occurrence] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.per_class = [Occurrence() for _ in self.classes]

    @property
    def pixels(self) -> int:
        """Number of pixels that were counted."""
        kinds = (*self.per_class, self.ood, self.ignored, *self.unknown.values())
        return sum(kind.pixels for kind in kinds)

    @property
    def is_clean(self) -> bool:
        """Whether every label could be read and every id stands for something."""
        return not (self.unknown or self.broken)

    def share(self, kind: Occurrence) -> float:
        """Return the share of something among all pixels, in [0, 1]; 0 without any."""
        return kind.pixels / max(self.pixels, 1)

    def add(self, path: str, counts: np.ndarray, loaded: np.ndarray) -> None:
        """Add a label.

        Args:
            path: Its file.
            counts: Number of pixels of each stored id, shape (256,).
            loaded: What each stored id becomes, see :func:`ids_after_loading`.
        """
        self.images += 1
        sums: dict[int, int] = {}
        for stored in np.flatnonzero(counts):
            kind, pixels = int(loaded[stored]), int(counts[stored])
            if kind == UNKNOWN:
                self.unknown.setdefault(int(stored), Occurrence()).add(pixels, path)
            else:
                sums[kind] = sums.get(kind, 0) + pixels
        for kind, pixels in sums.items():
            if kind < len(self.per_class):
                self.per_class[kind].add(pixels, path)
            else:
                (self.ignored if kind == IGNORE_ID else self.ood).add(pixels, path)

    def as_dict(self) -> dict[str, Any]:
        """Return the counts for a JSON file; shares are those of all pixels, in [0, 1]."""

        def row(kind: Occurrence, **names: Any) -> dict[str, Any]:
            return {**names, **asdict(kind), 'share': self.share(kind)}

        named = zip(self.classes, self.per_class, strict=True)
        return {
            'images': self.images,
            'pixels': self.pixels,
            'classes': [row(kind, name=name) for name, kind in named],
            'ood': row(self.ood),
            'ignored': row(self.ignored),
            'unknown': [row(kind, id=stored) for stored, kind in sorted(self.unknown.items())],
            'broken': [{'file': file, 'problem': what} for file, what in self.broken.items()],
        }


def count_labels(dataset: Any, after_each: Callable[[], object] = lambda: None) -> LabelStatistics:
    """Count what all labels of a dataset hold, as they are stored.

    Args:
        dataset: A ``BaseSegDataset``; an :class:`OODSegDataset` that was built with
            ``check_labels=False``, or it has raised an error before.
        after_each: Called after each label.

    Returns:
        The counts. What is wrong with labels is in there, too.

    Raises:
        ValueError: If the dataset does not name its classes.
    """
    meta: Mapping[str, Any] = dataset.metainfo
    if not meta.get('classes'):
        raise ValueError("the dataset's `metainfo` names no `classes`")
    statistics = LabelStatistics(tuple(meta['classes']))
    backend_args = getattr(dataset, 'backend_args', None)

    def count(info: Mapping[str, Any]) -> np.ndarray | str:
        try:
            stored = read_label(info, backend_args)
        except ValueError as error:
            return str(error)
        # np.bincount would make eight bytes of each pixel's one
        return np.array(Image.fromarray(stored).histogram())

    # Threads, not processes: Pillow releases the GIL while it decodes.
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(dataset), _AT_A_TIME):
            stop = min(start + _AT_A_TIME, len(dataset))
            infos = [dataset.get_data_info(index) for index in range(start, stop)]
            for info, found in zip(infos, pool.map(count, infos), strict=True):
                path = info.get('seg_map_path') or info['img_path']
                if isinstance(found, str):
                    statistics.broken[path] = found
                else:
                    loaded = ids_after_loading(info, len(statistics.classes), meta.get('ood_id'))
                    statistics.add(path, found, loaded)
                after_each()
    return statistics
