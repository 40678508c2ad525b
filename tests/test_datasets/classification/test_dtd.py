"""DTD's lists: which images, which labels, which errors."""

import os

import numpy as np
import pytest
from PIL import Image

pytest.importorskip('mmpretrain', reason='classification needs MMPretrain')
from mmpretrain.datasets.categories import DTD_CATEGORIES
from mmpretrain.registry import DATASETS

from helpers.classification_standins import write_dtd
from mmseg_abnn.datasets.classification import DTDDataset

pytestmark = pytest.mark.mmpretrain

CLASSES = ('zigzagged', 'banded', 'polka-dotted')


@pytest.fixture
def dtd(tmp_path):
    return write_dtd(tmp_path / 'dtd', CLASSES, partitions=(1, 2, 10))


def infos(dataset):
    return [dataset.get_data_info(i) for i in range(len(dataset))]


@pytest.mark.parametrize('partition', [1, 2, 10])
@pytest.mark.parametrize('split', ['train', 'val', 'test'])
def test_a_split_is_its_list(dtd, split, partition):
    cfg = dict(type='DTDDataset', data_root=str(dtd), split=split, partition=partition)
    dataset = DATASETS.build(cfg)
    lines = (dtd / 'labels' / f'{split}{partition}.txt').read_text().split()
    assert len(lines) == 6
    assert [info['img_path'] for info in infos(dataset)] == [f'{dtd}/images/{x}' for x in lines]
    for info, line in zip(infos(dataset), lines, strict=True):
        assert DTD_CATEGORIES[info['gt_label']] == os.path.dirname(line)
    assert dataset.metainfo['classes'] == DTD_CATEGORIES
    assert dataset.test_mode == (split != 'train')


def test_all_are_the_images_of_the_three_lists(dtd):
    found = [info['img_path'] for info in infos(DTDDataset(str(dtd), 'all', 10))]
    assert sorted(found) == sorted(map(str, dtd.glob('images/*/*.jpg')))
    assert len(found) == 18


def test_the_default_is_the_test_split_of_the_first_partition(dtd):
    first, second = (infos(DTDDataset(str(dtd), 'test', partition)) for partition in (1, 2))
    assert infos(DTDDataset(str(dtd))) == first != second


@pytest.mark.parametrize(
    ('between', 'step'),
    [([], -1), ([dict(type='NumpyToPIL', to_rgb=True), dict(type='PILToNumpy')], 1)],
    ids=['BGR', 'RGB'],
)
def test_images_are_loaded(dtd, between, step):
    pipeline = [dict(type='LoadImageFromFile'), *between, dict(type='PackInputs')]
    item = DTDDataset(str(dtd), pipeline=pipeline)[2]
    path = item['data_samples'].img_path
    expected = np.asarray(Image.open(path))[..., ::step]
    np.testing.assert_array_equal(item['inputs'].permute(1, 2, 0).numpy(), expected)
    assert DTD_CATEGORIES[int(item['data_samples'].gt_label)] in path


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(split='trainval'), r"`split` must be one of .*'all'\], got 'trainval'"),
        (dict(partition=0), '`partition` must be one of .* 10], got 0'),
        (dict(partition=11), '`partition` must be one of .* 10], got 11'),
    ],
)
def test_wrong_arguments(dtd, arguments, message):
    with pytest.raises(ValueError, match=message):
        DTDDataset(str(dtd), **arguments)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('', 'is empty: it names no image'),
        ('\n \n', 'is empty: it names no image'),
        ('banded/banded_0000.jpg\n\nplain/plain_0001.jpg\n', "line 3: 'plain' is not a class"),
        ('banded_0000.jpg\n', 'line 1: expected <class>/<image>'),
        ('banded/\n', 'line 1: expected <class>/<image>'),
        ('images/banded/banded_0000.jpg\n', 'line 1: expected <class>/<image>'),
        ('banded/banded_0000.jpg\n' * 2, 'names banded/banded_0000.jpg, which .* names too'),
    ],
)
def test_wrong_lists(dtd, text, message):
    path = dtd / 'labels' / 'test1.txt'
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        DTDDataset(str(dtd))
    assert str(path) in str(caught.value)


def test_an_image_in_two_lists(dtd):
    labels = dtd / 'labels'
    (labels / 'val1.txt').write_text((labels / 'train1.txt').read_text())
    assert len(DTDDataset(str(dtd), 'val')) == 6
    with pytest.raises(ValueError, match=r'val1.txt names zigzagged/.*train1.txt names too'):
        DTDDataset(str(dtd), 'all')


def test_missing_list(dtd):
    with pytest.raises(FileNotFoundError, match=r'labels/test3.txt, which does not exist'):
        DTDDataset(str(dtd), partition=3)
    dataset = DTDDataset(str(dtd / 'elsewhere'), lazy_init=True)
    with pytest.raises(FileNotFoundError, match=r'https://www.robots.ox.ac.uk/~vgg/data/dtd/'):
        dataset.full_init()


def test_missing_images(dtd):
    lines = (dtd / 'labels' / 'test1.txt').read_text().split()
    (dtd / 'images' / lines[3]).unlink()
    with pytest.raises(FileNotFoundError, match=f'1 of 6 images .*: {lines[3]}$'):
        DTDDataset(str(dtd))
    (dtd / 'images').rename(dtd / 'pictures')
    with pytest.raises(FileNotFoundError, match=r'6 of 6 images .*, \.\.\.$'):
        DTDDataset(str(dtd))


def test_one_scan_per_class(dtd, monkeypatch):
    scanned, listdir = [], os.listdir
    monkeypatch.setattr(os, 'listdir', lambda path: scanned.append(path.name) or listdir(path))
    DTDDataset(str(dtd), 'all')
    assert sorted(scanned) == sorted(CLASSES)
