"""Bayesian normalization layers and their noise: draws, the layers, the holding of draws."""

from .bnl import BayesianNorm, bayesian_layers, check_noise_arguments, noise_facts
from .draws import NOISE_SHAPES, Draw, DrawMemory
from .dropout import dropout_layers, hold_dropout
from .holding import evaluating, hold_alpha, hold_draw, hold_numbers, noise_off, numbers_of
from .norms import (
    BayesBatchNorm1d,
    BayesBatchNorm2d,
    BayesBatchNorm3d,
    BayesBatchNormXd,
    BayesGroupNorm,
    BayesInstanceNorm1d,
    BayesInstanceNorm2d,
    BayesInstanceNorm3d,
    BayesLayerNorm,
    BayesLayerNorm2d,
    BayesSyncBatchNorm,
    bayesian_forms,
    plain_form,
)

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
    'evaluating',
    'hold_alpha',
    'hold_draw',
    'hold_dropout',
    'hold_numbers',
    'noise_facts',
    'noise_off',
    'numbers_of',
    'plain_form',
]
