"""Small networks that several tests build."""

import copy
import sys
import types

import mmseg.models
import torch
from mmengine.config import ConfigDict
from mmseg.registry import MODELS
from torch import nn

NUM_CLASSES = 5
_NORM = dict(type='BN', requires_grad=True)
_SEGMENTOR = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        size=(32, 32),
    ),
    backbone=dict(
        type='ResNetV1c',
        depth=18,
        base_channels=8,
        stem_channels=8,
        num_stages=4,
        out_indices=(0, 1, 2, 3),
        strides=(1, 2, 1, 1),
        dilations=(1, 1, 2, 4),
        norm_cfg=_NORM,
        contract_dilation=True,
    ),
    decode_head=dict(
        type='DepthwiseSeparableASPPHead',
        in_channels=64,
        in_index=3,
        channels=16,
        dilations=(1, 2),
        c1_in_channels=8,
        c1_channels=4,
        num_classes=NUM_CLASSES,
        norm_cfg=_NORM,
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    ),
    auxiliary_head=dict(
        type='FCNHead',
        in_channels=32,
        in_index=2,
        channels=8,
        num_convs=1,
        concat_input=False,
        num_classes=NUM_CLASSES,
        norm_cfg=_NORM,
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss', loss_weight=0.4, avg_non_ignore=True),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)

# changes that leave of the segmentor a stem, one block and a head of one layer
TINY = dict(
    backbone=dict(
        type='ResNetV1c',
        depth=18,
        base_channels=8,
        stem_channels=8,
        num_stages=1,
        strides=(1,),
        dilations=(1,),
        out_indices=(0,),
        norm_cfg=_NORM,
    ),
    decode_head=dict(_SEGMENTOR['auxiliary_head'], in_channels=8, in_index=0),
    auxiliary_head=None,
)


class LayerNorm2d(nn.LayerNorm):
    """MMPretrain's layer of this name, written again: MMPretrain need not be installed."""

    def __init__(self, num_channels, **kwargs):
        super().__init__(num_channels, **kwargs)
        self.num_channels = num_channels

    def forward(self, x, data_format='channel_first'):
        if data_format == 'channel_last':
            return super().forward(x)
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2).contiguous()


def install_layer_norm_2d(monkeypatch):
    """Let conversion find :class:`LayerNorm2d` where it looks for MMPretrain's."""
    module = types.ModuleType('mmpretrain.models.utils.norm')
    module.LayerNorm2d = LayerNorm2d
    monkeypatch.setitem(sys.modules, module.__name__, module)


def segmentor_config(**changes) -> ConfigDict:
    """Return the config of a small DeepLabV3+ with ``changes`` at its top level."""
    return ConfigDict({**copy.deepcopy(_SEGMENTOR), **changes})


def randomize_norms(model: nn.Module) -> None:
    """Give batch normalizations statistics and affine parts as if the model were trained."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                for tensor, low, high in (
                    (module.weight, 0.5, 1.5),
                    (module.bias, -0.5, 0.5),
                    (module.running_mean, -0.5, 0.5),
                    (module.running_var, 0.5, 2.0),
                ):
                    tensor.uniform_(low, high, generator=generator)


def build_segmentor(**changes) -> nn.Module:
    """Build the small segmentor with seeded weights, in evaluation mode."""
    assert mmseg.models  # the import registers what the config names
    torch.manual_seed(0)
    model = MODELS.build(segmentor_config(**changes))
    randomize_norms(model)
    return model.eval()
