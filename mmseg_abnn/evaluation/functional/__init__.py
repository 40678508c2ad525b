"""Pure functions on arrays and count tables; nothing here needs MMSegmentation."""

from .calibration import (
    ReliabilityCurve,
    adaptive_calibration_error,
    calibration_counts,
    ece_from_counts,
    expected_calibration_error,
    maximum_calibration_error,
    mce_from_counts,
    reliability_curve,
)
from .curves import (
    FPR_RULES,
    BestF1,
    DetectionMetrics,
    PrecisionRecallCurve,
    RocCurve,
    average_precision,
    best_f1,
    detection_metrics,
    fpr_at_recall,
    precision_recall_curve,
    roc_auc,
    roc_curve,
)
from .histogram import ScoreCells, ScoreHistogram
from .proper_scores import brier_score, negative_log_likelihood
from .scores import energy, max_logit, msp, predictive_entropy, top_probability, variation_ratio
from .segmentation import confusion_matrix, mean_iou, per_class_iou
from .selective import RiskCoverageCurve, aurc, aurc_bounds, risk_coverage_curve
from .temperature import TEMPERATURE_LIMITS, fit_temperature

__all__ = [
    'FPR_RULES',
    'TEMPERATURE_LIMITS',
    'BestF1',
    'DetectionMetrics',
    'PrecisionRecallCurve',
    'ReliabilityCurve',
    'RiskCoverageCurve',
    'RocCurve',
    'ScoreCells',
    'ScoreHistogram',
    'adaptive_calibration_error',
    'aurc',
    'aurc_bounds',
    'average_precision',
    'best_f1',
    'brier_score',
    'calibration_counts',
    'confusion_matrix',
    'detection_metrics',
    'ece_from_counts',
    'energy',
    'expected_calibration_error',
    'fit_temperature',
    'fpr_at_recall',
    'max_logit',
    'maximum_calibration_error',
    'mce_from_counts',
    'mean_iou',
    'msp',
    'negative_log_likelihood',
    'per_class_iou',
    'precision_recall_curve',
    'predictive_entropy',
    'reliability_curve',
    'risk_coverage_curve',
    'roc_auc',
    'roc_curve',
    'top_probability',
    'variation_ratio',
]
