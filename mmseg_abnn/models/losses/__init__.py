"""Losses."""

from .abnn_loss import ABNNLoss, draw_eta

__all__ = ['ABNNLoss', 'draw_eta']
