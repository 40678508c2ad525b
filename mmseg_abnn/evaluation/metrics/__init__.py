"""MMEngine metrics."""

from .classification.classification_metric import ClassificationUncertaintyMetric
from .segmentation.uncertainty_metric import UncertaintyMetric

__all__ = ['ClassificationUncertaintyMetric', 'UncertaintyMetric']
