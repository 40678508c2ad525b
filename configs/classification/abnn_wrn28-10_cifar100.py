# An ABNN from the network that the first file trains
_base_ = ['./wrn28-10_cifar100.py', '../_base_/models/abnn_classification.py']
load_from = 'work_dirs/wrn28-10_cifar100/epoch_200.pth'
abnn = dict(max_epochs=10)  # as in a co-author's public code for CIFAR-100
