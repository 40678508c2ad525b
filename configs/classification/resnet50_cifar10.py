# ResNet-50 with a 3x3 stem, as MMPretrain trains it
_base_ = [
    'mmpretrain::_base_/models/resnet50_cifar.py',
    '../_base_/datasets/cifar10.py',
    'mmpretrain::_base_/schedules/cifar10_bs128.py',
    '../_base_/classification_runtime.py',
]
