"""ABNN for MMSegmentation: make a trained segmentor Bayesian in its normalization layers.

Importing this package registers its layers, losses, segmentors, hooks, datasets and metrics with
MMSegmentation, lets configs inherit from ``mmseg::...`` and ``mmseg_abnn::...``, and keeps
MMEngine's functions that replace normalization layers from dropping their noise. Only in the
process of the command ``mmseg-abnn`` this waits until the command has read its arguments, see
``startup.py``.
"""

from .startup import import_waits

__version__ = '0.1.0'

if not import_waits():
    from . import registration  # noqa: F401  before all others
    from . import datasets, engine, evaluation, models  # isort: skip
    from .apis import predict_mean
    from .conversion import ConversionReport, convert_to_abnn, revert_abnn
    from .models import losses, segmentors
    from .models.layers import (
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
