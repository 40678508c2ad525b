"""BDD-Anomaly (Hendrycks et al., "Scaling Out-of-Distribution Detection", ICML 2022)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmseg.registry import DATASETS

from mmseg_abnn.datasets.cityscapes_classes import CITYSCAPES, pick
from mmseg_abnn.datasets.ood_dataset import OOD_ID, OODSegDataset
from mmseg_abnn.datasets.protocol import Protocol, choose_protocol

# Stored ids are the train ids of Cityscapes plus two; 1 is what Cityscapes ignores.
STORED_IDS = {name: train_id + 2 for train_id, name in enumerate(CITYSCAPES)}
OTHER = 1


def _without(*names: str) -> Protocol:
    kept = {name: stored for name, stored in STORED_IDS.items() if name not in names}
    return Protocol(kept, ood=tuple(STORED_IDS[name] for name in names), ignored=(OTHER,))


PROTOCOLS = {
    'lpbnn': _without('train', 'motorcycle'),
    'hendrycks': _without('train', 'motorcycle', 'bicycle'),
}


@DATASETS.register_module()
class BDDAnomalyDataset(OODSegDataset):
    """BDD-Anomaly: streets of 1280x720 pixels from BDD100K, vehicles on rails or two wheels as OOD.

    The split is made by content: an image that holds an OOD class is a test image, whichever
    folder it lies in. ``tools/dataset_converters/bdd_anomaly.py`` makes the lists
    ``<protocol>_<split>.odgt``.

    - ``protocol='lpbnn'`` (of the ABNN and LP-BNN tables): train and motorcycle are OOD; 17
      classes; 6688 / 951 / 361 images;
    - ``protocol='hendrycks'``: bicycle too; 16 classes; 6280 / 910 / 810 images.

    Args:
        data_root: Folder that holds ``seg`` and the lists.
        split: ``train``, ``val`` or ``test``.
        protocol: ``'lpbnn'`` or ``'hendrycks'``.
        ann_file: Another list in ``data_root``.
        metainfo: Overrides of ``METAINFO``.
        **kwargs: See :class:`OODSegDataset`.

    Raises:
        ValueError: If an argument is not allowed or the files are not in the format above.
        FileNotFoundError: If a list or a file is missing.
    """

    METAINFO = {**pick(PROTOCOLS['lpbnn'].classes), 'ood_id': OOD_ID}  # noqa: RUF012
    SPLITS = ('train', 'val', 'test')

    def __init__(
        self,
        *,
        data_root: str,
        split: str,
        protocol: str = 'lpbnn',
        ann_file: str | None = None,
        metainfo: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        chosen = choose_protocol(PROTOCOLS, protocol)
        self.check_split(split)
        super().__init__(
            split=split,
            stored_label_map=chosen.label_map(tuple(PROTOCOLS['lpbnn'].classes)),
            data_root=data_root,
            data_prefix={},
            img_suffix='.jpg',
            seg_map_suffix='_train_id.png',
            ann_file=f'{protocol}_{split}.odgt' if ann_file is None else ann_file,
            metainfo={'classes': tuple(chosen.classes), **(metainfo or {})},
            **kwargs,
        )
