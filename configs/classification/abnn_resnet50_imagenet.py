# An ABNN from the network that the first file trains
_base_ = ['./resnet50_imagenet.py', '../_base_/models/abnn_classification.py']
load_from = 'work_dirs/resnet50_imagenet/epoch_100.pth'
abnn = dict(max_epochs=5)  # as in the public code of the authors' laboratory
