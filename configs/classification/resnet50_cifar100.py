# ResNet-50 with a 3x3 stem, as MMPretrain trains it
_base_ = [
    'mmpretrain::_base_/models/resnet50_cifar.py',
    '../_base_/datasets/cifar100.py',
    'mmpretrain::_base_/schedules/cifar10_bs128.py',
    '../_base_/classification_runtime.py',
]
model = dict(head=dict(num_classes=100))
# MMPretrain's for CIFAR-100
optim_wrapper = dict(optimizer=dict(weight_decay=5e-4))
param_scheduler = dict(milestones=[60, 120, 160], gamma=0.2)
