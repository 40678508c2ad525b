"""DTD, the Describable Textures Dataset (Cimpoi et al., "Describing Textures in the Wild")."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from mmpretrain.datasets import BaseDataset
from mmpretrain.datasets.categories import DTD_CATEGORIES
from mmpretrain.registry import DATASETS

from ...messages import located
from ..file_checks import first_few
from ..protocol import check_choice

URL = 'https://www.robots.ox.ac.uk/~vgg/data/dtd/'
_LISTS = ('train', 'val', 'test')


@DATASETS.register_module()
class DTDDataset(BaseDataset):
    """DTD in one of its ten official partitions, read from the lists that it comes with.

    ``data_root`` holds ``images/<class>/<name>.jpg`` and ``labels/<split><partition>.txt``, whose
    lines are ``<class>/<name>.jpg``. (MMPretrain's ``DTD`` reads ``imdb/imdb.mat``, which holds
    the first partition only.) Every ``data_info`` holds ``img_path`` and ``gt_label``.

    Args:
        data_root: The folder ``dtd``.
        split: ``train``, ``val`` or ``test`` (1880 images each), or ``all`` (5640).
        partition: 1 to 10.
        **kwargs: See MMPretrain's ``BaseDataset``. ``test_mode`` is set for all but ``train``.

    Raises:
        ValueError: If an argument is not allowed, or a list is empty, names an image twice or
            names an unknown class.
        FileNotFoundError: If a list or an image is missing.
    """

    METAINFO = {'classes': DTD_CATEGORIES}  # noqa: RUF012
    SPLITS = (*_LISTS, 'all')
    PARTITIONS = tuple(range(1, 11))

    def __init__(
        self, data_root: str, split: str = 'test', partition: int = 1, **kwargs: Any
    ) -> None:
        self.split = check_choice('split', split, self.SPLITS)
        self.partition = check_choice('partition', partition, self.PARTITIONS)
        super().__init__(
            ann_file='',
            data_root=data_root,
            data_prefix='images',
            **{'test_mode': split != 'train', **kwargs},
        )

    def load_data_list(self) -> list[dict[str, Any]]:
        """Read the lists, and check that every image is there.

        Returns:
            One dict per image, in the order of the lists.

        Raises:
            FileNotFoundError: If a list or an image is missing.
            ValueError: If a list is not in the format of DTD.
        """
        folder = Path(self.data_root) / 'labels'
        splits = _LISTS if self.split == 'all' else (self.split,)
        entries: dict[str, Path] = {}
        for path in (folder / f'{split}{self.partition}.txt' for split in splits):
            for entry in read_list(path):
                if entry in entries:
                    raise ValueError(f'{path} names {entry}, which {entries[entry]} names too')
                entries[entry] = path
        images = Path(self.img_prefix)
        check_images(images, list(entries))
        # of all of DTD's classes, whatever `metainfo` calls them
        labels = {name: label for label, name in enumerate(DTD_CATEGORIES)}
        return [
            {'img_path': str(images / entry), 'gt_label': labels[entry.partition('/')[0]]}
            for entry in entries
        ]


def read_list(path: Path) -> list[str]:
    """Read one of DTD's lists of images.

    Args:
        path: A text file with one ``<class>/<name>`` a line.

    Returns:
        The lines, without those that are empty.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If it is empty, or a line has another form or an unknown class. The message
            names the file and the line.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f'DTD is expected with {located(path)}, which does not exist; see {URL}'
        )
    entries = []
    for number, line in enumerate(path.read_text(encoding='utf-8').splitlines(), start=1):
        entry = line.strip()
        if not entry:
            continue
        name, _, image = entry.partition('/')
        if not image or '/' in image:
            raise ValueError(f'{path}, line {number}: expected <class>/<image>, got {entry!r}')
        if name not in DTD_CATEGORIES:
            raise ValueError(f'{path}, line {number}: {name!r} is not a class of DTD')
        entries.append(entry)
    if not entries:
        raise ValueError(f'{path} is empty: it names no image')
    return entries


def check_images(folder: Path, entries: list[str]) -> None:
    """Raise FileNotFoundError if an image is missing; every class's folder is read once."""
    present: set[str] = set()
    for name in dict.fromkeys(entry.partition('/')[0] for entry in entries):
        if (folder / name).is_dir():
            present.update(f'{name}/{image}' for image in os.listdir(folder / name))
    missing = [entry for entry in entries if entry not in present]
    if missing:
        raise FileNotFoundError(
            f'{len(missing)} of {len(entries)} images that the lists of DTD name do not exist in '
            f'{folder}: {first_few(missing, ", ")}'
        )
