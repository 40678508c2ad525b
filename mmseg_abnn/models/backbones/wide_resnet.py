"""Wide residual networks for images of 32 x 32 pixels."""

from collections.abc import Sequence
from typing import Any

from mmcv.cnn import build_conv_layer, build_norm_layer
from mmengine.model import BaseModule
from mmpretrain.models.backbones.base_backbone import BaseBackbone
from mmpretrain.registry import MODELS
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

_NUM_STAGES = 3
_STEM_CHANNELS = 16
# Copied by those who read them.
_NORM_CFG: dict[str, Any] = dict(type='BN', requires_grad=True)
_INIT_CFG: list[dict[str, Any]] = [
    dict(type='Kaiming', layer=['Conv2d']),
    dict(type='Constant', val=1, layer=['_BatchNorm', 'GroupNorm']),
]


class WideBasicBlock(BaseModule):
    """Pre-activation block: norm, ReLU, 3x3 convolution, norm, ReLU, dropout, 3x3 convolution.

    Where the number of channels or the size changes, the shortcut is a 1x1 convolution of the
    activated input, else the input itself.

    Args:
        in_channels: Number of channels of the input.
        out_channels: Number of channels of the output.
        stride: Stride of the first convolution and of the shortcut.
        drop_rate: Probability that dropout sets a value to zero.
        conv_cfg: Config of the convolutions; None: ``Conv2d``.
        norm_cfg: Config of the normalization layers.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int,
        drop_rate: float,
        conv_cfg: dict[str, Any] | None,
        norm_cfg: dict[str, Any],
    ) -> None:
        super().__init__()
        self.norm1_name, norm1 = build_norm_layer(norm_cfg, in_channels, postfix=1)
        self.add_module(self.norm1_name, norm1)
        self.conv1 = build_conv_layer(
            conv_cfg, in_channels, out_channels, 3, stride=stride, padding=1, bias=False
        )
        self.norm2_name, norm2 = build_norm_layer(norm_cfg, out_channels, postfix=2)
        self.add_module(self.norm2_name, norm2)
        self.conv2 = build_conv_layer(
            conv_cfg, out_channels, out_channels, 3, padding=1, bias=False
        )
        self.relu = nn.ReLU(inplace=True)
        # no module that does nothing: MC-Dropout looks for what it can switch on
        self.dropout = nn.Dropout(drop_rate) if drop_rate > 0 else nn.Identity()
        self.downsample = None
        if stride != 1 or in_channels != out_channels:
            self.downsample = build_conv_layer(
                conv_cfg, in_channels, out_channels, 1, stride=stride, bias=False
            )

    @property
    def norm1(self) -> nn.Module:
        """The normalization of the input."""
        return getattr(self, self.norm1_name)

    @property
    def norm2(self) -> nn.Module:
        """The normalization between the convolutions."""
        return getattr(self, self.norm2_name)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, ceil(H / stride), ceil(W / stride))."""
        out = self.relu(self.norm1(x))
        shortcut = x if self.downsample is None else self.downsample(out)
        out = self.relu(self.norm2(self.conv1(out)))
        return self.conv2(self.dropout(out)) + shortcut


@MODELS.register_module()
class WideResNet(BaseBackbone):
    """Wide residual network WRN-depth-widen_factor (Zagoruyko & Komodakis, BMVC 2016).

    A 3x3 convolution with 16 channels, three stages of (depth - 4) / 6 blocks with 16, 32 and 64
    times ``widen_factor`` channels, the second and the third one with stride 2, and a last
    normalization with ReLU. Convolutions have no bias.

    Args:
        depth: Number of layers, 6 n + 4 with n >= 1.
        widen_factor: Factor k of the channels.
        in_channels: Number of channels of the images.
        out_indices: Stages whose outputs are returned, from 0 to 2. That of stage 2 is behind the
            last normalization and ReLU; those of the others are sums, which the next stage
            normalizes.
        drop_rate: Probability of dropout between the convolutions of a block.
        frozen_stages: Parameters of the first convolution (from 0 on), and of so many stages are
            not trained, and their layers are in evaluation mode; the last normalization belongs
            to the third stage. -1: none.
        conv_cfg: Config of the convolutions; None: ``Conv2d``.
        norm_cfg: Config of the normalization layers.
        norm_eval: Whether batch normalization stays in evaluation mode, with its statistics as
            they are.
        init_cfg: How MMEngine initializes the parameters.

    Raises:
        ValueError: If an argument is not allowed.
    """

    def __init__(
        self,
        depth: int = 28,
        widen_factor: int = 10,
        in_channels: int = 3,
        out_indices: Sequence[int] = (2,),
        drop_rate: float = 0.0,
        frozen_stages: int = -1,
        conv_cfg: dict[str, Any] | None = None,
        norm_cfg: dict[str, Any] = _NORM_CFG,
        norm_eval: bool = False,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = _INIT_CFG,
    ) -> None:
        super().__init__(init_cfg)
        if not _is_int(depth) or depth < 10 or (depth - 4) % 6:
            raise ValueError(f'`depth` must be 6 n + 4 with an integer n >= 1, got {depth!r}')
        for name, value in (('widen_factor', widen_factor), ('in_channels', in_channels)):
            if not _is_int(value) or value < 1:
                raise ValueError(f'`{name}` must be an integer >= 1, got {value!r}')
        self.out_indices = _check_out_indices(out_indices)
        if not 0 <= drop_rate < 1:
            raise ValueError(f'`drop_rate` must be in [0, 1), got {drop_rate!r}')
        if not _is_int(frozen_stages) or not -1 <= frozen_stages <= _NUM_STAGES:
            raise ValueError(
                f'`frozen_stages` must be an integer from -1 to {_NUM_STAGES}, got '
                f'{frozen_stages!r}'
            )
        self.depth = depth
        self.widen_factor = widen_factor
        self.frozen_stages = frozen_stages
        self.norm_eval = norm_eval

        self.conv1 = build_conv_layer(
            conv_cfg, in_channels, _STEM_CHANNELS, 3, padding=1, bias=False
        )
        channels = _STEM_CHANNELS
        self.res_layers = []
        for stage in range(_NUM_STAGES):
            blocks = []
            for i in range((depth - 4) // 6):
                stride = 2 if stage > 0 and i == 0 else 1
                width = 2**stage * _STEM_CHANNELS * widen_factor
                blocks.append(
                    WideBasicBlock(channels, width, stride, drop_rate, conv_cfg, norm_cfg)
                )
                channels = width
            self.res_layers.append(f'layer{stage + 1}')
            self.add_module(self.res_layers[-1], nn.Sequential(*blocks))
        self.norm1_name, norm1 = build_norm_layer(norm_cfg, channels, postfix=1)
        self.add_module(self.norm1_name, norm1)
        self.relu = nn.ReLU(inplace=True)
        self._freeze_stages()

    @property
    def norm1(self) -> nn.Module:
        """The normalization behind the last stage."""
        return getattr(self, self.norm1_name)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Compute the features of images.

        Args:
            x: Images of shape (N, in_channels, H, W).

        Returns:
            One map for each of ``out_indices``, in ascending order; that of stage i has shape
            (N, 16 * 2**i * widen_factor, H / 2**i, W / 2**i).
        """
        x = self.conv1(x)
        outs = []
        for i, name in enumerate(self.res_layers):
            x = getattr(self, name)(x)
            if i == _NUM_STAGES - 1:
                x = self.relu(self.norm1(x))
            if i in self.out_indices:
                outs.append(x)
        return tuple(outs)

    def train(self, mode: bool = True) -> 'WideResNet':
        """Set the training mode, except of what is frozen."""
        super().train(mode)
        self._freeze_stages()
        if mode and self.norm_eval:
            for module in self.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self

    def _freeze_stages(self) -> None:
        frozen = [self.conv1] if self.frozen_stages >= 0 else []
        frozen += [getattr(self, name) for name in self.res_layers[: max(self.frozen_stages, 0)]]
        if self.frozen_stages == _NUM_STAGES:
            frozen.append(self.norm1)
        for module in frozen:
            module.eval()
            module.requires_grad_(False)


@MODELS.register_module()
class WideResNet28x10(WideResNet):
    """WRN-28-10, the network of 36.5 million parameters; arguments as of :class:`WideResNet`."""

    def __init__(
        self,
        in_channels: int = 3,
        out_indices: Sequence[int] = (2,),
        drop_rate: float = 0.0,
        frozen_stages: int = -1,
        conv_cfg: dict[str, Any] | None = None,
        norm_cfg: dict[str, Any] = _NORM_CFG,
        norm_eval: bool = False,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = _INIT_CFG,
    ) -> None:
        others = out_indices, drop_rate, frozen_stages, conv_cfg, norm_cfg, norm_eval, init_cfg
        super().__init__(28, 10, in_channels, *others)


def _check_out_indices(out_indices: Sequence[int]) -> tuple[int, ...]:
    stages = range(_NUM_STAGES)
    if (
        isinstance(out_indices, str)
        or not isinstance(out_indices, Sequence)
        or not out_indices
        or any(not _is_int(index) or index not in stages for index in out_indices)
    ):
        raise ValueError(
            f'`out_indices` must be a non-empty sequence of integers from 0 to {_NUM_STAGES - 1}, '
            f'got {out_indices!r}'
        )
    return tuple(out_indices)


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
