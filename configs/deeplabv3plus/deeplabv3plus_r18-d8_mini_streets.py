# DeepLabV3+ with ResNetV1c-18, trained from scratch on MiniStreets on a CPU
_base_ = [
    'mmseg::_base_/models/deeplabv3plus_r50-d8.py',
    '../_base_/datasets/mini_streets.py',
    '../_base_/default_runtime.py',
    '../_base_/schedules/schedule_700_mini_streets.py',
]
num_classes = 9
norm_cfg = dict(type='BN', requires_grad=True)
loss = dict(type='CrossEntropyLoss', avg_non_ignore=True)
model = dict(
    pretrained=None,
    data_preprocessor=dict(size=_base_.crop_size),
    backbone=dict(depth=18, norm_cfg=norm_cfg),
    decode_head=dict(
        in_channels=512,
        channels=128,
        c1_in_channels=64,
        c1_channels=48,
        num_classes=num_classes,
        norm_cfg=norm_cfg,
        # a stride-8 map of a 128x128 crop is 16x16: Cityscapes' (1, 12, 24, 36) would reach outside
        dilations=(1, 3, 6, 9),
        loss_decode=dict(_delete_=True, loss_weight=1.0, **loss),
    ),
    auxiliary_head=dict(
        in_channels=256,
        channels=64,
        num_classes=num_classes,
        norm_cfg=norm_cfg,
        loss_decode=dict(_delete_=True, loss_weight=0.4, **loss),
    ),
)
