"""Pure functions on arrays and count tables; nothing here needs MMSegmentation."""

from .calibration import calibration_counts, ece_from_counts, expected_calibration_error
from .curves import (
    FPR_RULES,
    DetectionMetrics,
    average_precision,
    detection_metrics,
    fpr_at_recall,
    roc_auc,
)
from .scores import msp, predictive_entropy, top_probability
from .segmentation import confusion_matrix, mean_iou, per_class_iou

__all__ = [
    'FPR_RULES',
    'DetectionMetrics',
    'average_precision',
    'calibration_counts',
    'confusion_matrix',
    'detection_metrics',
    'ece_from_counts',
    'expected_calibration_error',
    'fpr_at_recall',
    'mean_iou',
    'msp',
    'per_class_iou',
    'predictive_entropy',
    'roc_auc',
    'top_probability',
]
