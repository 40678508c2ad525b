"""Pictures of scenes and data sets."""

from .curves import (
    precision_recall_figure,
    reliability_figure,
    risk_coverage_figure,
    roc_figure,
    score_distribution_figure,
)
from .panels import Scene, color_labels, color_map, scene_figure, uncertainty_panel

__all__ = [
    'Scene',
    'color_labels',
    'color_map',
    'precision_recall_figure',
    'reliability_figure',
    'risk_coverage_figure',
    'roc_figure',
    'scene_figure',
    'score_distribution_figure',
    'uncertainty_panel',
]
