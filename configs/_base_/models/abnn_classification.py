# The section `abnn` for a classifier of MMPretrain
_base_ = './abnn.py'

# Epochs as in a co-author's public code for CIFAR-10; a config may state others
abnn = dict(max_epochs=2)
