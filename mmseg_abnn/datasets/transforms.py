"""Loading labels that may hold out-of-distribution pixels."""

from __future__ import annotations

import cv2
import mmcv
import mmengine.fileio as fileio
import numpy as np
from mmseg.datasets.transforms import LoadAnnotations
from mmseg.registry import TRANSFORMS

from mmseg_abnn.datasets.ood_dataset import IGNORE_ID


@TRANSFORMS.register_module()
class LoadOODAnnotations(LoadAnnotations):
    """Load a label and map its stored ids with the dataset's ``label_map``.

    Unlike MMSegmentation's ``LoadAnnotations`` an id that the map does not know is an error, and
    OOD pixels are ignored unless asked for: a pipeline for training cannot see them by mistake.

    A sample without ``seg_map_path``, as ``inference_model`` of MMSegmentation and data sets
    without labels give it, passes unchanged. That a label is missing which should be there is found
    out earlier: data sets pair their files before anything is read.

    Required keys: ``label_map``, ``ood_id``, ``seg_fields``, where there is a ``seg_map_path``.
    Added key: ``gt_seg_map``, uint8, ``(H, W)``.

    Args:
        keep_ood: Keep ``results['ood_id']`` instead of turning it into 255.
        backend_args: Arguments of the file backend.
        imdecode_backend: Image decoding backend.
    """

    def __init__(
        self,
        keep_ood: bool = False,
        backend_args: dict | None = None,
        imdecode_backend: str = 'pillow',
    ) -> None:
        super().__init__(backend_args=backend_args, imdecode_backend=imdecode_backend)
        self.keep_ood = keep_ood

    def transform(self, results: dict) -> dict:
        """Load the label of a sample, if there is one."""
        return results if results.get('seg_map_path') is None else super().transform(results)

    def _load_seg_map(self, results: dict) -> None:
        """Load, check and map one label.

        Raises:
            ValueError: If the label is not uint8 ``(H, W)`` or holds an id outside ``label_map``,
                or the data set gives no ``ood_id``.
        """
        path = results['seg_map_path']
        if 'ood_id' not in results:
            raise ValueError(
                f'{path}: LoadOODAnnotations is for data sets of the class OODSegDataset, which '
                "say what each id stands for; use dict(type='LoadAnnotations') for others"
            )
        data = fileio.get(path, backend_args=self.backend_args)
        stored = mmcv.imfrombytes(data, flag='unchanged', backend=self.imdecode_backend)
        if stored.ndim != 2 or stored.dtype != np.uint8:
            raise ValueError(
                f'{path}: a label must have one 8-bit channel, '
                f'got {stored.dtype} of shape {stored.shape}'
            )
        label_map: dict[int, int] = results['label_map']
        loaded = {
            stored_id: IGNORE_ID if new_id == results['ood_id'] and not self.keep_ood else new_id
            for stored_id, new_id in label_map.items()
        }
        unknown = next(value for value in range(256) if value not in loaded.values())
        table = np.full(256, unknown, dtype=np.uint8)
        table[list(loaded)] = list(loaded.values())
        labels = cv2.LUT(stored, table)
        if (labels == unknown).any():
            ids = np.unique(stored[labels == unknown]).tolist()
            raise ValueError(f'{path}: unknown stored id(s) {ids}, allowed are {sorted(label_map)}')
        results['gt_seg_map'] = labels
        results['seg_fields'].append('gt_seg_map')

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(keep_ood={self.keep_ood}, '
            f"imdecode_backend='{self.imdecode_backend}', backend_args={self.backend_args})"
        )
