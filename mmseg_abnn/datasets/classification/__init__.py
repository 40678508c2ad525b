"""Data sets of image classification; importing this needs MMPretrain and registers them there."""

from .digits import DigitsDataset
from .dtd import DTDDataset
from .ood_test_set import OODTestSet, UnlabeledSample
from .svhn import SVHNDataset

__all__ = ['DTDDataset', 'DigitsDataset', 'OODTestSet', 'SVHNDataset', 'UnlabeledSample']
