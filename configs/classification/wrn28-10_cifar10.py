# WideResNet-28-10 with the schedule of its paper (Zagoruyko and Komodakis, BMVC 2016), no dropout
_base_ = [
    '../_base_/models/wrn28-10_cifar.py',
    '../_base_/datasets/cifar10.py',
    'mmpretrain::_base_/schedules/cifar10_bs128.py',
    '../_base_/classification_runtime.py',
]
optim_wrapper = dict(optimizer=dict(nesterov=True, weight_decay=5e-4))
param_scheduler = dict(milestones=[60, 120, 160], gamma=0.2)
