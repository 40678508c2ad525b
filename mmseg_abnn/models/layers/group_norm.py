"""Bayesian group normalization."""

from typing import Any

from mmengine.registry import MODELS
from torch import nn

from .bnl import BayesianNorm


@MODELS.register_module(name='BayesGN')
class BayesGroupNorm(BayesianNorm, nn.GroupNorm):
    """Bayesian :class:`torch.nn.GroupNorm`, for inputs (N, C, ...).

    It is built as its counterpart, ``BayesGroupNorm(num_groups, num_channels)``. MMCV and
    MMPretrain pass the number of channels first to every layer but ``torch.nn.GroupNorm`` itself;
    ``BayesGroupNorm(num_channels, num_groups=...)`` is understood too, so that
    ``norm_cfg=dict(type='BayesGN', num_groups=32)`` works.
    """

    def __init__(self, *sizes: int, **kwargs: Any) -> None:
        if len(sizes) == 1 and 'num_groups' in kwargs and 'num_channels' not in kwargs:
            kwargs['num_channels'] = sizes[0]
            sizes = ()
        super().__init__(*sizes, **kwargs)
