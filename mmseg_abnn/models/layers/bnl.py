"""The Bayesian Normalization Layer (BNL): a normalization whose gain is a random variable.

    BNL(h_j) = (h_j - mu_j) / sigma_j * gamma_j * (1 + eps_j) + beta_j,   eps_j ~ N(0, alpha^2)

(Franchi et al., "Make Me a BNN", CVPR 2024). gamma and beta are the pretrained ``weight`` and
``bias``. Every Bayesian layer is its torch counterpart plus the mixin of this module: the same
constructor, the same state-dict keys, and with ``alpha = 0`` the same output, bit for bit.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn

from .draws import NOISE_SHAPES, HeldNoise, is_exporting


def check_noise_arguments(alpha: float, noise_shape: str, prefix: str = '') -> None:
    """Raise if ``alpha`` is not a finite number >= 0 or ``noise_shape`` is unknown.

    ``prefix`` stands before their names in the message.
    """
    if isinstance(alpha, bool) or not isinstance(alpha, (int, float)):
        raise TypeError(f'`{prefix}alpha` must be a number >= 0, got {alpha!r}')
    if not (math.isfinite(alpha) and alpha >= 0):
        raise ValueError(f'`{prefix}alpha` must be a finite number >= 0, got {alpha}')
    if noise_shape not in NOISE_SHAPES:
        raise ValueError(
            f'`{prefix}noise_shape` must be one of {NOISE_SHAPES}, got {noise_shape!r}'
        )


class BayesianNorm(nn.Module):
    """Mixin that adds the noise of a BNL to a normalization layer with an affine part.

    Args:
        *args, **kwargs: Those of the torch counterpart.
        alpha: Standard deviation of eps, >= 0.
        noise_shape: ``'channel'``: one eps per sample and feature, a distribution over gamma as
            the equation states it. ``'element'``: one eps per sample and activation, which is
            noise on the activations, as the authors' code has it.

    Attributes:
        norm_eval: If True, ``train()`` does not switch the normalization to batch statistics:
            it keeps using, and does not change, the pretrained running statistics.
        asked_mode: The training mode that ``train()`` was last called with.
        plain_class: The class of the layer before it was converted, None if it was built Bayesian.
        held_noise: The noise of the draw being held, None for fresh noise in every forward pass.

    Raises:
        ValueError: If ``alpha`` or ``noise_shape`` is out of range, or the layer has no gain.
        TypeError: If ``alpha`` is not a number.
    """

    SETTINGS = ('alpha', 'noise_shape', 'norm_eval', 'asked_mode', 'plain_class', 'held_noise')

    alpha: float = 0.0
    noise_shape: str = 'channel'
    norm_eval: bool = False
    asked_mode: bool = True
    plain_class: type[nn.Module] | None = None
    held_noise: HeldNoise | None = None
    weight: nn.Parameter
    bias: Any  # a Parameter, or None

    def __init__(
        self, *args: Any, alpha: float = 0.1, noise_shape: str = 'channel', **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.set_noise(alpha, noise_shape)

    def set_noise(self, alpha: float, noise_shape: str) -> None:
        """Set and check the noise's scale and shape."""
        check_noise_arguments(alpha, noise_shape)
        if self.weight is None:
            raise ValueError(
                f'{type(self).__name__} needs an affine part (`affine=True`, or '
                '`elementwise_affine=True` of a layer normalization): the noise multiplies the '
                'gain, and without it there is none'
            )
        self.alpha = float(alpha)
        self.noise_shape = noise_shape

    def train(self, mode: bool = True) -> 'BayesianNorm':
        """Set the training mode, but keep the statistics fixed under ``norm_eval``."""
        self.asked_mode = mode
        return super().train(mode and not self.norm_eval)

    def feature_shape(self, output: Tensor) -> tuple[int, ...]:
        """Return the shape in which gamma and beta broadcast to one sample of ``output``.

        The features lie on axis 1, as in batch normalization; layers that have them elsewhere
        override this.
        """
        return (output.shape[1], *[1] * (output.dim() - 2))

    def is_batch(self, output: Tensor) -> bool:
        """Tell whether axis 0 of ``output`` counts samples; layers that take one bare override."""
        return True

    def forward(self, input: Tensor) -> Tensor:
        """Normalize ``input`` as the torch counterpart does and scale its gain by 1 + eps."""
        output = super().forward(input)
        if self.alpha == 0:
            return output
        if not self.is_batch(output):
            return self.perturb(output[None]).squeeze(0)
        return self.perturb(output)

    def perturb(self, output: Tensor) -> Tensor:
        """Turn gamma xhat + beta into gamma (1 + eps) xhat + beta.

        Args:
            output: What the torch counterpart computed, with the samples on axis 0.

        Raises:
            RuntimeError: If a graph is made of what is computed, and no draw is held.
        """
        features = self.feature_shape(output)
        shape = features if self.noise_shape == 'channel' else tuple(output.shape[1:])
        if self.held_noise is not None:
            eps = self.alpha * self.held_noise.sample(shape, output)
        else:
            if is_exporting():
                raise RuntimeError(
                    f'{type(self).__name__} draws fresh noise in every forward pass, which a '
                    'traced or exported network would go on to do: hold a draw around '
                    '`torch.jit.trace` or `torch.export` (`hold_draw`), or switch the noise off '
                    '(`noise_off`)'
                )
            size = (output.shape[0], *shape)
            eps = self.alpha * torch.randn(size, device=output.device, dtype=output.dtype)
        if self.bias is None:
            return output * (1 + eps)
        # gamma (1 + eps) xhat + beta  ==  (1 + eps) (gamma xhat + beta) - eps beta
        return torch.addcmul(-eps * self.bias.to(output.dtype).reshape(features), output, 1 + eps)

    def extra_repr(self) -> str:
        """Add the noise's settings to the layer's own representation."""
        return f'{super().extra_repr()}, alpha={self.alpha}, noise_shape={self.noise_shape!r}'


def bayesian_layers(model: nn.Module) -> dict[str, BayesianNorm]:
    """Return the Bayesian normalization layers of ``model`` by name, each of them once."""
    return {n: module for n, module in model.named_modules() if isinstance(module, BayesianNorm)}


def noise_facts(model: nn.Module) -> dict[str, Any]:
    """Return ``alpha`` and ``noise_shape`` of the Bayesian layers, by layer where they differ."""
    layers = bayesian_layers(model)
    facts: dict[str, Any] = {}
    for key in ('alpha', 'noise_shape'):
        values = {name: getattr(layer, key) for name, layer in layers.items()}
        facts[key] = next(iter(values.values())) if len(set(values.values())) == 1 else values
    return facts
