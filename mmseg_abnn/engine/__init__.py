"""What plugs into the Runner of MMEngine."""

from .cpu_amp import CPUAmpOptimWrapper
from .hooks import (
    ABNNConversionHook,
    CheckpointMembersHook,
    FineTuningHook,
    UncertaintyVisualizationHook,
)

__all__ = [
    'ABNNConversionHook',
    'CPUAmpOptimWrapper',
    'CheckpointMembersHook',
    'FineTuningHook',
    'UncertaintyVisualizationHook',
]
