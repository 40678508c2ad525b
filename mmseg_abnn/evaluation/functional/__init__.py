"""Pure functions on arrays and count tables; nothing here needs MMSegmentation."""

from ..arrays import FPR_RULES
from ..pooled import ScoreCells, ScoreHistogram, aurc_bounds
from .calibration import (
    ReliabilityCurve,
    calibration_counts,
    ece_from_counts,
    expected_calibration_error,
    mce_from_counts,
    reliability_curve,
)
from .detection import (
    DetectionMetrics,
    average_precision,
    detection_metrics,
    fpr_at_recall,
    roc_auc,
)
from .proper_scores import negative_log_likelihood, squared_error
from .scores import energy, entropy, max_logit, variation_ratio
from .segmentation import confusion_matrix, mean_iou, per_class_iou
from .temperature import TEMPERATURE_LIMITS, fit_temperature

__all__ = [
    'FPR_RULES',
    'TEMPERATURE_LIMITS',
    'DetectionMetrics',
    'ReliabilityCurve',
    'ScoreCells',
    'ScoreHistogram',
    'aurc_bounds',
    'average_precision',
    'calibration_counts',
    'confusion_matrix',
    'detection_metrics',
    'ece_from_counts',
    'energy',
    'entropy',
    'expected_calibration_error',
    'fit_temperature',
    'fpr_at_recall',
    'max_logit',
    'mce_from_counts',
    'mean_iou',
    'negative_log_likelihood',
    'per_class_iou',
    'reliability_curve',
    'roc_auc',
    'squared_error',
    'variation_ratio',
]
