"""MUAD (Franchi et al., "MUAD: Multiple Uncertainties for Autonomous Driving", BMVC 2022)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmseg.registry import DATASETS

from mmseg_abnn.datasets.cityscapes_classes import CITYSCAPES, pick
from mmseg_abnn.datasets.ood_dataset import OOD_ID, OODSegDataset
from mmseg_abnn.datasets.protocol import Protocol, choose_protocol

# Stored ids are the train ids of Cityscapes, 19 for animals, 20 for objects on the road.
STORED_IDS = {name: train_id for train_id, name in enumerate(CITYSCAPES)}
_ANIMALS, _OBJECTS = 19, 20
_UNLABELED = (21, 255)


def _classes_without(*names: str) -> dict[str, int]:
    return {name: stored for name, stored in STORED_IDS.items() if name not in names}


PROTOCOLS = {
    'paper': Protocol(STORED_IDS, ood=(_ANIMALS, _OBJECTS), ignored=_UNLABELED),
    # labels are clipped to 18 there, so whatever lies above is OOD like a bicycle
    'challenge': Protocol(
        _classes_without('train', 'motorcycle', 'bicycle'),
        ood=(16, 17, 18, _ANIMALS, _OBJECTS, *_UNLABELED),
    ),
    'torch_uncertainty': Protocol(
        _classes_without('rider', 'train', 'motorcycle', 'bicycle'),
        ood=(12, 16, 17, 18, _ANIMALS, _OBJECTS),
        ignored=_UNLABELED,
    ),
}

# What another release calls the folders of these splits
_OTHER_NAMES = {'test_id': 'test', 'test_ood': 'ood'}


@DATASETS.register_module()
class MUADDataset(OODSegDataset):
    """MUAD: rendered streets of 2048x1024 pixels with weather, noise and OOD objects.

    Images are ``<split>/leftImg8bit/NNNNNN_leftImg8bit.png``, labels
    ``<split>/leftLabel/NNNNNN_leftLabel.png``. Public code counts different ids as OOD:

    - ``protocol='paper'``: the 19 classes of Cityscapes; animals and objects (19, 20) are OOD; 21
      and 255 are ignored;
    - ``protocol='challenge'``: 16 classes; train, motorcycle and bicycle, and everything above
      them, unlabeled pixels too, are OOD;
    - ``protocol='torch_uncertainty'``: 15 classes; rider, train, motorcycle, bicycle, animals and
      objects are OOD.

    Args:
        data_root: Folder that holds the splits.
        split: ``train`` (3420 images), ``val`` (492), ``test_id`` (551), ``test_ood`` (1668),
            ``test_id_low_adv`` (605), ``test_id_high_adv`` (602), ``test_ood_low_adv`` (1552) or
            ``test_ood_high_adv`` (1421). In a release that names its folders ``test`` and
            ``ood``, these are found too.
        protocol: ``'paper'``, ``'challenge'`` or ``'torch_uncertainty'``.
        ann_file: An ``.odgt`` list in ``data_root`` in place of the folders.
        metainfo: Overrides of ``METAINFO``.
        **kwargs: See :class:`OODSegDataset`.

    Raises:
        ValueError: If an argument is not allowed or the files are not in the format above.
        FileNotFoundError: If a folder or a file is missing.
    """

    METAINFO = {**pick(STORED_IDS), 'ood_id': OOD_ID}  # noqa: RUF012
    SPLITS = (
        'train',
        'val',
        'test_id',
        'test_ood',
        'test_id_low_adv',
        'test_id_high_adv',
        'test_ood_low_adv',
        'test_ood_high_adv',
    )

    def __init__(
        self,
        *,
        data_root: str | None,
        split: str,
        protocol: str = 'paper',
        ann_file: str = '',
        metainfo: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        chosen = choose_protocol(PROTOCOLS, protocol)
        folder = find_split(Path(data_root or '.'), self.check_split(split))
        super().__init__(
            split=split,
            stored_label_map=chosen.label_map(tuple(STORED_IDS)),
            data_root=data_root,
            data_prefix={
                'img_path': f'{folder}/leftImg8bit',
                'seg_map_path': f'{folder}/leftLabel',
            },
            img_suffix='_leftImg8bit.png',
            seg_map_suffix='_leftLabel.png',
            ann_file=ann_file,
            metainfo={'classes': tuple(chosen.classes), **(metainfo or {})},
            **kwargs,
        )


def find_split(root: Path, split: str) -> str:
    """Return the folder of a split in the release at hand; its usual name if there is none."""
    other = _OTHER_NAMES.get(split)
    if other and not (root / split).is_dir() and (root / other).is_dir():
        return other
    return split
