# An ABNN from the network that the first file trains
_base_ = ['./resnet18_digits.py', '../_base_/models/abnn_classification.py']
load_from = 'work_dirs/resnet18_digits/epoch_15.pth'
