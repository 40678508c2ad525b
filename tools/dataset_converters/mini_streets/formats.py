"""The folders, file names and ids that rendered scenes can be stored with.

Each benchmark's format has its own oddities; a small copy of it shows whether everything that reads
the benchmark works, before the benchmark is downloaded.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping

import cv2
import numpy as np

from .config import StoredId
from .render import OOD_SPLIT, SPLITS

_JPEG_QUALITY = 95


class Format(ABC):
    """How images and labels are stored.

    Attributes:
        image_suffix: ``.png`` or ``.jpg``.
    """

    image_suffix = '.png'

    @abstractmethod
    def paths(self, split: str, index: int) -> tuple[str, str]:
        """Return where image and label are stored, relative to the root.

        Args:
            split: One of ``SPLITS``.
            index: Number of the image in its split.
        """

    def stored_ids(self, index: int) -> Mapping[int, int]:
        """Return the id in the label file of each :class:`StoredId` of an image."""
        return {stored: stored for stored in StoredId}

    def encode(self, image: np.ndarray, label: np.ndarray, index: int) -> tuple[bytes, bytes]:
        """Return the files of an image and its label.

        Args:
            image: RGB, uint8, of shape (H, W, 3).
            label: Values of :class:`StoredId`, uint8, of shape (H, W).
            index: Number of the image in its split.
        """
        table = np.arange(256, dtype=np.uint8)
        for rendered, stored in self.stored_ids(index).items():
            table[rendered] = stored
        return _encoded(image[..., ::-1], self.image_suffix), _encoded(table[label], '.png')

    def lists(self, counts: Mapping[str, int]) -> dict[str, str]:
        """Return the text of each list of images that comes with the data, by path."""
        return {}


class MiniStreets(Format):
    """MUAD's folders and names."""

    def paths(self, split: str, index: int) -> tuple[str, str]:
        """Return where image and label are stored."""
        return (
            f'{split}/leftImg8bit/{index:06d}_leftImg8bit.png',
            f'{split}/leftLabel/{index:06d}_leftLabel.png',
        )


class MUAD(MiniStreets):
    """MUAD: both of its ids for unlabeled pixels occur, 21 and 255."""

    def stored_ids(self, index: int) -> Mapping[int, int]:
        """Return the id in the label file of each :class:`StoredId` of an image."""
        return {StoredId.UNLABELLED: 21 if index % 2 == 0 else 255}


class StreetHazards(Format):
    """StreetHazards: towns, ids from 1, one class for the sky and all that has no label.

    Its lists are as its authors' script writes them: relative to ``train`` and ``test``, as one
    array; that of the validation images has one object a line, as other copies do.
    """

    _FOLDERS: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
        'train': ('train', 'training', ('t1-3', 't4')),
        'val': ('train', 'validation', ('t5',)),
        'test_id': ('test', 'test', ('t5',)),
        'test_ood': ('test', 'test', ('t6',)),
    }
    _IDS: Mapping[int, int] = {
        StoredId.ROAD: 8,
        StoredId.SIDEWALK: 9,
        StoredId.BUILDING: 2,
        StoredId.POLE: 6,
        StoredId.TRAFFIC_SIGN: 13,
        StoredId.VEGETATION: 10,
        StoredId.SKY: 1,
        StoredId.PERSON: 5,
        StoredId.CAR: 11,
        StoredId.OOD_ANIMAL: 14,
        StoredId.OOD_OBJECT: 14,
        StoredId.UNLABELLED: 1,
    }

    def paths(self, split: str, index: int) -> tuple[str, str]:
        """Return where image and label are stored."""
        part, folder, towns = self._FOLDERS[split]
        name = f'{folder}/{towns[index % len(towns)]}/{index}.png'
        return f'{part}/images/{name}', f'{part}/annotations/{name}'

    def stored_ids(self, index: int) -> Mapping[int, int]:
        """Return the id in the label file of each :class:`StoredId` of an image."""
        return self._IDS

    def lists(self, counts: Mapping[str, int]) -> dict[str, str]:
        """Return the text of each list of images that comes with the data, by path."""
        entries: dict[str, list[dict]] = {}
        for split in SPLITS:
            part, folder, _ = self._FOLDERS[split]
            name = 'train' if split == 'train' else folder
            found = entries.setdefault(f'{part}/{name}.odgt', [])
            for index in range(counts[split]):
                image, label = self.paths(split, index)
                found.append(
                    {
                        'dbName': 'StreetHazards',
                        'fpath_img': image.removeprefix(f'{part}/'),
                        'fpath_segm': label.removeprefix(f'{part}/'),
                    }
                )
        return {
            path: ''.join(f'{json.dumps(entry)}\n' for entry in found)
            if 'validation' in path
            else json.dumps(found)
            for path, found in entries.items()
        }


class BDDAnomaly(Format):
    """BDD-Anomaly: JPEG images; OOD things in both folders, as trains and motorcycles.

    Its splits are made by content afterwards, so the images with OOD things lie among the others.
    """

    image_suffix = '.jpg'

    def paths(self, split: str, index: int) -> tuple[str, str]:
        """Return where image and label are stored."""
        in_train = split == 'train' or (split == OOD_SPLIT and index % 2 == 0)
        folder = 'train' if in_train else 'val'
        name = f'{SPLITS.index(split):08x}-{index:08x}'
        return f'seg/images/{folder}/{name}.jpg', f'seg/train_labels/{folder}/{name}_train_id.png'

    def stored_ids(self, index: int) -> Mapping[int, int]:
        """Return the id in the label file of each :class:`StoredId` of an image."""
        ids: dict[int, int] = {rendered: rendered + 2 for rendered in StoredId}
        ids.update({StoredId.OOD_ANIMAL: 18, StoredId.OOD_OBJECT: 19, StoredId.UNLABELLED: 1})
        return ids


FORMATS: dict[str, Format] = {
    'mini_streets': MiniStreets(),
    'muad': MUAD(),
    'street_hazards': StreetHazards(),
    'bdd_anomaly': BDDAnomaly(),
}


def _encoded(pixels: np.ndarray, suffix: str) -> bytes:
    options = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY] if suffix == '.jpg' else []
    done, data = cv2.imencode(suffix, pixels, options)
    if not done:
        raise RuntimeError(f'OpenCV could not write a {suffix} file')
    return data.tobytes()
