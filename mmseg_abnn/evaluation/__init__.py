"""Evaluation: pure functions in ``functional``, MMEngine metrics in ``metrics``."""

from .metrics import ClassificationUncertaintyMetric, UncertaintyMetric

__all__ = ['ClassificationUncertaintyMetric', 'UncertaintyMetric']
