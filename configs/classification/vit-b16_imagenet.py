# ViT-B/16 as MMPretrain trains it, on 64 GPUs
_base_ = [
    'mmpretrain::_base_/models/vit-base-p16.py',
    '../_base_/datasets/imagenet_vit.py',
    'mmpretrain::_base_/schedules/imagenet_bs4096_AdamW.py',
    '../_base_/classification_runtime.py',
]
model = dict(head=dict(hidden_dim=3072), train_cfg=dict(augments=dict(type='Mixup', alpha=0.2)))
optim_wrapper = dict(clip_grad=dict(max_norm=1.0))
