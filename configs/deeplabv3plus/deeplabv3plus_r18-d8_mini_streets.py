# DeepLabV3+ with ResNetV1c-18, trained from scratch on MiniStreets on a CPU
_base_ = [
    'mmseg::_base_/models/deeplabv3plus_r50-d8.py',
    '../_base_/datasets/mini_streets.py',
    '../_base_/default_runtime.py',
]
crop_size = (128, 128)
num_classes = 9
max_iters = 700
norm_cfg = dict(type='BN', requires_grad=True)
loss = dict(type='CrossEntropyLoss', avg_non_ignore=True)
model = dict(
    pretrained=None,
    data_preprocessor=dict(size=crop_size),
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
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=2e-3, weight_decay=0.01),
    clip_grad=None,
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=30),
    dict(type='PolyLR', power=0.9, eta_min=1e-5, by_epoch=False, begin=30, end=max_iters),
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max_iters)
