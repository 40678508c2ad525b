"""Bayesian instance normalizations.

Their counterparts have ``affine=False`` by default, and with it no gain that noise could multiply:
build these layers with ``affine=True``.
"""

from mmengine.registry import MODELS
from torch import Tensor, nn

from .bnl import BayesianNorm


class _BayesInstanceNorm(BayesianNorm):
    def is_batch(self, output: Tensor) -> bool:
        """Tell whether axis 0 of ``output`` counts samples."""
        return output.dim() != self._get_no_batch_dim()  # type: ignore[operator]


@MODELS.register_module(name='BayesIN1d')
class BayesInstanceNorm1d(_BayesInstanceNorm, nn.InstanceNorm1d):
    """Bayesian :class:`torch.nn.InstanceNorm1d`, for inputs (N, C, L) or (C, L)."""


@MODELS.register_module(name=['BayesIN', 'BayesIN2d'])
class BayesInstanceNorm2d(_BayesInstanceNorm, nn.InstanceNorm2d):
    """Bayesian :class:`torch.nn.InstanceNorm2d`, for inputs (N, C, H, W) or (C, H, W)."""


@MODELS.register_module(name='BayesIN3d')
class BayesInstanceNorm3d(_BayesInstanceNorm, nn.InstanceNorm3d):
    """Bayesian :class:`torch.nn.InstanceNorm3d`, for inputs (N, C, D, H, W) or (C, D, H, W)."""
