# An ABNN from the network that the first file trains
_base_ = ['./vit-b16_imagenet.py', '../_base_/models/abnn_classification.py']
load_from = 'work_dirs/vit-b16_imagenet/epoch_300.pth'
abnn = dict(max_epochs=5)  # as in the public code of the authors' laboratory
