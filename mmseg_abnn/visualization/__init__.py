"""Pictures of scenes and data sets."""

from .colors import color_labels, color_map
from .overlays import uncertainty_overlay, video_frame
from .panels import Scene, scene_figure, uncertainty_panel

__all__ = [
    'Scene',
    'color_labels',
    'color_map',
    'scene_figure',
    'uncertainty_overlay',
    'uncertainty_panel',
    'video_frame',
]
