"""Pictures and tables of results."""

from .curves import (
    precision_recall_figure,
    reliability_figure,
    risk_coverage_figure,
    roc_figure,
    score_distribution_figure,
)
from .panels import Scene, color_labels, color_map, scene_figure, uncertainty_panel
from .report import comparison_table

__all__ = [
    'Scene',
    'color_labels',
    'color_map',
    'comparison_table',
    'precision_recall_figure',
    'reliability_figure',
    'risk_coverage_figure',
    'roc_figure',
    'scene_figure',
    'score_distribution_figure',
    'uncertainty_panel',
]
