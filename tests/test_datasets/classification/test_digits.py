"""The benchmark made of scikit-learn's digits."""

import sys

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch.nn.functional import interpolate

pytest.importorskip('mmpretrain', reason='classification needs MMPretrain')
from mmpretrain.registry import DATASETS

from mmseg_abnn.datasets.classification import DigitsDataset

pytestmark = pytest.mark.mmpretrain

BUNDLED = load_digits()
IN_SPLITS = ('train', 'val', 'test')
# sums of gray levels, and of those of the first images times their places
TOTALS = {'train': 268234, 'val': 67288, 'test': 112396}
FIRST = {'shuffled': 26441, 'textures': 50364}


def images(dataset):
    return np.stack([dataset.get_data_info(i)['img'] for i in range(len(dataset))])


def stored(dataset):
    """0 to 16 from images that were not enlarged."""
    gray = images(dataset)[..., 0]
    levels = np.rint(gray * (16 / 255)).astype(int)
    assert np.abs(levels * (255 / 16) - gray).max() <= 0.5
    return levels


def as_sets(arrays):
    return {np.asarray(array).astype(np.uint8).tobytes() for array in arrays}


def test_splits_part_the_images_of_the_classes():
    parts = {split: DigitsDataset(split, size=8) for split in IN_SPLITS}
    found = [as_sets(stored(part)) for part in parts.values()]
    expected = as_sets(BUNDLED.images[BUNDLED.target < 8])
    assert set.union(*found) == expected
    assert sum(map(len, found)) == len(expected) == sum(map(len, parts.values()))
    for split, share in (('train', 0.6), ('val', 0.15), ('test', 0.25)):
        counts = np.bincount(parts[split].get_gt_labels(), minlength=8)
        np.testing.assert_allclose(counts, share * np.bincount(BUNDLED.target)[:8], atol=1)


def test_labels_and_order():
    """Every image is scikit-learn's, with its label as a place in ``classes``, in its order."""
    place = {image.tobytes(): i for i, image in enumerate(BUNDLED.images.astype(np.uint8))}
    assert len(place) == len(BUNDLED.images)
    classes = (7, 2, 9)
    for split in (*IN_SPLITS, 'unseen'):
        dataset = DigitsDataset(split, classes, size=8)
        indices = [place[image.astype(np.uint8).tobytes()] for image in stored(dataset)]
        assert indices == sorted(indices)
        names = dataset.metainfo['classes']
        assert names == (tuple('0134568') if split == 'unseen' else ('7', '2', '9'))
        labels = [names[label] for label in dataset.get_gt_labels()]
        assert labels == [str(BUNDLED.target[i]) for i in indices]
    unseen = as_sets(stored(DigitsDataset('unseen', classes, size=8)))
    assert unseen == as_sets(BUNDLED.images[~np.isin(BUNDLED.target, classes)])


@pytest.mark.parametrize('split', IN_SPLITS)
def test_an_images_split_does_not_depend_on_the_classes(split):
    every = as_sets(stored(DigitsDataset(split, range(10), size=8)))
    some = as_sets(stored(DigitsDataset(split, [9, 0, 4], size=8)))
    assert some == every & as_sets(BUNDLED.images[np.isin(BUNDLED.target, [9, 0, 4])])


def test_nothing_changes_with_releases():
    """What was drawn when this was written; results would not compare otherwise."""
    totals = {split: int(stored(DigitsDataset(split, size=8)).sum()) for split in IN_SPLITS}
    assert totals == TOTALS
    weights = np.arange(64).reshape(8, 8)
    first = {
        split: int((stored(DigitsDataset(split, size=8))[:3] * weights).sum())
        for split in ('shuffled', 'textures')
    }
    assert first == FIRST


def test_shuffled_images_have_the_pixels_of_the_test_images():
    test, shuffled = (DigitsDataset(split, size=8) for split in ('test', 'shuffled'))
    before, after = (stored(part).reshape(len(part), -1) for part in (test, shuffled))
    np.testing.assert_array_equal(np.sort(before), np.sort(after))
    assert (before != after).any(axis=1).all()
    assert shuffled.get_gt_labels().tolist() == test.get_gt_labels().tolist()
    assert shuffled.metainfo == test.metainfo
    # each in its own order: where the first image's pixels went would not explain the second
    orders = [np.random.RandomState(i).permutation(64) for i in range(len(test))]
    for i, order in enumerate(orders):
        assert [before[i][j] for j in order] == after[i].tolist()
    assert len({tuple(order) for order in orders}) == len(test)


def test_textures():
    textures = DigitsDataset('textures', size=8)
    levels = stored(textures)
    assert len(levels) == len(DigitsDataset('test'))
    assert len(as_sets(levels)) == len(levels)
    assert (levels.reshape(len(levels), -1).min(axis=1) == 0).all()
    assert (levels.reshape(len(levels), -1).max(axis=1) == 16).all()
    assert textures.metainfo['classes'] == ('texture',)
    assert set(textures.get_gt_labels()) == {0}
    # unlike digits, they do not fade to black at the left and right edge
    edges = [s[:, :, [0, 7]].mean() for s in (levels, stored(DigitsDataset('test', size=8)))]
    assert edges[0] > 6 > 1 > edges[1]


@pytest.mark.parametrize('size', [8, 16, 27, 32])
@pytest.mark.parametrize('split', ['train', 'textures'])
def test_size(split, size):
    small = torch.from_numpy(stored(DigitsDataset(split, size=8))[:, None] * (255 / 16))
    larger = interpolate(small.round(), (size, size), mode='bilinear', align_corners=False)
    dataset = DigitsDataset(split, size=size)
    found = images(dataset)
    assert found.shape == (len(dataset), size, size, 3)
    assert found.dtype == np.uint8
    assert (found == found[..., :1]).all()
    np.testing.assert_allclose(found[..., 0], larger[:, 0].numpy(), atol=1)


def test_built_from_a_config():
    cfg = dict(
        type='DigitsDataset', split='val', classes=[1, 2], pipeline=[dict(type='PackInputs')]
    )
    dataset = DATASETS.build(cfg)
    assert dataset[0]['inputs'].shape == (3, 16, 16)
    assert dataset[0]['data_samples'].gt_label.tolist() == [dataset.get_data_info(0)['gt_label']]
    assert dataset.test_mode
    assert not DigitsDataset('train').test_mode
    assert not DigitsDataset('test', test_mode=False).test_mode
    named = DigitsDataset('test', [0, 1], metainfo=dict(classes=('zero', 'one')))
    assert named.metainfo['classes'] == ('zero', 'one')


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(split='ood'), r"`split` must be one of .*'textures'\], got 'ood'"),
        (dict(classes=[]), r'`classes` must be different digits, 0 to 9, got \[\]'),
        (dict(classes=[1, 1]), r'different digits, 0 to 9, got \[1, 1\]'),
        (dict(classes=[9, 10]), r'different digits, 0 to 9, got \[9, 10\]'),
        (dict(classes=['1']), r"different digits, 0 to 9, got \['1'\]"),
        (dict(split='unseen', classes=range(10)), 'must leave out a digit'),
        (dict(size=7), '`size` must be >= 8, got 7'),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        DigitsDataset(**{'split': 'test', **arguments})


def test_what_is_missing_is_named_where_it_is_needed(monkeypatch):
    # importing the module, and with it all data sets of classification, needed no scikit-learn
    monkeypatch.setitem(sys.modules, 'sklearn.datasets', None)
    with pytest.raises(ImportError, match=r'`DigitsDataset` needs .*: pip install scikit-learn'):
        DigitsDataset('test')
