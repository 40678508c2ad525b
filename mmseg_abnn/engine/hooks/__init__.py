"""Hooks of the Runner."""

from .abnn_conversion_hook import ABNNConversionHook
from .uncertainty_visualization_hook import UncertaintyVisualizationHook
from .weights_check_hook import WeightsCheckHook

__all__ = ['ABNNConversionHook', 'UncertaintyVisualizationHook', 'WeightsCheckHook']
