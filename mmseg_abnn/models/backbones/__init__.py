"""Backbones for classification; they need MMPretrain, so nothing else imports this package.

A config names it in ``custom_imports``.
"""

from .wide_resnet import WideResNet, WideResNet28x10

__all__ = ['WideResNet', 'WideResNet28x10']
