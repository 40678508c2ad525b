"""Bayesian batch normalizations."""

from mmengine.registry import MODELS
from torch import nn

from ...compat import batch_norm_xd
from .bnl import BayesianNorm


@MODELS.register_module(name='BayesBN1d')
class BayesBatchNorm1d(BayesianNorm, nn.BatchNorm1d):
    """Bayesian :class:`torch.nn.BatchNorm1d`, for inputs (N, C) or (N, C, L)."""


@MODELS.register_module(name=['BayesBN', 'BayesBN2d', 'BNL'])
class BayesBatchNorm2d(BayesianNorm, nn.BatchNorm2d):
    """Bayesian :class:`torch.nn.BatchNorm2d`, for inputs (N, C, H, W)."""


@MODELS.register_module(name='BayesBN3d')
class BayesBatchNorm3d(BayesianNorm, nn.BatchNorm3d):
    """Bayesian :class:`torch.nn.BatchNorm3d`, for inputs (N, C, D, H, W)."""


class BayesBatchNormXd(BayesianNorm, batch_norm_xd()):  # type: ignore[misc]
    """Bayesian form of what MMEngine makes of SyncBN where training is not distributed.

    It takes inputs (N, C, ...) of any dimension.
    """


@MODELS.register_module(name='BayesSyncBN')
class BayesSyncBatchNorm(BayesianNorm, nn.SyncBatchNorm):
    """Bayesian :class:`torch.nn.SyncBatchNorm`, for inputs (N, C, ...).

    Where training is not distributed, MMEngine's Runner makes a :class:`BayesBatchNormXd` of it,
    as it makes a plain batch normalization of SyncBN.
    """
