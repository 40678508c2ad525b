"""A renderer of street scenes that draws everything itself, without any assets."""

from mmseg_abnn.datasets.rendering.config import RenderConfig, StoredId
from mmseg_abnn.datasets.rendering.formats import FORMATS
from mmseg_abnn.datasets.rendering.render import SPLITS, render_image
from mmseg_abnn.datasets.rendering.writer import Settings, open_folder, write_images

__all__ = [
    'FORMATS',
    'SPLITS',
    'RenderConfig',
    'Settings',
    'StoredId',
    'open_folder',
    'render_image',
    'write_images',
]
