"""What the uncertainty metric keeps of an image, and how a dataset is summed up from that."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..functional import (
    DetectionMetrics,
    detection_metrics,
    ece_from_counts,
    mean_iou,
)


@dataclass(frozen=True)
class ScoreRecord:
    """One uncertainty score of one image.

    Attributes:
        detection: AUROC, AUPR and FPR95 of the image in [0, 1]; None where the image has no OOD
            or no in-distribution pixel.
        ood: Float32 scores of the OOD pixels, shape (num_ood,); None unless pooled curves are
            wanted.
        id: The same for the in-distribution pixels.
    """

    detection: DetectionMetrics | None
    ood: np.ndarray | None = None
    id: np.ndarray | None = None


@dataclass(frozen=True)
class ImageRecord:
    """One image: its count tables and, per uncertainty score, its detection numbers.

    Attributes:
        img_path: Names the image in messages.
        split: The split that the image belongs to, if the dataset says so.
        num_id: Number of in-distribution pixels.
        num_ood: Number of OOD pixels.
        confusion: Int64 (K, K); None if the image does not count for segmentation.
        calibration: Float64 (bins, 3); None if the image does not count for segmentation.
        scores: Score name to record; empty if the image does not count for OOD detection.
    """

    img_path: str
    split: str | None
    num_id: int
    num_ood: int
    confusion: np.ndarray | None = None
    calibration: np.ndarray | None = None
    scores: dict[str, ScoreRecord] = field(default_factory=dict)


def record_score(
    values: np.ndarray, is_id: np.ndarray, is_ood: np.ndarray, fpr_rule: str, pooled: bool
) -> ScoreRecord:
    """Measure how well one score tells the OOD pixels of an image from the others.

    Args:
        values: Float32 scores of shape (H, W), high where OOD.
        is_id: Boolean (H, W), the in-distribution pixels.
        is_ood: Boolean (H, W), the OOD pixels.
        fpr_rule: See :func:`~mmseg_abnn.evaluation.functional.fpr_at_recall`.
        pooled: Whether to keep the scores of the pixels.
    """
    ood, id_ = values[is_ood], values[is_id]
    detection = None
    if ood.size and id_.size:
        detection = detect(ood, id_, fpr_rule)
    return ScoreRecord(detection, ood, id_) if pooled else ScoreRecord(detection)


def detect(ood: np.ndarray, id_: np.ndarray, fpr_rule: str) -> DetectionMetrics:
    """AUROC, AUPR and FPR95 from the scores of OOD and of in-distribution pixels."""
    positives = np.zeros(ood.size + id_.size, dtype=bool)
    positives[: ood.size] = True
    return detection_metrics(np.concatenate([ood, id_]), positives, rule=fpr_rule)


def sum_confusion(records: Sequence[ImageRecord]) -> np.ndarray:
    """Sum the confusion matrices of the images that count for segmentation."""
    return np.sum([r.confusion for r in records if r.confusion is not None], axis=0)


def summarize_segmentation(records: Sequence[ImageRecord]) -> dict[str, float]:
    """Compute mIoU, the image mean of ECE and the pooled ECE, in percent.

    Images without a pixel that counts for calibration are left out of the image mean.

    Args:
        records: The images; those without a confusion matrix are passed over.

    Raises:
        ValueError: If no image holds a pixel that counts.
    """
    tables = [r.calibration for r in records if r.calibration is not None]
    tables = [table for table in tables if table[:, 0].sum() > 0]
    if not tables:
        raise ValueError('mIoU and ECE are undefined: no labelled in-distribution pixel was seen')
    return {
        'mIoU': 100 * mean_iou(sum_confusion(records)),
        'ECE': 100 * float(np.mean([ece_from_counts(table) for table in tables])),
        'pooled/ECE': 100 * ece_from_counts(np.sum(tables, axis=0)),
    }


def summarize_detection(
    records: Sequence[ImageRecord], scores: Sequence[str], fpr_rule: str, pooled: bool
) -> dict[str, float]:
    """Compute AUPR, AUROC and FPR95 of each score as image means and over all pixels, in percent.

    The numbers of the first score are named ``AUPR``, those of a further one ``<score>/AUPR``; the
    pooled ones have ``pooled/`` in front.

    Args:
        records: The images; those without score records are passed over.
        scores: Names of the scores.
        fpr_rule: See :func:`~mmseg_abnn.evaluation.functional.fpr_at_recall`.
        pooled: Whether the records hold the scores of the pixels.

    Raises:
        ValueError: If no image holds both OOD and in-distribution pixels.
    """
    result: dict[str, float] = {}
    for score in scores:
        kept = [r.scores[score] for r in records if r.scores]
        prefix = key_prefix(score, scores)
        defined = [record.detection for record in kept if record.detection is not None]
        if not defined:
            raise ValueError(
                'the image means of OOD detection are undefined: OOD pixels were seen, but no '
                'image holds both OOD and in-distribution pixels'
            )
        auroc, aupr, fpr = np.mean(defined, axis=0)
        result |= _named(DetectionMetrics(auroc, aupr, fpr), prefix)
        if pooled:
            ood = np.concatenate([r.ood for r in kept if r.ood is not None])
            id_ = np.concatenate([r.id for r in kept if r.id is not None])
            result |= _named(detect(ood, id_, fpr_rule), f'pooled/{prefix}')
    return result


def key_prefix(score: str, scores: Sequence[str]) -> str:
    """What stands before a score's ``AUPR``, ``AUROC`` and ``FPR95``: nothing for the first one."""
    return '' if score == scores[0] else f'{score}/'


def _named(detection: DetectionMetrics, prefix: str) -> dict[str, float]:
    return {
        f'{prefix}AUPR': 100 * float(detection.aupr),
        f'{prefix}AUROC': 100 * float(detection.auroc),
        f'{prefix}FPR95': 100 * float(detection.fpr),
    }
