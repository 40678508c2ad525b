"""Bayesian layer normalizations."""

from typing import Any

from mmengine.registry import MODELS
from torch import Tensor, nn

from .bnl import BayesianNorm


@MODELS.register_module(name='BayesLN')
class BayesLayerNorm(BayesianNorm, nn.LayerNorm):
    """Bayesian :class:`torch.nn.LayerNorm`, for inputs (N, ..., *normalized_shape).

    A feature is an entry of ``normalized_shape``: with tokens (N, L, C) one eps belongs to a
    sample and a channel, and is the same for its L tokens. An input of exactly
    ``normalized_shape`` is one sample.
    """

    def feature_shape(self, output: Tensor) -> tuple[int, ...]:
        """Return the shape in which gamma and beta broadcast to one sample of ``output``."""
        free = output.dim() - 1 - len(self.normalized_shape)
        return (*[1] * free, *self.normalized_shape)

    def is_batch(self, output: Tensor) -> bool:
        """Tell whether axis 0 of ``output`` counts samples."""
        return output.dim() > len(self.normalized_shape)


@MODELS.register_module(name='BayesLN2d')
class BayesLayerNorm2d(BayesianNorm, nn.LayerNorm):
    """Bayesian form of MMPretrain's ``LayerNorm2d``: over the channels of every pixel.

    Args:
        num_channels: Number of channels C.
        **kwargs: Those of :class:`torch.nn.LayerNorm`, and ``alpha`` and ``noise_shape``.
    """

    def __init__(self, num_channels: int, **kwargs: Any) -> None:
        super().__init__(num_channels, **kwargs)
        self.num_channels = num_channels

    def forward(self, x: Tensor, data_format: str = 'channel_first') -> Tensor:
        """Normalize an image batch and scale its gain by 1 + eps.

        Args:
            x: Of shape (N, C, H, W), or (N, H, W, C) for ``data_format='channel_last'``.
            data_format: ``'channel_first'`` or ``'channel_last'``.

        Raises:
            ValueError: If ``x`` has not four axes, or ``data_format`` is unknown.
        """
        if x.dim() != 4:
            raise ValueError(f'`x` must have 4 axes (N, C, H, W), got the shape {tuple(x.shape)}')
        if data_format == 'channel_last':
            return super().forward(x)
        if data_format != 'channel_first':
            raise ValueError(
                f"`data_format` must be 'channel_first' or 'channel_last', got {data_format!r}"
            )
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2).contiguous()

    def feature_shape(self, output: Tensor) -> tuple[int, ...]:
        """Return the shape in which gamma and beta broadcast to one sample of ``output``."""
        return (1, 1, self.num_channels)
