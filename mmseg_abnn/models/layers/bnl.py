"""Bayesian Normalization Layers (BNL): a normalization whose gain is a random variable.

    BNL(h_j) = (h_j - mu_j) / sigma_j * gamma_j * (1 + eps_j) + beta_j,   eps_j ~ N(0, alpha^2)

(Franchi et al., "Make Me a BNN", CVPR 2024). gamma and beta are the pretrained ``weight`` and
``bias``. Every class here is its torch counterpart plus noise: the same constructor, the same
state-dict keys, and with ``alpha = 0`` the same output, bit for bit.
"""

import math
from typing import Any

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn

from ...compat import batch_norm_xd
from .noise import NOISE_SHAPES, HeldNoise


def check_noise_arguments(alpha: float, noise_shape: str) -> None:
    """Raise if ``alpha`` is not a finite number >= 0 or ``noise_shape`` is unknown."""
    if isinstance(alpha, bool) or not isinstance(alpha, (int, float)):
        raise TypeError(f'`alpha` must be a number >= 0, got {alpha!r}')
    if not (math.isfinite(alpha) and alpha >= 0):
        raise ValueError(f'`alpha` must be a finite number >= 0, got {alpha}')
    if noise_shape not in NOISE_SHAPES:
        raise ValueError(f'`noise_shape` must be one of {NOISE_SHAPES}, got {noise_shape!r}')


class BayesianNorm(nn.Module):
    """Mixin that adds the noise of a BNL to a normalization layer with ``weight`` and ``bias``.

    The feature axis of the input is axis 1, as in batch normalization.

    Attributes:
        alpha: Standard deviation of eps.
        noise_shape: ``'channel'``: one eps per sample and feature, a distribution over gamma as
            the equation states it. ``'element'``: one eps per sample and activation.
        norm_eval: If True, ``train()`` does not switch the normalization to batch statistics:
            it keeps using, and does not change, the pretrained running statistics.
        held_noise: The noise of the draw being held, None for fresh noise in every forward pass.
    """

    alpha: float = 0.0
    noise_shape: str = 'channel'
    norm_eval: bool = False
    held_noise: HeldNoise | None = None
    weight: nn.Parameter
    bias: nn.Parameter

    def set_noise(self, alpha: float, noise_shape: str) -> None:
        """Set and check the noise's scale and shape."""
        check_noise_arguments(alpha, noise_shape)
        if self.weight is None:
            raise ValueError(
                f'{type(self).__name__} needs `affine=True`: the noise multiplies the gain, and '
                'without an affine part there is none'
            )
        self.alpha = float(alpha)
        self.noise_shape = noise_shape

    def train(self, mode: bool = True) -> 'BayesianNorm':
        """Set the training mode, but keep the statistics fixed under ``norm_eval``."""
        return super().train(mode and not self.norm_eval)

    def forward(self, input: Tensor) -> Tensor:
        """Normalize ``input`` of shape (N, C, ...) and scale its gain by 1 + eps."""
        output = super().forward(input)
        if self.alpha == 0:
            return output
        eps = self.alpha * self._standard_noise(output)
        bias = self.bias.to(output.dtype).reshape(1, -1, *[1] * (output.dim() - 2))
        # gamma (1 + eps) xhat + beta  ==  (1 + eps) (gamma xhat + beta) - eps beta
        return torch.addcmul(-eps * bias, output, 1 + eps)

    def _standard_noise(self, output: Tensor) -> Tensor:
        samples = 1 if self.held_noise is not None else output.shape[0]
        if self.noise_shape == 'channel':
            shape = (samples, output.shape[1], *[1] * (output.dim() - 2))
        else:
            shape = (samples, *output.shape[1:])
        if self.held_noise is not None:
            return self.held_noise.sample(shape, output)
        return torch.randn(shape, device=output.device, dtype=output.dtype)

    def extra_repr(self) -> str:
        """Add the noise's settings to the layer's own representation."""
        return f'{super().extra_repr()}, alpha={self.alpha}, noise_shape={self.noise_shape!r}'


class _BayesBatchNorm(BayesianNorm):
    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        alpha: float = 0.1,
        noise_shape: str = 'channel',
    ) -> None:
        super().__init__(
            num_features, eps, momentum, affine, track_running_stats, device=device, dtype=dtype
        )
        self.set_noise(alpha, noise_shape)


@MODELS.register_module(name='BayesBN1d')
class BayesBatchNorm1d(_BayesBatchNorm, nn.BatchNorm1d):
    """Bayesian :class:`torch.nn.BatchNorm1d`, for inputs (N, C) or (N, C, L)."""


@MODELS.register_module(name=['BayesBN', 'BayesBN2d', 'BNL'])
class BayesBatchNorm2d(_BayesBatchNorm, nn.BatchNorm2d):
    """Bayesian :class:`torch.nn.BatchNorm2d`, for inputs (N, C, H, W)."""


@MODELS.register_module(name='BayesBN3d')
class BayesBatchNorm3d(_BayesBatchNorm, nn.BatchNorm3d):
    """Bayesian :class:`torch.nn.BatchNorm3d`, for inputs (N, C, D, H, W)."""


class BayesBatchNormXd(_BayesBatchNorm, batch_norm_xd()):  # type: ignore[misc]
    """Bayesian form of what MMEngine makes of SyncBN where training is not distributed.

    It takes inputs (N, C, ...) of any dimension and is made by conversion only.
    """


class BayesSyncBatchNorm(BayesianNorm, nn.SyncBatchNorm):
    """Bayesian :class:`torch.nn.SyncBatchNorm`, made by conversion in distributed runs."""


# plain class -> Bayesian class; exact types only: a user's own subclass may compute something else
BAYESIAN_FORMS: dict[type[nn.Module], type[BayesianNorm]] = {
    nn.BatchNorm1d: BayesBatchNorm1d,
    nn.BatchNorm2d: BayesBatchNorm2d,
    nn.BatchNorm3d: BayesBatchNorm3d,
    batch_norm_xd(): BayesBatchNormXd,
    nn.SyncBatchNorm: BayesSyncBatchNorm,
}
