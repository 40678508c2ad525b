"""Which plain normalization layer has which Bayesian form."""

from torch import nn

from ...compat import batch_norm_xd, layer_norm_2d, sync_batch_norm
from .batch_norm import (
    BayesBatchNorm1d,
    BayesBatchNorm2d,
    BayesBatchNorm3d,
    BayesBatchNormXd,
    BayesSyncBatchNorm,
)
from .bnl import BayesianNorm
from .group_norm import BayesGroupNorm
from .instance_norm import BayesInstanceNorm1d, BayesInstanceNorm2d, BayesInstanceNorm3d
from .layer_norm import BayesLayerNorm, BayesLayerNorm2d

# plain class -> Bayesian class; exact types only: a user's own subclass may compute something else
_FORMS: dict[type[nn.Module], type[BayesianNorm]] = {
    nn.BatchNorm1d: BayesBatchNorm1d,
    nn.BatchNorm2d: BayesBatchNorm2d,
    nn.BatchNorm3d: BayesBatchNorm3d,
    batch_norm_xd(): BayesBatchNormXd,
    nn.SyncBatchNorm: BayesSyncBatchNorm,
    sync_batch_norm(): BayesSyncBatchNorm,
    nn.LayerNorm: BayesLayerNorm,
    nn.GroupNorm: BayesGroupNorm,
    nn.InstanceNorm1d: BayesInstanceNorm1d,
    nn.InstanceNorm2d: BayesInstanceNorm2d,
    nn.InstanceNorm3d: BayesInstanceNorm3d,
}


def bayesian_forms() -> dict[type[nn.Module], type[BayesianNorm]]:
    """Return the Bayesian class of every plain class that has one."""
    third_party = layer_norm_2d()
    return _FORMS if third_party is None else {**_FORMS, third_party: BayesLayerNorm2d}


def plain_form(layer: BayesianNorm) -> type[nn.Module]:
    """Return the plain class that computes what ``layer`` does without its noise.

    Raises:
        ValueError: If the layer is of a class that no plain one belongs to.
    """
    if layer.plain_class is not None:
        return layer.plain_class
    for plain, bayesian in bayesian_forms().items():
        if type(layer) is bayesian:
            return plain
    raise ValueError(f'{type(layer).__name__} has no plain counterpart that could be restored')
