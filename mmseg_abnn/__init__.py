"""ABNN for MMSegmentation: make a trained segmentor Bayesian in its normalization layers.

Importing this package registers its layers, losses, segmentors, hooks, datasets and metrics with
MMSegmentation, lets configs inherit from ``mmseg::...`` and ``mmseg_abnn::...``, and keeps
MMEngine's functions that replace normalization layers from dropping their noise.
"""

from .compat import (
    check_stack,
    enable_mmseg_config_inheritance,
    enable_own_config_inheritance,
)

__version__ = '0.1.0'

check_stack()
enable_mmseg_config_inheritance()
enable_own_config_inheritance()

from . import datasets, engine, evaluation, models  # noqa: E402
from .apis import predict_mean  # noqa: E402
from .conversion import (  # noqa: E402
    ConversionReport,
    convert_to_abnn,
    install_guards,
    revert_abnn,
)
from .engine.entry_points import guard_entry_points  # noqa: E402
from .models import losses, segmentors  # noqa: E402
from .models.layers import (  # noqa: E402
    BayesBatchNorm1d,
    BayesBatchNorm2d,
    BayesBatchNorm3d,
    BayesGroupNorm,
    BayesInstanceNorm1d,
    BayesInstanceNorm2d,
    BayesInstanceNorm3d,
    BayesLayerNorm,
    BayesLayerNorm2d,
    BayesSyncBatchNorm,
    Draw,
    hold_draw,
    noise_off,
)

install_guards()
guard_entry_points()

__all__ = [
    'BayesBatchNorm1d',
    'BayesBatchNorm2d',
    'BayesBatchNorm3d',
    'BayesGroupNorm',
    'BayesInstanceNorm1d',
    'BayesInstanceNorm2d',
    'BayesInstanceNorm3d',
    'BayesLayerNorm',
    'BayesLayerNorm2d',
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
    'noise_off',
    'predict_mean',
    'revert_abnn',
    'segmentors',
]
