"""How a benchmark is described: where its files lie, how many there are, what they may hold."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

IMAGE, LABEL = 'image', 'label'


@dataclass(frozen=True)
class Place:
    """Where files lie: ``<folder>/<name><suffix>``, at any depth of a download.

    Attributes:
        folder: One or more folders, separated by ``/``.
        suffix: How the name of a file ends.
        id_shift: Added to the ids of a label, modulo 256, to get the stored ids.
    """

    folder: str
    suffix: str
    id_shift: int = 0

    def path(self, name: str) -> str:
        """Return the path of a file."""
        return f'{self.folder}/{name}{self.suffix}'


@dataclass(frozen=True)
class Split:
    """A split by folders.

    Attributes:
        name: What the dataset class, or the folder, calls it.
        published: Number of its images according to the authors.
        images: Where its images may lie; the first place is where they are written.
        labels: The same for its labels.
        optional: Whether the split is one that few people need.
    """

    name: str
    published: int
    images: tuple[Place, ...]
    labels: tuple[Place, ...]
    optional: bool = False


@dataclass(frozen=True)
class ContentSplit:
    """A split by what the labels hold: images with an OOD id are the test images.

    Attributes:
        name: Name of the protocol, with which the names of the lists begin.
        ood: Stored ids of OOD pixels.
        published: Number of images of each split, ``test`` among them.
    """

    name: str
    ood: tuple[int, ...]
    published: Mapping[str, int]


@dataclass(frozen=True)
class Match:
    """A file of a benchmark, recognized by its path.

    Attributes:
        split: The split.
        kind: ``'image'`` or ``'label'``.
        name: The name that image and label of a pair share.
        place: Where it was found.
        target: The path that it is written to.
    """

    split: Split
    kind: str
    name: str
    place: Place
    target: str

    @property
    def pair(self) -> tuple[str, str]:
        """What image and label have in common."""
        return self.split.name, self.name


@dataclass(frozen=True)
class Benchmark:
    """All that sets one benchmark apart from another.

    Attributes:
        name: Name of its folder in ``data``.
        title: Name for people.
        splits: The splits by folders.
        file_name: Regular expression of the name that image and label share.
        stored_ids: The ids that a prepared label may hold.
        content_splits: Further splits, by content.
        unlabeled_images: Whether there may be images without a label, which are not taken.
    """

    name: str
    title: str
    splits: tuple[Split, ...]
    file_name: str
    stored_ids: tuple[int, ...]
    content_splits: tuple[ContentSplit, ...] = ()
    unlabeled_images: bool = False

    def match(self, path: str) -> Match | None:
        """Recognize a file by the end of its path.

        Args:
            path: Path in a folder or an archive, separated by ``/``.

        Returns:
            What it is, or None if it is nothing of this benchmark.
        """
        for pattern, split, kind, place in self._patterns:
            found = pattern.fullmatch(path)
            if found:
                name = found['name']
                target = split.images[0] if kind == IMAGE else split.labels[0]
                return Match(split, kind, name, place, target.path(name))
        return None

    def expected(self) -> str:
        """Say which files are looked for."""
        return ', '.join(dict.fromkeys(place.path('*') for _, _, _, place in self._patterns))

    @cached_property
    def _patterns(self) -> list[tuple[re.Pattern[str], Split, str, Place]]:
        return [
            (
                re.compile(
                    f'(?:.*/)?{re.escape(place.folder)}/(?P<name>{self.file_name})'
                    f'{re.escape(place.suffix)}'
                ),
                split,
                kind,
                place,
            )
            for split in self.splits
            for kind, places in ((IMAGE, split.images), (LABEL, split.labels))
            for place in places
        ]
