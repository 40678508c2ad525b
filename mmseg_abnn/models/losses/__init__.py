"""Losses."""

from .abnn_loss import ABNNLoss
from .class_weights import draw_eta
from .gaussian_prior import GaussianPrior

__all__ = ['ABNNLoss', 'GaussianPrior', 'draw_eta']
