"""MiniStreets: a small rendered road-scene dataset with out-of-distribution objects."""

from __future__ import annotations

from typing import Any

from mmseg.registry import DATASETS

from mmseg_abnn.datasets.ood_dataset import IGNORE_ID, OOD_ID, OODSegDataset


@DATASETS.register_module()
class MiniStreetsDataset(OODSegDataset):
    """Rendered street scenes in MUAD's format, see ``tools/dataset_converters/mini_streets.py``.

    Images are ``<split>/leftImg8bit/NNNNNN_leftImg8bit.png``, labels
    ``<split>/leftLabel/NNNNNN_leftLabel.png`` with MUAD's ids. OOD pixels (animals, stored as
    19, and objects, stored as 20) occur in ``test_ood`` only.

    Args:
        data_root: Folder the tool wrote.
        split: ``train``, ``val``, ``test_id`` or ``test_ood``.
        **kwargs: See :class:`OODSegDataset`.

    Raises:
        ValueError: If ``split`` is unknown or the files are not in the format above.
        FileNotFoundError: If a folder is missing or empty.
    """

    METAINFO = {  # noqa: RUF012 (MMEngine reads a plain class attribute)
        'classes': (
            'road',
            'sidewalk',
            'building',
            'pole',
            'traffic_sign',
            'vegetation',
            'sky',
            'person',
            'car',
        ),
        'palette': [
            [128, 64, 128],
            [244, 35, 232],
            [70, 70, 70],
            [153, 153, 153],
            [220, 220, 0],
            [107, 142, 35],
            [70, 130, 180],
            [220, 20, 60],
            [0, 0, 142],
        ],
        'ood_id': OOD_ID,
    }
    SPLITS = ('train', 'val', 'test_id', 'test_ood')
    STORED_IDS = (0, 1, 2, 5, 7, 8, 10, 11, 13)
    """MUAD's ids of ``METAINFO['classes']``, in that order."""
    STORED_OOD_IDS = (19, 20)

    def __init__(self, *, data_root: str, split: str, **kwargs: Any) -> None:
        self.check_split(split)
        stored_label_map = {stored: new for new, stored in enumerate(self.STORED_IDS)}
        stored_label_map |= dict.fromkeys(self.STORED_OOD_IDS, OOD_ID)
        stored_label_map[IGNORE_ID] = IGNORE_ID
        super().__init__(
            split=split,
            stored_label_map=stored_label_map,
            data_root=data_root,
            data_prefix={
                'img_path': f'{split}/leftImg8bit',
                'seg_map_path': f'{split}/leftLabel',
            },
            img_suffix='_leftImg8bit.png',
            seg_map_suffix='_leftLabel.png',
            **kwargs,
        )
