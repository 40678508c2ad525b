"""The Bayesian form of every normalization layer of PyTorch and of the OpenMMLab packages."""

from typing import Any

from mmengine.registry import MODELS
from torch import Tensor, nn

from ...compat import batch_norm_xd, imported_class, sync_batch_norm
from .bnl import BayesianNorm
from .package_norms import (
    BayesBatchNormAct2d,
    BayesGroupNormAct,
    BayesLayerNormAct,
    BayesLayerNormAct2d,
    BayesLayerNormNCHW,
)


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


class _BayesInstanceNorm(BayesianNorm):
    """What instance normalizations share.

    Their counterparts have ``affine=False`` by default, and with it no gain that noise could
    multiply: build these layers with ``affine=True``.
    """

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
# (module, name) of a plain class of a package that may be missing -> Bayesian class
_FORMS_OF_PACKAGES: dict[tuple[str, str], type[BayesianNorm]] = {
    ('mmpretrain.models.utils.norm', 'LayerNorm2d'): BayesLayerNorm2d,
    ('torchvision.models.convnext', 'LayerNorm2d'): BayesLayerNormNCHW,
    ('timm.layers.norm', 'LayerNorm2d'): BayesLayerNormNCHW,
    ('timm.layers.norm', 'LayerNorm'): BayesLayerNorm,
    ('timm.layers.norm', 'GroupNorm'): BayesGroupNorm,
    ('timm.layers.norm', 'GroupNorm1'): BayesGroupNorm,
    ('timm.layers.norm_act', 'BatchNormAct2d'): BayesBatchNormAct2d,
    ('timm.layers.norm_act', 'GroupNormAct'): BayesGroupNormAct,
    ('timm.layers.norm_act', 'GroupNorm1Act'): BayesGroupNormAct,
    ('timm.layers.norm_act', 'LayerNormAct'): BayesLayerNormAct,
    ('timm.layers.norm_act', 'LayerNormAct2d'): BayesLayerNormAct2d,
}


def bayesian_forms() -> dict[type[nn.Module], type[BayesianNorm]]:
    """Return the Bayesian class of every plain class that has one."""
    found = {imported_class(*place): form for place, form in _FORMS_OF_PACKAGES.items()}
    return {**_FORMS, **{plain: form for plain, form in found.items() if plain is not None}}


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
