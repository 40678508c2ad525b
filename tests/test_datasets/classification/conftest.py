"""What the tests of MMPretrain's data sets share."""

import pytest
from mmengine.registry import init_default_scope

from helpers.classification_standins import lift_md5s, write_cifar10, write_dtd, write_svhn

PACK = [dict(type='PackInputs')]
OPEN = [
    dict(type='LoadImageFromFile'),
    dict(type='NumpyToPIL', to_rgb=True),
    dict(type='PILToNumpy'),
    dict(type='Resize', scale=(32, 32)),
    *PACK,
]


@pytest.fixture(autouse=True)
def _mmpretrain_scope(_mmseg_scope):
    """Look up registered names in MMPretrain first, as a classification config's scope does."""
    init_default_scope('mmpretrain')


@pytest.fixture
def parts(tmp_path, monkeypatch):
    """Arguments of OODTestSet: CIFAR-10 with 7 images, SVHN with 4 and DTD with 6."""
    lift_md5s(monkeypatch)
    root = str(write_cifar10(tmp_path, train=1, test=7))
    write_svhn(tmp_path, count=4)
    write_dtd(tmp_path / 'dtd', count=3)
    cifar = dict(type='CIFAR10', data_root=root, split='test', download=False, pipeline=PACK)
    svhn = dict(type='SVHNDataset', data_root=root, pipeline=PACK)
    dtd = dict(type='DTDDataset', data_root=f'{root}/dtd', pipeline=OPEN)
    return dict(dataset=cifar, ood=dict(SVHN=svhn, DTD=dtd))
