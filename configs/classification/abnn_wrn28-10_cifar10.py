# An ABNN from the network that the first file trains
_base_ = ['./wrn28-10_cifar10.py', '../_base_/models/abnn_classification.py']
load_from = 'work_dirs/wrn28-10_cifar10/epoch_200.pth'
