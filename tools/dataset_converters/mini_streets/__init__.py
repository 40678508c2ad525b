"""A renderer of street scenes that draws everything itself, without any assets."""

from .config import RenderConfig, StoredId
from .formats import FORMATS
from .render import SPLITS, render_image
from .writer import Settings, open_folder, write_images

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
