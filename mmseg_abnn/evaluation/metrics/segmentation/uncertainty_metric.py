"""MMEngine metric for segmentation with uncertainty: mIoU, calibration and OOD detection."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dist import get_dist_info
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger, print_log
from mmseg.registry import METRICS

from ....datasets.batch_sizes import check_equal_sizes
from ....datasets.ood_ids import check_ood_ids
from ...functional.scores import score_range
from ...pooled.score_grid import FINEST
from ...saved_predictions import CHALLENGE_SCORE, PredictionWriter
from ...score_maps import check_format
from ..common.inputs import check_shared_arguments, is_int
from ..common.results import Row
from .counts import Evidence, PooledCounts
from .measure import measure_image
from .report import write_plots, write_report
from .samples import read_labels, read_prediction, read_score
from .settings import ECE_SCOPES, Counted, Settings
from .summary import summarize, summarize_classes
from .tables import class_table, summary_table, undefined_numbers
from .unlabelled import NO_LABELS, has_labels, labelled


@dataclass
class _Share:
    """What one process has measured: the rows of its images in order, and its counts."""

    rows: list[Row]
    counts: PooledCounts


@METRICS.register_module()
class UncertaintyMetric(BaseMetric):
    """Segmentation quality, calibration and pixel-wise OOD detection of one predictive model.

    The classes and the ids of OOD pixels come from the dataset's ``metainfo`` (``classes``, and
    ``ood_id``, one or several) and from ``ood_ids``; without an id no pixel is OOD. A single class
    says that labels tell only in-distribution from OOD pixels: OOD detection is measured then, and
    nothing else. The predictive distribution is what the model
    puts into a data sample as ``probabilities``, as ``MCEncoderDecoder`` does, else softmax of its
    ``seg_logits``; a score that it puts into ``uncertainty`` is not computed again. All numbers are
    in percent, unrounded, except NLL (nats) and the Brier score (0 to 2):

    - ``mIoU``: over in-distribution classes (but those that the ``metainfo`` names in
      ``not_in_miou``), and ``aAcc``: share of in-distribution pixels that are
      predicted right; both from the confusion matrix of all images;
    - ``ECE``, ``MCE``: expected and maximum calibration error of each image, then the mean;
      ``ECE_all`` (with ``ece_scope='all'``: ``ECE_id``) the ECE of the other scope; ``NLL`` and
      ``Brier`` of the in-distribution pixels; ``pooled/ECE``, ...: of all pixels;
    - ``pooled/AURC``: area under the risk-coverage curve of the in-distribution pixels;
    - ``AUPR``, ``AUROC``, ``FPR95``: OOD detection by the first score, exactly on each image, then
      the mean; ``pooled/AUPR``, ...: one curve over all pixels, the middle of certified bounds that
      are at most ``pooled/gap`` apart; ``<score>/AUPR``, ``pooled/<score>/AUPR``, ...: the same by
      the further scores;
    - ``num_images``, and among the images for OOD detection ``num_images_without_ood`` and
      ``num_images_without_id`` (no OOD pixel, and nothing else): both kinds are left out of the
      image means of OOD detection, and are part of the pooled curves.

    What is undefined is left out: AUPR, AUROC and FPR95 if there is no OOD pixel at all, their
    image means if no image holds pixels of both kinds. Of images without labels nothing is measured
    but ``num_images``; predictions and maps are written.

    An image costs one row of numbers, and all pixels together the counts of a
    :class:`~mmseg_abnn.evaluation.functional.ScoreHistogram` per score, so memory does not grow
    with the number of pixels. Results do not depend, in any bit, on the batch size and the number
    of processes; images that the sampler repeats to give all processes equally many are counted
    once.

    Args:
        scores: Names of the uncertainty scores; the first one heads the table. From the predictive
            distribution: ``'msp'``, ``'entropy'``; from the logits of a network that does not
            sample: ``'max_logit'`` and ``'energy'``. From the model, as maps in the data sample's
            ``uncertainty``: any name; ``MCEncoderDecoder`` gives all of these and
            ``'expected_entropy'``, ``'mutual_information'`` and ``'variation_ratio'``.
        id_split: mIoU and calibration are measured on the images of this split; None: on all. The
            split of an image is the ``split`` of its data sample; if that says nothing, an image is
            of the split if it lies in a folder of this name.
        ood_split: OOD detection is measured on the images of this split; None: on all images.
        ece_bins: Number of bins of the calibration errors.
        ece_scope: ``'id'``: calibration on in-distribution pixels; ``'all'``: on OOD pixels too,
            which count as errors.
        fpr_rule: ``'first'`` or ``'nearest'``, see
            :func:`~mmseg_abnn.evaluation.functional.fpr_at_recall`.
        ignore_index: Label of pixels that count nowhere.
        ood_ids: Labels of OOD pixels after loading, beside those of the dataset's ``metainfo``.
        pooled: Whether to compute the pooled curves of OOD detection.
        histogram_bits: Resolution of the pooled curves, see ``ScoreHistogram``: one less halves
            their memory and doubles the distance of the bounds.
        output_dir: If given, ``<name>_pred.png`` (class ids) and a map ``<name>_<score>`` for each
            score are written there. ``<name>`` is the path of the image below its data, without
            suffix, where a test tells ``output_names``, as ``tools/test.py`` does; else below the
            working directory. That two images have one name is an error.
        output_format: Of the maps: ``'npy'`` (float32), ``'png'`` (16 bits, with the range in the
            file) or ``'pth'`` of the MUAD challenge (``<name>.pth`` with the prediction and the
            confidence 1 - ``'msp'``), see
            :func:`~mmseg_abnn.evaluation.score_maps.write_score_map`.
        report_dir: If given, the main process writes there ``report.json`` (all numbers with
            bounds, classes and settings), ``per_image.csv`` and ``per_image.jsonl``,
            ``per_class.csv``, and plots: ROC, precision-recall, distributions of the scores,
            reliability diagram, risk-coverage curve.
        keep_results: No effect; MMSegmentation's ``tools/test.py --out`` sets it.
        collect_device: Where results of several processes are collected, ``'cpu'`` or ``'gpu'``.
        collect_dir: Folder for collecting with ``'cpu'``, shared by all processes.
        prefix: Put in front of the metric names, with ``/``.

    Raises:
        ValueError: If an argument is not allowed.
    """

    default_prefix = ''  # none, which MMEngine does not warn of

    def __init__(
        self,
        scores: Sequence[str] = ('msp', 'entropy'),
        id_split: str | None = None,
        ood_split: str | None = None,
        ece_bins: int = 15,
        ece_scope: str = 'id',
        fpr_rule: str = 'first',
        ignore_index: int = 255,
        ood_ids: int | Sequence[int] | None = None,
        pooled: bool = True,
        histogram_bits: int = FINEST,
        output_dir: str | None = None,
        output_format: str = 'npy',
        report_dir: str | None = None,
        keep_results: bool = False,
        collect_device: str = 'cpu',
        collect_dir: str | None = None,
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix, collect_dir=collect_dir)
        check_shared_arguments(scores, ece_bins, fpr_rule, collect_device)
        if ece_scope not in ECE_SCOPES:
            raise ValueError(f'`ece_scope` must be one of {ECE_SCOPES}, got {ece_scope!r}')
        if not is_int(ignore_index):
            raise ValueError(f'`ignore_index` must be an integer, got {ignore_index!r}')
        if not isinstance(pooled, bool):
            raise ValueError(f'`pooled` must be True or False, got {pooled!r}')
        if not is_int(histogram_bits) or not 1 <= histogram_bits <= FINEST:
            raise ValueError(
                f'`histogram_bits` must be an integer from 1 to {FINEST}, got {histogram_bits!r}'
            )
        for name, value in (
            ('id_split', id_split),
            ('ood_split', ood_split),
            ('output_dir', output_dir),
            ('report_dir', report_dir),
        ):
            if value is not None and not (isinstance(value, str) and value):
                raise ValueError(f'`{name}` must be None or a non-empty string, got {value!r}')
        check_format('output_format', output_format)
        if output_format == 'pth' and output_dir is not None and CHALLENGE_SCORE not in scores:
            raise ValueError(
                f"`output_format` 'pth' needs {CHALLENGE_SCORE!r} in `scores`, got {tuple(scores)}"
            )
        self.settings = Settings(tuple(scores), ece_bins, ece_scope, fpr_rule, pooled)
        self.id_split = id_split
        self.ood_split = ood_split
        self.ignore_index = ignore_index
        self.ood_ids = check_ood_ids('ood_ids', ood_ids)
        self.histogram_bits = histogram_bits
        self.output_dir = output_dir
        self.output_format = output_format
        self.report_dir = report_dir
        self.output_names: Mapping[str, str] | None = None
        self.not_measured: str | None = None
        self._writer: PredictionWriter | None = None
        self._rows: list[Row] = []
        self._counts: PooledCounts | None = None
        # Of the last image, which may be a repeated one: known when all images have come.
        self._pending: Evidence | None = None

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Measure each image of a batch.

        Args:
            data_batch: What the dataloader gave, with the images in ``inputs``; or None.
            data_samples: Per image a dict with ``seg_logits`` (K, H, W), ``pred_sem_seg`` and
                ``gt_sem_seg`` (H, W) or (1, H, W), each as ``{'data': tensor}``, and ``img_path``;
                optionally ``probabilities`` (K, H, W), as ``{'data': tensor}``, ``split``, and
                ``uncertainty``, a mapping from names to maps. Without ``seg_logits`` (saved
                predictions) the maps must hold all scores, and calibration is measured if
                ``'msp'`` is among them; without ``pred_sem_seg`` only OOD detection is. Without
                ``gt_sem_seg`` in any sample nothing is measured.

        Raises:
            ValueError: If a data sample lacks what is needed, holds a label that is none of the
                classes, the OOD ids and ``ignore_index``, or a score that is not finite (the
                message names the image); or if the images of the batch differ in size.
        """
        check_equal_sizes(data_batch)
        for sample in data_samples:
            try:
                row, evidence = self._measure(sample)
            except ValueError as error:
                raise ValueError(f'{sample.get("img_path", "unnamed image")}: {error}') from error
            self._settle()
            self._rows.append(row)
            self._pending = evidence

    def evaluate(self, size: int) -> dict[str, float]:
        """Bring the processes together and compute the numbers; then start anew.

        Args:
            size: Number of images of the dataset. MMEngine's sampler gives process r of W the
                images r, r + W, ...; a last one beyond ``size`` is a repeated image.

        Returns:
            The numbers listed in the class docstring.

        Raises:
            RuntimeError: If more than one image of this process lies beyond ``size``.
        """
        rank, world_size = get_dist_info()
        expected = len(range(rank, size, world_size))
        if len(self._rows) > expected + 1:
            raise RuntimeError(
                f'the dataset has {size} images, of which process {rank} of {world_size} should '
                f'see {expected}, and at most one repeated image; it saw {len(self._rows)}. Use '
                'the DefaultSampler of MMEngine'
            )
        if len(self._rows) <= expected:
            self._settle()
        counts = self._counts or self._new_counts()
        share = _Share(self._rows[:expected], counts)
        self._rows, self._counts, self._pending = [], None, None
        self._writer, self.not_measured = None, None
        self.results[:] = [share]
        return super().evaluate(world_size)

    def compute_metrics(self, results: list[_Share]) -> dict[str, float]:
        """Sum up the processes, log the tables and return the numbers of the class docstring.

        Args:
            results: The shares of all processes, in their order.

        Raises:
            ValueError: If ``id_split`` or ``ood_split`` was never seen, ``ood_split`` holds no OOD
                pixel, or nothing can be measured.
        """
        length = max(len(share.rows) for share in results)
        rows = [share.rows[i] for i in range(length) for share in results if i < len(share.rows)]
        if not labelled(rows):
            return self._without_labels(rows)
        counts = results[0].counts
        for share in results[1:]:
            counts += share.counts
        counted = self._counted()
        metrics, bounds = summarize(rows, counts, self.settings, counted)
        classes: list[Row] = []
        if counted.num_classes is not None:
            classes = summarize_classes(counted.classes, counts, self.settings)
        self._log(metrics, bounds, classes)
        if self.report_dir is not None:
            folder = Path(self.report_dir)
            write_report(folder, metrics, bounds, rows, classes, self.settings)
            write_plots(folder, counts, self.settings)
        return metrics

    def _measure(self, sample: Mapping[str, Any]) -> tuple[Row, Evidence | None]:
        if 'img_path' not in sample:
            raise ValueError(f'the data sample has no `img_path`, only {sorted(sample)}')
        counted, settings = self._counted(), self.settings
        img_path = str(sample['img_path'])
        if not has_labels(sample, self._rows):
            if self.output_dir is not None:
                classes = read_labels(sample, 'pred_sem_seg') if 'pred_sem_seg' in sample else None
                maps = {name: read_score(sample, name) for name in settings.scores}
                self._save(img_path, classes, maps)
            return {'img_path': img_path, 'split': sample.get('split')}, None
        split = counted.split_of(sample)
        needed = counted.for_detection(split) or self.output_dir is not None
        prediction = read_prediction(sample, counted.num_classes, settings.scores if needed else ())
        row, evidence = measure_image(prediction, split, settings, counted)
        if self.output_dir is not None:
            self._save(img_path, prediction.classes, prediction.maps)
        return {'img_path': img_path, 'split': split, **row}, evidence

    def _save(
        self, img_path: str, classes: np.ndarray | None, maps: Mapping[str, np.ndarray]
    ) -> None:
        if self._writer is None:
            self._writer = PredictionWriter(
                str(self.output_dir), self.output_format, self.output_names
            )
        number = self._counted().num_classes
        # labels that know no classes leave the scale of a map to what it holds
        limits = {name: score_range(name, number) for name in maps} if number else {}
        known = {name: limit for name, limit in limits.items() if limit is not None}
        self._writer.write(img_path, classes, maps, known)

    def _without_labels(self, rows: Sequence[Row]) -> dict[str, float]:
        """Say that nothing was measured, and write which images were seen."""
        self.not_measured = NO_LABELS
        print_log(NO_LABELS, MMLogger.get_current_instance(), logging.WARNING)
        metrics = {'num_images': float(len(rows))}
        if self.report_dir is not None:
            folder = Path(self.report_dir)
            write_report(folder, metrics, {}, rows, [], self.settings, NO_LABELS)
        return metrics

    def _settle(self) -> None:
        """Count the pixels of the image that came last."""
        if self._pending is not None:
            self._counts = self._counts or self._new_counts()
            self._counts.add(self._pending)
            self._pending = None

    def _new_counts(self) -> PooledCounts:
        curves = self.settings.pooled and labelled(self._rows[:1])
        return PooledCounts(
            len(self._counted().classes),
            self.settings.ece_bins,
            self.settings.scores if curves else (),
            self.histogram_bits,
        )

    def _counted(self) -> Counted:
        return Counted.of_dataset(
            self.dataset_meta, self.ignore_index, self.id_split, self.ood_split, self.ood_ids
        )

    def _log(
        self, metrics: dict[str, float], bounds: dict[str, Any], classes: Sequence[Row]
    ) -> None:
        logger = MMLogger.get_current_instance()
        if 'aAcc' in metrics:
            print_log('per class results:\n' + class_table(classes), logger)
        table = summary_table(metrics, self.settings.scores, bounds)
        print_log('uncertainty, in percent:\n' + table, logger)
        for text in undefined_numbers(metrics, self._counted()):
            print_log(text, logger)
