"""ABNN for MMSegmentation: make a trained segmentor Bayesian in its normalization layers.

Importing this package registers its layers, losses, segmentors, hooks, datasets and metrics with
MMSegmentation, and lets configs inherit from ``mmseg::...``.
"""

from .compat import check_stack, enable_mmseg_config_inheritance

__version__ = '0.1.0'

check_stack()
enable_mmseg_config_inheritance()

from . import datasets, engine, evaluation, models  # noqa: E402
from .conversion import ConversionReport, convert_to_abnn  # noqa: E402
from .models import losses, segmentors  # noqa: E402
from .models.layers import (  # noqa: E402
    BayesBatchNorm1d,
    BayesBatchNorm2d,
    BayesBatchNorm3d,
    BayesSyncBatchNorm,
    Draw,
    hold_draw,
)

__all__ = [
    'BayesBatchNorm1d',
    'BayesBatchNorm2d',
    'BayesBatchNorm3d',
    'BayesSyncBatchNorm',
    'ConversionReport',
    'Draw',
    '__version__',
    'convert_to_abnn',
    'datasets',
    'engine',
    'evaluation',
    'hold_draw',
    'losses',
    'models',
    'segmentors',
]
