"""Bayesian normalization layers and their noise."""

from .bnl import (
    BAYESIAN_FORMS,
    BayesBatchNorm1d,
    BayesBatchNorm2d,
    BayesBatchNorm3d,
    BayesBatchNormXd,
    BayesianNorm,
    BayesSyncBatchNorm,
    check_noise_arguments,
)
from .noise import NOISE_SHAPES, Draw, bayesian_layers, hold_draw

__all__ = [
    'BAYESIAN_FORMS',
    'NOISE_SHAPES',
    'BayesBatchNorm1d',
    'BayesBatchNorm2d',
    'BayesBatchNorm3d',
    'BayesBatchNormXd',
    'BayesSyncBatchNorm',
    'BayesianNorm',
    'Draw',
    'bayesian_layers',
    'check_noise_arguments',
    'hold_draw',
]
