"""SVHN's files: every label, every way in which they can be wrong."""

import numpy as np
import pytest
from scipy.io import loadmat, savemat

pytest.importorskip('mmpretrain', reason='classification needs MMPretrain')
from mmpretrain.registry import DATASETS

from helpers.classification_standins import colors, write_svhn
from mmseg_abnn.datasets.classification import SVHNDataset

pytestmark = pytest.mark.mmpretrain


@pytest.mark.parametrize('serialize', [True, False])
def test_images_and_labels(tmp_path, serialize):
    stored = loadmat(write_svhn(tmp_path, count=23) / 'test_32x32.mat')
    dataset = SVHNDataset(str(tmp_path), serialize_data=serialize)
    assert len(dataset) == 23
    assert dataset.metainfo['classes'] == tuple('0123456789')
    for i in range(23):
        info = dataset.get_data_info(i)
        assert info['img'].shape == (32, 32, 3)
        assert info['img'].dtype == np.uint8
        for y, x, channel in ((0, 0, 0), (3, 30, 1), (31, 7, 2)):
            assert info['img'][y, x, channel] == stored['X'][y, x, channel, i]
        assert info['gt_label'] == {10: 0}.get(stored['y'][i, 0], stored['y'][i, 0])
    assert {type(label) for label in map(dataset.get_cat_ids, range(23))} == {list}
    assert set(dataset.get_gt_labels()) == set(range(10))


def test_splits(tmp_path):
    for split, count in (('train', 4), ('test', 3), ('extra', 2)):
        write_svhn(tmp_path, split, count)
        cfg = dict(type='SVHNDataset', data_root=str(tmp_path), split=split)
        dataset = DATASETS.build(cfg)
        assert len(dataset) == count
        assert dataset.test_mode == (split == 'test')
    assert len(SVHNDataset(str(tmp_path), 'train', indices=2)) == 2
    with pytest.raises(ValueError, match=r"`split` must be one of .*'extra'\], got 'val'"):
        SVHNDataset(str(tmp_path), 'val')


def test_packed(tmp_path):
    stored = loadmat(write_svhn(tmp_path) / 'test_32x32.mat')
    dataset = SVHNDataset(str(tmp_path), pipeline=[dict(type='PackInputs')])
    item = dataset[4]
    np.testing.assert_array_equal(item['inputs'].numpy(), np.moveaxis(stored['X'][..., 4], 2, 0))
    assert item['data_samples'].gt_label.tolist() == [5]


def test_missing(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r'http://ufldl.stanford.edu/housenumbers/'
    ) as caught:
        SVHNDataset(str(tmp_path), 'extra')
    assert str(tmp_path / 'extra_32x32.mat') in str(caught.value)
    dataset = SVHNDataset(str(tmp_path), lazy_init=True)
    with pytest.raises(FileNotFoundError, match=r'test_32x32\.mat'):
        dataset.full_init()


@pytest.mark.parametrize('kept', [0, 50, 127, 140, 1000, -1])
def test_cut_off(tmp_path, kept):
    path = write_svhn(tmp_path) / 'test_32x32.mat'
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError) as caught:
        SVHNDataset(str(tmp_path))
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    'content', [b'<html>404</html>', b'\x89HDF\r\n\x1a\n' + bytes(200), bytes(4000)]
)
def test_not_matlab(tmp_path, content):
    path = tmp_path / 'test_32x32.mat'
    path.write_bytes(content)
    with pytest.raises(ValueError) as caught:
        SVHNDataset(str(tmp_path))
    assert str(path) in str(caught.value)


ONE_TO_FOUR = np.arange(1, 5)[:, None]


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(X=None), 'holds no variable X'),
        (dict(y=None), 'holds no variable y'),
        (dict(X=None, y=None), 'holds no variable X and no y'),
        (dict(X=colors(32, 32, 3, 4) / 255), r'`X` must be uint8 .*, got float64 of shape'),
        (dict(X=colors(4, 32, 32, 3)), r'of shape \(32, 32, 3, N\), got .*\(4, 32, 32, 3\)'),
        (dict(X=colors(32, 32, 3)), r'got uint8 of shape \(32, 32, 3\)'),
        (dict(X=colors(32, 32, 3, 5)), r'`y` must be numbers of shape \(5, 1\), got .*\(4, 1\)'),
        (dict(y=ONE_TO_FOUR.T), r'`y` must be numbers of shape \(4, 1\), got .*\(1, 4\)'),
        (dict(y=np.array([['a'], 2, 3, 4], object)[:, None]), '`y` must be numbers'),
        (dict(y=ONE_TO_FOUR - 1), r'integers from 1 to 10, got \[0\]'),
        (dict(y=ONE_TO_FOUR + 8), r'integers from 1 to 10, got \[11, 12\]'),
        (dict(y=ONE_TO_FOUR + 0.5), r'integers from 1 to 10, got \[1.5, 2.5, 3.5, 4.5\]'),
        (dict(X=colors(32, 32, 3, 0), y=np.zeros((0, 1))), 'holds no image'),
    ],
)
def test_wrong_content(tmp_path, change, message):
    content = {'X': colors(32, 32, 3, 4), 'y': ONE_TO_FOUR, **change}
    path = tmp_path / 'test_32x32.mat'
    savemat(path, {name: value for name, value in content.items() if value is not None})
    with pytest.raises(ValueError, match=message) as caught:
        SVHNDataset(str(tmp_path))
    assert str(path) in str(caught.value)
