"""Hooks of the Runner."""

from .abnn_conversion_hook import ABNNConversionHook
from .checkpoint_members_hook import CheckpointMembersHook
from .fine_tuning_hook import FineTuningHook
from .uncertainty_visualization_hook import UncertaintyVisualizationHook

__all__ = [
    'ABNNConversionHook',
    'CheckpointMembersHook',
    'FineTuningHook',
    'UncertaintyVisualizationHook',
]
