"""MMEngine metric for segmentation with uncertainty: mIoU, calibration and OOD detection."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger, print_log
from mmseg.registry import METRICS

from ..functional import (
    FPR_RULES,
    calibration_counts,
    confusion_matrix,
    per_class_iou,
    top_probability,
)
from .records import (
    ImageRecord,
    record_score,
    sum_confusion,
    summarize_detection,
    summarize_segmentation,
)
from .samples import read_fields, read_labels, read_score, save_maps
from .tables import class_table, summary_table

ECE_SCOPES = ('id', 'all')


@METRICS.register_module()
class UncertaintyMetric(BaseMetric):
    """Segmentation quality, calibration and pixel-wise OOD detection of one predictive model.

    The classes and the id of OOD pixels come from the dataset's ``metainfo`` (``classes`` and
    ``ood_id``; without ``ood_id`` no pixel is OOD). Softmax of the predicted ``seg_logits`` is
    taken as the predictive distribution. All numbers are in percent, unrounded:

    - ``mIoU``: over in-distribution classes, from the confusion matrix of all images;
    - ``ECE``: calibration error of each image, then the mean; ``pooled/ECE``: of all pixels;
    - ``AUPR``, ``AUROC``, ``FPR95``: OOD detection by the first score, on each image, then the
      mean; ``pooled/AUPR``, ...: one curve over all pixels; ``<score>/AUPR``,
      ``pooled/<score>/AUPR``, ...: the same by the further scores;
    - ``num_images``, and among the images for OOD detection ``num_images_without_ood`` and
      ``num_images_without_id`` (no OOD pixel, and nothing else): both kinds are left out of the
      image means of OOD detection, and are part of the pooled curves.

    Memory: an image costs a few kilobytes. The pooled curves are exact and cost in addition 4 bytes
    per labelled pixel and score until the end of the run, on each process for its own images and
    on the main process for all of them, where one score at a time then takes up to 50 bytes per
    pixel while it is sorted. ``pooled=False`` keeps no pixels.

    Args:
        scores: Names of the uncertainty scores: ``'msp'``, ``'entropy'`` (both from
            ``seg_logits``), or the name of a map in the data sample's ``uncertainty``.
        id_split: mIoU and ECE are measured on the images of this split; None: on all images.
        ood_split: OOD detection is measured on the images of this split; None: on all images.
        ece_bins: Number of bins of the calibration error.
        ece_scope: ``'id'``: calibration on in-distribution pixels; ``'all'``: on OOD pixels too,
            which count as errors.
        fpr_rule: ``'first'`` or ``'nearest'``, see
            :func:`~mmseg_abnn.evaluation.functional.fpr_at_recall`.
        ignore_index: Label of pixels that count nowhere.
        pooled: Whether to compute the pooled curves of OOD detection.
        output_dir: If given, ``<stem>_pred.png`` (uint8 class ids) and ``<stem>_<score>.npy``
            (float32, shape (H, W)) of each image are written to the sub-folder
            ``[<split>/]<folder>``: images of two splits may share their names, and so may images
            that lie in different folders of one split. ``<folder>`` is the name of the folder
            that holds the image, ``<stem>`` the image's name without suffix.
        keep_results: No effect; MMSegmentation's ``tools/test.py --out`` sets it.
        collect_device: Where results of several processes are collected, ``'cpu'`` or ``'gpu'``.
        collect_dir: Folder for collecting with ``'cpu'``, shared by all processes.
        prefix: Put in front of the metric names, with ``/``.

    Raises:
        ValueError: If an argument is not allowed.
    """

    def __init__(
        self,
        scores: Sequence[str] = ('msp', 'entropy'),
        id_split: str | None = None,
        ood_split: str | None = None,
        ece_bins: int = 15,
        ece_scope: str = 'id',
        fpr_rule: str = 'first',
        ignore_index: int = 255,
        pooled: bool = True,
        output_dir: str | None = None,
        keep_results: bool = False,
        collect_device: str = 'cpu',
        collect_dir: str | None = None,
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix, collect_dir=collect_dir)
        if collect_device not in ('cpu', 'gpu'):
            raise ValueError(f"`collect_device` must be 'cpu' or 'gpu', got {collect_device!r}")
        _check_scores(scores)
        if not _is_int(ece_bins) or ece_bins < 1:
            raise ValueError(f'`ece_bins` must be an integer >= 1, got {ece_bins!r}')
        if ece_scope not in ECE_SCOPES:
            raise ValueError(f'`ece_scope` must be one of {ECE_SCOPES}, got {ece_scope!r}')
        if fpr_rule not in FPR_RULES:
            raise ValueError(f'`fpr_rule` must be one of {FPR_RULES}, got {fpr_rule!r}')
        if not _is_int(ignore_index):
            raise ValueError(f'`ignore_index` must be an integer, got {ignore_index!r}')
        if not isinstance(pooled, bool):
            raise ValueError(f'`pooled` must be True or False, got {pooled!r}')
        for name, value in (
            ('id_split', id_split),
            ('ood_split', ood_split),
            ('output_dir', output_dir),
        ):
            if value is not None and not (isinstance(value, str) and value):
                raise ValueError(f'`{name}` must be None or a non-empty string, got {value!r}')
        self.scores = tuple(scores)
        self.id_split = id_split
        self.ood_split = ood_split
        self.ece_bins = ece_bins
        self.ece_scope = ece_scope
        self.fpr_rule = fpr_rule
        self.ignore_index = ignore_index
        self.pooled = pooled
        self.output_dir = output_dir

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Measure each image of a batch and keep one :class:`ImageRecord` of it.

        Args:
            data_batch: Not used.
            data_samples: Per image a dict with ``seg_logits`` (K, H, W), ``pred_sem_seg`` and
                ``gt_sem_seg`` (H, W) or (1, H, W), each as ``{'data': tensor}``, and ``img_path``;
                optionally ``split`` and ``uncertainty``, a mapping from names to maps.

        Raises:
            ValueError: If a data sample lacks what is needed, holds a label that is none of the
                classes, the OOD id and ``ignore_index``, or a score that is not finite. The
                message names the image.
        """
        for sample in data_samples:
            try:
                self.results.append(self._measure(sample))
            except ValueError as error:
                raise ValueError(f'{sample.get("img_path", "unnamed image")}: {error}') from error

    def compute_metrics(self, results: list[ImageRecord]) -> dict[str, float]:
        """Sum up the images, log the tables and return the numbers listed in the class docstring.

        Raises:
            ValueError: If ``id_split`` or ``ood_split`` was never seen, no labelled pixel was
                seen, ``ood_split`` holds no OOD pixel, or no image holds both OOD and
                in-distribution pixels.
        """
        self._check_splits_seen(results)
        metrics = summarize_segmentation(results)
        candidates = [r for r in results if self._in_split(r.split, self.ood_split)]
        if any(r.num_ood for r in candidates):
            metrics |= summarize_detection(candidates, self.scores, self.fpr_rule, self.pooled)
        elif self.ood_split is not None:
            raise ValueError(
                f'no OOD pixel was seen in split {self.ood_split!r} (`ood_split`); '
                f"the dataset's `ood_id` is {self._meta().get('ood_id')}"
            )
        metrics |= {
            'num_images': float(len(results)),
            'num_images_without_ood': float(sum(not r.num_ood for r in candidates)),
            'num_images_without_id': float(sum(not r.num_id and r.num_ood > 0 for r in candidates)),
        }
        self._log(results, metrics)
        return metrics

    def _measure(self, sample: Mapping[str, Any]) -> ImageRecord:
        if 'img_path' not in sample:
            raise ValueError(f'the data sample has no `img_path`, only {sorted(sample)}')
        img_path = str(sample['img_path'])
        label = read_labels(sample, 'gt_sem_seg')
        prediction = read_labels(sample, 'pred_sem_seg')
        logits = read_fields(sample, 'seg_logits')['data']
        num_classes = len(self._meta()['classes'])
        expected = (num_classes, *label.shape)
        if tuple(logits.shape) != expected or prediction.shape != label.shape:
            raise ValueError(
                f'`seg_logits` must have shape {expected} and `pred_sem_seg` {label.shape}, as '
                f'`gt_sem_seg` and the {num_classes} classes of the dataset have, '
                f'got {tuple(logits.shape)} and {prediction.shape}'
            )
        is_id, is_ood = self._find_pixels(label, num_classes)
        split = self._split_of(sample)
        scored = self._in_split(split, self.ood_split)
        maps: dict[str, np.ndarray] = {}
        if scored or self.output_dir is not None:
            maps = {name: read_score(sample, name) for name in self.scores}
        confusion = calibration = None
        if self._in_split(split, self.id_split):
            confusion = confusion_matrix(prediction, label, num_classes)
            calibration = self._calibrate(logits, prediction == label, is_id, is_ood)
        if self.output_dir is not None:
            save_maps(Path(self.output_dir), img_path, split, prediction, maps)
        return ImageRecord(
            img_path=img_path,
            split=split,
            num_id=int(is_id.sum()),
            num_ood=int(is_ood.sum()),
            confusion=confusion,
            calibration=calibration,
            scores={
                name: record_score(values, is_id, is_ood, self.fpr_rule, self.pooled)
                for name, values in maps.items()
                if scored
            },
        )

    def _find_pixels(self, label: np.ndarray, num_classes: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the masks of in-distribution and of OOD pixels; every label must be known."""
        ood_id = self._meta().get('ood_id')
        if 0 <= self.ignore_index < num_classes or ood_id == self.ignore_index:
            raise ValueError(
                f'`ignore_index` {self.ignore_index} must be neither a class id (0..'
                f'{num_classes - 1}) nor the OOD id ({ood_id})'
            )
        if ood_id is not None and 0 <= ood_id < num_classes:
            raise ValueError(f'`ood_id` {ood_id} must not be a class id (0..{num_classes - 1})')
        is_id = (label >= 0) & (label < num_classes)
        is_ood = np.zeros_like(is_id) if ood_id is None else label == ood_id
        unknown = ~(is_id | is_ood | (label == self.ignore_index))
        if unknown.any():
            raise ValueError(
                f'`gt_sem_seg` holds the unknown ids {np.unique(label[unknown])[:10].tolist()}; '
                f'known are 0..{num_classes - 1}, the OOD id {ood_id} and the ignored id '
                f'{self.ignore_index}'
            )
        return is_id, is_ood

    def _calibrate(
        self, logits: torch.Tensor, correct: np.ndarray, is_id: np.ndarray, is_ood: np.ndarray
    ) -> np.ndarray:
        # An OOD pixel is never correct: its label is no class.
        counted = is_id if self.ece_scope == 'id' else is_id | is_ood
        confidence = top_probability(logits).cpu().numpy()
        return calibration_counts(confidence[counted], correct[counted], self.ece_bins)

    def _split_of(self, sample: Mapping[str, Any]) -> str | None:
        split = sample.get('split')
        if split is None and (self.id_split is not None or self.ood_split is not None):
            raise ValueError(
                '`id_split` and `ood_split` need the split of each image, but the data sample has '
                "no `split`: add 'split' to the `meta_keys` of PackSegInputs in the test pipeline"
            )
        return None if split is None else str(split)

    def _check_splits_seen(self, results: list[ImageRecord]) -> None:
        seen = {r.split for r in results}
        for name, wanted in (('id_split', self.id_split), ('ood_split', self.ood_split)):
            if wanted is not None and wanted not in seen:
                raise ValueError(
                    f'`{name}` is {wanted!r}, but no image of it was seen; splits seen: '
                    f'{sorted(map(str, seen))}'
                )

    @staticmethod
    def _in_split(split: str | None, wanted: str | None) -> bool:
        return wanted is None or split == wanted

    def _meta(self) -> dict[str, Any]:
        if not self.dataset_meta or 'classes' not in self.dataset_meta:
            raise ValueError("the dataset's `metainfo` must hold `classes`")
        return self.dataset_meta

    def _log(self, results: list[ImageRecord], metrics: dict[str, float]) -> None:
        logger = MMLogger.get_current_instance()
        iou = per_class_iou(sum_confusion(results))
        print_log('per class results:\n' + class_table(self._meta()['classes'], iou), logger)
        print_log('uncertainty, in percent:\n' + summary_table(metrics, self.scores), logger)
        if 'AUROC' not in metrics:
            print_log('no OOD pixel was seen: AUPR, AUROC and FPR95 are left out', logger)


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _check_scores(scores: Sequence[str]) -> None:
    """Scores name metric keys and files, so they are plain words; see the class docstring."""
    if isinstance(scores, str) or not isinstance(scores, Sequence) or not scores:
        raise ValueError(f'`scores` must be a non-empty sequence of names, got {scores!r}')
    for name in scores:
        # `pooled/AUPR` must not be ambiguous.
        if not isinstance(name, str) or not name.isidentifier() or name in ('pooled', 'pred'):
            raise ValueError(
                "`scores` must hold names of letters, digits and '_' other than 'pooled' and "
                f"'pred', got {name!r}"
            )
    if len(set(scores)) != len(scores):
        raise ValueError(f'`scores` must not hold a name twice, got {tuple(scores)}')
