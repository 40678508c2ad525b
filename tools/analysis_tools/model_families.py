"""The network that stands for each model family of MMSegmentation in convert_families.py."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Family:
    """How a family is represented.

    Attributes:
        config: The config file; of those that are alike, the one with the smallest network.
        overrides: Settings of the model that make it smaller, or independent of downloads.
        size: Height and width of the image.
    """

    config: str
    overrides: dict[str, Any] = field(default_factory=dict)
    size: int = 32


_VIT_OF_4 = {'backbone.num_layers': 4, 'backbone.out_indices': (0, 1, 2, 3)}
_BEIT_OF_4 = {'backbone.img_size': (32, 32), 'decode_head.channels': 64, **_VIT_OF_4}
_STABLE_DIFFUSION = 'backbone.diffusion_cfg.params'

FAMILIES = {
    'ann': Family('ann_r50-d8_4xb2-40k_cityscapes-512x1024.py'),
    'apcnet': Family('apcnet_r50-d8_4xb2-40k_cityscapes-512x1024.py'),
    'beit': Family(
        'beit-base_upernet_8xb2-160k_ade20k-640x640.py',
        _BEIT_OF_4,
    ),
    'bisenetv1': Family('bisenetv1_r18-d32_4xb4-160k_cityscapes-1024x1024.py'),
    'bisenetv2': Family('bisenetv2_fcn_4xb4-160k_cityscapes-1024x1024.py'),
    'ccnet': Family('ccnet_r50-d8_4xb2-40k_cityscapes-512x1024.py', size=64),
    'cgnet': Family('cgnet_fcn_4xb4-60k_cityscapes-680x680.py'),
    'convnext': Family('convnext-tiny_upernet_8xb2-amp-160k_ade20k-512x512.py'),
    'danet': Family('danet_r50-d8_4xb2-40k_cityscapes-512x1024.py'),
    'ddrnet': Family('ddrnet_23-slim_in1k-pre_2xb6-120k_cityscapes-1024x1024.py'),
    'deeplabv3': Family('deeplabv3_r18-d8_4xb2-80k_cityscapes-512x1024.py'),
    'deeplabv3plus': Family('deeplabv3plus_r18-d8_4xb2-80k_cityscapes-512x1024.py'),
    'dmnet': Family('dmnet_r50-d8_4xb2-40k_cityscapes-512x1024.py'),
    'dnlnet': Family('dnl_r50-d8_4xb2-40k_cityscapes-512x1024.py'),
    'dpt': Family('dpt_vit-b16_8xb2-160k_ade20k-512x512.py', _VIT_OF_4),
    'dsdl': Family('cityscapes.py'),
    'emanet': Family('emanet_r50-d8_4xb2-80k_cityscapes-512x1024.py'),
    'encnet': Family('encnet_r50-d8_4xb2-40k_cityscapes-512x1024.py'),
    'erfnet': Family('erfnet_fcn_4xb4-160k_cityscapes-512x1024.py'),
    'fastfcn': Family('fastfcn_r50-d32_jpu_enc_4xb2-80k_cityscapes-512x1024.py'),
    'fastscnn': Family('fast_scnn_8xb4-160k_cityscapes-512x1024.py'),
    'fcn': Family('fcn_r18-d8_4xb2-80k_cityscapes-512x1024.py'),
    'gcnet': Family('gcnet_r50-d8_4xb2-40k_cityscapes-512x1024.py'),
    'hrnet': Family('fcn_hr18s_4xb2-40k_cityscapes-512x1024.py'),
    'icnet': Family('icnet_r18-d8_4xb2-80k_cityscapes-832x832.py'),
    'isanet': Family('isanet_r50-d8_4xb2-40k_cityscapes-512x1024.py'),
    'knet': Family('knet-s3_r50-d8_fcn_8xb2-adamw-80k_ade20k-512x512.py'),
    'mae': Family(
        'mae-base_upernet_8xb2-amp-160k_ade20k-512x512.py',
        _BEIT_OF_4,
    ),
    'mask2former': Family('mask2former_r50_8xb2-90k_cityscapes-512x1024.py', size=64),
    'maskformer': Family('maskformer_r50-d32_8xb2-160k_ade20k-512x512.py', size=64),
    'mobilenet_v2': Family('mobilenet-v2-d8_fcn_4xb2-80k_cityscapes-512x1024.py'),
    # its head pools windows of 49 x 49 at an eighth of the image's size
    'mobilenet_v3': Family('mobilenet-v3-d8-s_lraspp_4xb4-320k_cityscapes-512x1024.py', size=400),
    'nonlocal_net': Family('nonlocal_r50-d8_4xb2-40k_cityscapes-512x1024.py'),
    'ocrnet': Family('ocrnet_hr18s_4xb2-40k_cityscapes-512x1024.py'),
    'pidnet': Family('pidnet-s_2xb6-120k_1024x1024-cityscapes.py'),
    'point_rend': Family('pointrend_r50_4xb2-80k_cityscapes-512x1024.py', size=64),
    'poolformer': Family('fpn_poolformer_s12_8xb4-40k_ade20k-512x512.py'),
    'psanet': Family('psanet_r50-d8_4xb4-80k_ade20k-512x512.py', size=64),
    'pspnet': Family('pspnet_r18-d8_4xb2-80k_cityscapes-512x1024.py'),
    'resnest': Family(
        'resnest_s101-d8_fcn_4xb2-80k_cityscapes-512x1024.py', {'backbone.depth': 50}
    ),
    'san': Family(
        'san-vit-b16_voc12aug-640x640.py',
        {
            'text_encoder.num_layers': 2,
            'text_encoder.templates': ['a photo of a {}.'],
            # else it computes the embeddings of the class names once, with whatever draw is held
            'text_encoder.cache_feature': False,
        },
        size=64,
    ),
    'segformer': Family('segformer_mit-b0_8xb2-160k_ade20k-512x512.py'),
    'segmenter': Family('segmenter_vit-t_mask_8xb1-160k_ade20k-512x512.py'),
    'segnext': Family('segnext_mscan-t_1xb16-adamw-160k_ade20k-512x512.py'),
    'sem_fpn': Family('fpn_r50_4xb2-80k_cityscapes-512x1024.py'),
    'setr': Family('setr_vit-l_naive_8xb1-80k_cityscapes-768x768.py', _VIT_OF_4),
    'stdc': Family('stdc1_4xb12-80k_cityscapes-512x1024.py'),
    'swin': Family('swin-tiny-patch4-window7-in1k-pre_upernet_8xb2-160k_ade20k-512x512.py'),
    'twins': Family('twins_pcpvt-s_fpn_fpnhead_8xb4-80k_ade20k-512x512.py'),
    'unet': Family('unet-s5-d16_fcn_4xb4-40k_drive-64x64.py'),
    'upernet': Family('upernet_r18_4xb2-40k_cityscapes-512x1024.py'),
    'vit': Family('vit_deit-s16-ln_mln_upernet_8xb2-160k_ade20k-512x512.py', _VIT_OF_4),
    'vpd': Family(
        'vpd_sd_4xb8-25k_nyu-480x480.py',
        {
            'backbone.diffusion_cfg.checkpoint': None,
            'backbone.pad_shape': 64,
            f'{_STABLE_DIFFUSION}.cond_stage_config.target': 'torch.nn.Identity',
            f'{_STABLE_DIFFUSION}.first_stage_config.params.ddconfig.ch': 32,
            f'{_STABLE_DIFFUSION}.unet_config.params.model_channels': 32,
            'decode_head.in_channels': [32, 64, 128, 128],
        },
        size=64,
    ),
}

# what a family needs beyond PyTorch and the OpenMMLab packages that this project installs
NEEDS = {
    'ccnet': 'mmcv.ops',
    'convnext': 'mmpretrain.models',
    'mask2former': 'mmdet.models',
    'maskformer': 'mmdet.models',
    'point_rend': 'mmcv.ops',
    'poolformer': 'mmpretrain.models',
    'psanet': 'mmcv.ops',
    'san': 'mmcv.ops',
    'vpd': 'ldm.models.diffusion.ddpm',
}
