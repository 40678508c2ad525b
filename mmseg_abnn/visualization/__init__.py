"""Pictures of scenes and data sets."""

from .panels import Scene, color_labels, color_map, scene_figure, uncertainty_panel

__all__ = [
    'Scene',
    'color_labels',
    'color_map',
    'scene_figure',
    'uncertainty_panel',
]
