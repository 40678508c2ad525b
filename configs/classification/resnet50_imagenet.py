# ResNet-50 as MMPretrain trains it, on 8 GPUs; or take its released weights
_base_ = [
    'mmpretrain::_base_/models/resnet50.py',
    '../_base_/datasets/imagenet.py',
    'mmpretrain::_base_/schedules/imagenet_bs256.py',
    '../_base_/classification_runtime.py',
]
