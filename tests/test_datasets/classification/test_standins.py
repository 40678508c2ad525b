"""MMPretrain reads the stand-ins as it reads the published files."""

import pickle

import numpy as np
import pytest
from PIL import Image

pytest.importorskip('mmpretrain', reason='classification needs MMPretrain')
from mmpretrain.datasets import CIFAR10, CIFAR100, ImageNet

from helpers.classification_standins import (
    WNIDS,
    lift_md5s,
    write_cifar10,
    write_cifar100,
    write_imagenet,
)

pytestmark = pytest.mark.mmpretrain


@pytest.mark.parametrize(
    ('kind', 'write', 'files', 'key'),
    [
        (CIFAR10, write_cifar10, {'train': 'data_batch_1', 'test': 'test_batch'}, 'labels'),
        (CIFAR100, write_cifar100, {'train': 'train', 'test': 'test'}, 'fine_labels'),
    ],
)
def test_cifar(tmp_path, monkeypatch, kind, write, files, key):
    write(tmp_path, train=7, test=12)
    with pytest.raises(RuntimeError, match='Cannot find CIFAR'):
        kind(str(tmp_path), download=False)
    lift_md5s(monkeypatch)
    for split, file in files.items():
        dataset = kind(str(tmp_path), split, download=False)
        content = pickle.loads((tmp_path / kind.base_folder / file).read_bytes())
        assert len(dataset) == {'train': 7 * len(kind.train_list), 'test': 12}[split]
        for i in range(7):
            info = dataset.get_data_info(i)
            planes = content['data'][i].reshape(3, 32, 32)
            np.testing.assert_array_equal(info['img'], np.stack(list(planes), axis=-1))
            assert info['gt_label'] == content[key][i] == i
    assert kind.meta['md5'] is None
    monkeypatch.undo()
    assert len(kind.meta['md5']) == len(kind.train_list[0][1]) == 32


@pytest.mark.parametrize('meta', [True, False])
def test_imagenet(tmp_path, meta):
    write_imagenet(tmp_path, train=3, val=2, size=(24, 20), meta=meta)
    for split, count in (('train', 3), ('val', 2)):
        dataset = ImageNet(str(tmp_path), split, classes=None if meta else WNIDS)
        assert dataset.get_gt_labels().tolist() == [0] * count + [1] * count
        assert len(dataset.metainfo['classes']) == (1000 if meta else 2)
        paths = [dataset.get_data_info(i)['img_path'] for i in range(2 * count)]
        assert sorted(paths) == sorted(map(str, (tmp_path / split).rglob('*.JPEG')))
        assert {Image.open(path).size for path in paths} == {(24, 20)}
        if split == 'train' or not meta:
            folders = [path.split('/')[-2] for path in paths]
            assert folders == [WNIDS[0]] * count + [WNIDS[1]] * count
