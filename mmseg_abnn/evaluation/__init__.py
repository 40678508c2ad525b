"""Evaluation: pure functions in ``functional``, MMEngine metrics in ``metrics``."""

from .metrics import UncertaintyMetric

__all__ = ['UncertaintyMetric']
