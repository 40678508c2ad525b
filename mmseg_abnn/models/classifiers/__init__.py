"""Classifiers of MMPretrain, which must be installed to import this."""

from .mc_image_classifier import MCImageClassifier

__all__ = ['MCImageClassifier']
