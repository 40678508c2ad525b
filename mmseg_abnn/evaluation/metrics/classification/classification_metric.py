"""MMEngine metric for classification with uncertainty: accuracy, calibration, OOD detection."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger, print_log
from mmengine.registry import METRICS

from ....datasets.batch_sizes import check_equal_sizes
from ..common.inputs import check_shared_arguments
from ..common.results import REPORT_FILE, Row, with_words, write_csv, write_files, write_json
from .samples import COLUMNS, image_name, read_image
from .summary import ClassificationSettings, classification_table, summarize_images


@METRICS.register_module()
class ClassificationUncertaintyMetric(BaseMetric):
    """Accuracy, calibration and OOD detection of a predictive model that classifies images.

    ``pred_score`` is the predictive distribution. An image with the name of an OOD set in
    ``ood_set`` belongs to no class; all others are in-distribution. All numbers are in percent,
    unrounded, except NLL (nats) and the Brier score (0 to 2):

    - ``accuracy``, ``ECE`` and ``MCE`` (expected and maximum calibration error), ``NLL`` and
      ``Brier``: of the in-distribution images;
    - ``<set>/AUPR``, ``<set>/AUROC``, ``<set>/FPR95``: detection of the images of an OOD set among
      the in-distribution images by the first score, exactly; OOD is the positive class;
      ``<set>/<score>/AUPR``, ...: the same by the further scores;
    - ``num_images``: number of in-distribution images; ``<set>/num_images``: of an OOD set.

    What is undefined is left out: without OOD images (a validation during training) the second
    kind, without in-distribution images the first and the second.

    The dataset's ``metainfo`` may name in ``ood_sets`` the OOD sets that must be seen; without it
    those that are seen count. If it holds ``classes``, their number is checked.

    It needs MMEngine only: MMPretrain finds it by its name.

    Args:
        scores: Names of the uncertainty scores; the first one heads the table. From
            ``pred_score``: ``'msp'`` and ``'entropy'``. From the model, in the data sample's
            ``uncertainty``: any name; ``MCImageClassifier`` gives ``'expected_entropy'``,
            ``'mutual_information'``, ``'variation_ratio'``, ``'max_logit'`` and ``'energy'``.
        ece_bins: Number of bins of the calibration errors.
        fpr_rule: ``'first'`` or ``'nearest'``, see
            :func:`~mmseg_abnn.evaluation.functional.fpr_at_recall`.
        report_dir: If given, the main process writes there ``report.json`` (all numbers and the
            settings) and ``per_image.csv``.
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
        ece_bins: int = 15,
        fpr_rule: str = 'first',
        report_dir: str | None = None,
        collect_device: str = 'cpu',
        collect_dir: str | None = None,
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix, collect_dir=collect_dir)
        check_shared_arguments(scores, ece_bins, fpr_rule, collect_device)
        taken = [name for name in scores if name in COLUMNS]
        if taken:
            raise ValueError(f'`scores` must not hold the column names {COLUMNS}, got {taken}')
        if report_dir is not None and not (isinstance(report_dir, str) and report_dir):
            raise ValueError(f'`report_dir` must be None or a non-empty string, got {report_dir!r}')
        self.settings = ClassificationSettings(tuple(scores), ece_bins, fpr_rule)
        self.report_dir = report_dir

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Measure each image of a batch.

        Args:
            data_batch: What the dataloader gave, with the images in ``inputs``; or None.
            data_samples: Per image a dict with ``pred_score`` (K,), the mean probabilities, and
                ``gt_label`` (1,) or ``ood_set``, the name of an OOD set ('' is none; a label
                beside it counts nowhere). Optionally ``pred_label`` (1,), else the most probable
                class; ``log_score`` (K,), the logarithm of ``pred_score``, for an NLL that knows
                probabilities that underflowed; ``uncertainty``, a mapping from names to values;
                ``img_path`` and ``sample_idx``.

        Raises:
            ValueError: If a data sample lacks what is needed, or holds a label that is no class, a
                ``pred_score`` that is no distribution, or a score that is not finite. The message
                names the image. Also if the images of the batch differ in size.
        """
        check_equal_sizes(data_batch)
        classes = (self.dataset_meta or {}).get('classes')
        num_classes = None if classes is None else len(classes)
        for sample in data_samples:
            try:
                row = read_image(sample, num_classes, self.settings.scores)
            except ValueError as error:
                name = image_name(sample, len(self.results))
                raise ValueError(f'{name}: {error}') from error
            self.results.append(row)

    def compute_metrics(self, results: list[Row]) -> dict[str, float]:
        """Log the tables, write the report and return the numbers of the class docstring.

        Args:
            results: The rows of all images, as the dataset orders them.

        Raises:
            ValueError: If there is no image, or the OOD sets are not those of the ``metainfo``.
        """
        if not results:
            raise ValueError('no image was seen')
        ood_sets = self._ood_sets(results)
        metrics = summarize_images(results, ood_sets, self.settings)
        self._log(metrics, ood_sets)
        if self.report_dir is not None:
            content = {'metrics': with_words(metrics), 'settings': asdict(self.settings)}
            writers: dict[str, Callable[[Path], None]] = {
                REPORT_FILE: lambda file: write_json(file, content),
                'per_image.csv': lambda file: write_csv(file, results),
            }
            write_files(Path(self.report_dir), writers)
        return metrics

    def _ood_sets(self, rows: Sequence[Row]) -> list[str]:
        """Return the names of the OOD sets in the order of the ``metainfo``, or as they came."""
        seen = list(dict.fromkeys(row['ood_set'] for row in rows if row['ood_set']))
        announced = (self.dataset_meta or {}).get('ood_sets')
        if announced is None:
            return seen
        missing = [name for name in announced if name not in seen]
        if missing:
            raise ValueError(
                f"no image was seen of the OOD sets {missing} that the dataset's `ood_sets` names; "
                f'sets seen: {seen}'
            )
        unknown = [name for name in seen if name not in announced]
        if unknown:
            raise ValueError(
                f"images of the OOD sets {unknown} were seen, but the dataset's `ood_sets` names "
                f'{list(announced)}'
            )
        return list(announced)

    def _log(self, metrics: dict[str, float], ood_sets: Sequence[str]) -> None:
        logger = MMLogger.get_current_instance()
        table = classification_table(metrics, ood_sets, self.settings.scores)
        print_log('classification, in percent:\n' + table, logger)
        if not ood_sets:
            print_log('no OOD image was seen: AUPR, AUROC and FPR95 are undefined', logger)
        if not metrics['num_images']:
            print_log(
                'no in-distribution image was seen: all numbers are undefined, those of OOD '
                'detection too',
                logger,
                logging.WARNING,
            )
