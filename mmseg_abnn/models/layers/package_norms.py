"""Bayesian forms of normalization layers of timm and torchvision.

Only conversion makes them, out of layers that those packages built. timm's layers with a dropout
and an activation inside keep both: the noise comes before them.
"""

from torch import Tensor, nn

from .bnl import BayesianNorm


class BayesLayerNormNCHW(BayesianNorm, nn.LayerNorm):
    """Bayesian form of ``LayerNorm2d``: over the channels of every pixel of (N, C, H, W)."""

    def forward(self, input: Tensor) -> Tensor:
        """Normalize an image batch (N, C, H, W) and scale its gain by 1 + eps."""
        return super().forward(input.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)

    def feature_shape(self, output: Tensor) -> tuple[int, ...]:
        """Return the shape in which gamma and beta broadcast to one sample of ``output``."""
        return (1, 1, *self.normalized_shape)


class _ThenActivation(BayesianNorm):
    """A normalization that is followed by a dropout and an activation of its own."""

    drop: nn.Module
    act: nn.Module

    def train(self, mode: bool = True) -> '_ThenActivation':
        """Set the training mode; under ``norm_eval`` the dropout's changes all the same."""
        super().train(mode)
        for child in self.children():
            child.train(mode)
        return self

    def forward(self, input: Tensor) -> Tensor:
        """Normalize, scale the gain by 1 + eps, drop and activate."""
        return self.act(self.drop(super().forward(input)))


class BayesBatchNormAct2d(_ThenActivation, nn.BatchNorm2d):
    """Bayesian form of timm's ``BatchNormAct2d``."""


class BayesGroupNormAct(_ThenActivation, nn.GroupNorm):
    """Bayesian form of timm's ``GroupNormAct`` and ``GroupNorm1Act``."""


class BayesLayerNormAct(_ThenActivation, nn.LayerNorm):
    """Bayesian form of timm's ``LayerNormAct``, for inputs (N, ..., *normalized_shape)."""

    def feature_shape(self, output: Tensor) -> tuple[int, ...]:
        """Return the shape in which gamma and beta broadcast to one sample of ``output``."""
        free = output.dim() - 1 - len(self.normalized_shape)
        return (*[1] * free, *self.normalized_shape)


class BayesLayerNormAct2d(_ThenActivation, BayesLayerNormNCHW):
    """Bayesian form of timm's ``LayerNormAct2d``, for inputs (N, C, H, W)."""
