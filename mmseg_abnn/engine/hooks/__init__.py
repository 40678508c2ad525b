"""Hooks of the Runner."""

from .abnn_conversion_hook import ABNNConversionHook, check_weights_arrive
from .uncertainty_visualization_hook import UncertaintyVisualizationHook

__all__ = ['ABNNConversionHook', 'UncertaintyVisualizationHook', 'check_weights_arrive']
