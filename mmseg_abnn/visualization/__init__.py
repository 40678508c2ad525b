"""Pictures and tables of results."""

from .panels import Scene, color_labels, color_map, scene_figure, uncertainty_panel
from .report import comparison_table

__all__ = [
    'Scene',
    'color_labels',
    'color_map',
    'comparison_table',
    'scene_figure',
    'uncertainty_panel',
]
