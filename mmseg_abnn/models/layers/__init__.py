"""Bayesian normalization layers and their noise."""

from .batch_norm import (
    BayesBatchNorm1d,
    BayesBatchNorm2d,
    BayesBatchNorm3d,
    BayesBatchNormXd,
    BayesSyncBatchNorm,
)
from .bnl import BayesianNorm, check_noise_arguments
from .dropout import dropout_layers, hold_dropout
from .forms import bayesian_forms, plain_form
from .group_norm import BayesGroupNorm
from .instance_norm import BayesInstanceNorm1d, BayesInstanceNorm2d, BayesInstanceNorm3d
from .layer_norm import BayesLayerNorm, BayesLayerNorm2d
from .noise import NOISE_SHAPES, Draw, DrawMemory, bayesian_layers, hold_draw, noise_off

__all__ = [
    'NOISE_SHAPES',
    'BayesBatchNorm1d',
    'BayesBatchNorm2d',
    'BayesBatchNorm3d',
    'BayesBatchNormXd',
    'BayesGroupNorm',
    'BayesInstanceNorm1d',
    'BayesInstanceNorm2d',
    'BayesInstanceNorm3d',
    'BayesLayerNorm',
    'BayesLayerNorm2d',
    'BayesSyncBatchNorm',
    'BayesianNorm',
    'Draw',
    'DrawMemory',
    'bayesian_forms',
    'bayesian_layers',
    'check_noise_arguments',
    'dropout_layers',
    'hold_draw',
    'hold_dropout',
    'noise_off',
    'plain_form',
]
