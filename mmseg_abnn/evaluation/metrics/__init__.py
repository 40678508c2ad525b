"""MMEngine metrics."""

from .classification_metric import ClassificationUncertaintyMetric
from .uncertainty_metric import UncertaintyMetric

__all__ = ['ClassificationUncertaintyMetric', 'UncertaintyMetric']
