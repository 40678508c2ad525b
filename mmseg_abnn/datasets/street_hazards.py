"""StreetHazards (Hendrycks et al., "Scaling Out-of-Distribution Detection", ICML 2022)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmseg.registry import DATASETS

from mmseg_abnn.datasets.ood_dataset import OOD_ID, OODSegDataset
from mmseg_abnn.datasets.protocol import Protocol

_COLORS = {
    'unlabeled': [0, 0, 0],
    'building': [70, 70, 70],
    'fence': [190, 153, 153],
    'other': [250, 170, 160],
    'pedestrian': [220, 20, 60],
    'pole': [153, 153, 153],
    'road_line': [157, 234, 50],
    'road': [128, 64, 128],
    'sidewalk': [244, 35, 232],
    'vegetation': [107, 142, 35],
    'car': [0, 0, 142],
    'wall': [102, 102, 156],
    'traffic_sign': [220, 220, 0],
}
_ANOMALY = 14
PROTOCOL = Protocol({name: stored for stored, name in enumerate(_COLORS, start=1)}, (_ANOMALY,))
_FOLDERS = {
    'train': ('train', 'training'),
    'val': ('train', 'validation'),
    'test': ('test', 'test'),
}


@DATASETS.register_module()
class StreetHazardsDataset(OODSegDataset):
    """StreetHazards: rendered streets of 1280x720 pixels, 5125 / 1031 / 1500 images.

    Images lie in ``train/images/{training,validation}/<town>`` and ``test/images/test/<town>``,
    labels beside them below ``annotations``, with the ids 1 to 14: 13 classes, and 14 for an
    anomaly, which occurs in the test split only. Class 0, 'unlabeled' (the sky among it), is
    trained like the others; publications divide mIoU by 12 or by 13 classes.

    Args:
        data_root: Folder that holds ``train`` and ``test``.
        split: ``train``, ``val`` or ``test``.
        ann_file: An ``.odgt`` list in ``data_root`` in place of the folders, with paths relative to
            ``data_root``, to ``train`` or ``test``, or to its own folder.
        miou_classes: 13, or 12 to leave 'unlabeled' out of the mean of IoUs (its pixels still
            count in the unions of the others).
        metainfo: Overrides of ``METAINFO``.
        **kwargs: See :class:`OODSegDataset`.

    Raises:
        ValueError: If an argument is not allowed or the files are not in the format above.
        FileNotFoundError: If a folder or a file is missing.
    """

    METAINFO = {  # noqa: RUF012 (MMEngine reads a plain class attribute)
        'classes': tuple(_COLORS),
        'palette': list(_COLORS.values()),
        'ood_id': OOD_ID,
    }
    SPLITS = tuple(_FOLDERS)

    def __init__(
        self,
        *,
        data_root: str,
        split: str,
        ann_file: str = '',
        miou_classes: int = 13,
        metainfo: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        if miou_classes not in (12, 13):
            raise ValueError(f'`miou_classes` must be 12 or 13, got {miou_classes!r}')
        self.check_split(split)
        part, name = _FOLDERS[split]
        left_out = ('unlabeled',) if miou_classes == 12 else ()
        super().__init__(
            split=split,
            stored_label_map=PROTOCOL.label_map(tuple(_COLORS)),
            data_root=data_root,
            data_prefix={
                'img_path': f'{part}/images/{name}',
                'seg_map_path': f'{part}/annotations/{name}',
            },
            img_suffix='.png',
            seg_map_suffix='.png',
            ann_file=ann_file,
            list_roots=(part,),
            metainfo={'not_in_miou': left_out, **(metainfo or {})},
            **kwargs,
        )
