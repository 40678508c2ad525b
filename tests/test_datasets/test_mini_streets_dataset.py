"""MiniStreetsDataset: what it loads, and what it says about files that are wrong."""

from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmseg.registry import DATASETS
from PIL import Image

from mmseg_abnn.datasets import IGNORE_ID, OOD_ID, MiniStreetsDataset

LOAD = [dict(type='LoadImageFromFile'), dict(type='LoadOODAnnotations', keep_ood=True)]
CLASSES = [
    *('road', 'sidewalk', 'building', 'pole', 'traffic_sign'),
    *('vegetation', 'sky', 'person', 'car'),
]
# written down by hand from MUAD's list of ids, not computed from the class under test
EXPECTED = {0: 0, 1: 1, 2: 2, 5: 3, 7: 4, 8: 5, 10: 6, 11: 7, 13: 8, 19: 254, 20: 254, 255: 255}
EVERY_ID = np.array(list(EXPECTED), dtype=np.uint8).reshape(3, 4)


def test_rendered_folder_loads(rendered):
    dataset = MiniStreetsDataset(data_root=str(rendered), split='test_ood', pipeline=LOAD)

    assert len(dataset) == 3
    assert list(dataset.metainfo['classes']) == CLASSES
    assert dataset.metainfo['ood_id'] == OOD_ID == 254
    for index in range(3):
        sample = dataset[index]
        with Image.open(sample['seg_map_path']) as label:
            stored = np.asarray(label)
        expected = np.vectorize(EXPECTED.get)(stored)
        np.testing.assert_array_equal(sample['gt_seg_map'], expected)
        assert (sample['gt_seg_map'] == OOD_ID).any()
        assert sample['img'].shape[:2] == sample['gt_seg_map'].shape
        assert sample['split'] == 'test_ood'
        assert sample['ood_id'] == OOD_ID
        assert Path(sample['img_path']).name == f'{index:06d}_leftImg8bit.png'


def test_palette_is_that_of_cityscapes(write_split):
    dataset = MiniStreetsDataset(data_root=str(write_split({'000000': EVERY_ID})), split='train')
    from mmseg.datasets import CityscapesDataset

    names = [name.replace('_', ' ') for name in CLASSES]
    cityscapes = dict(
        zip(
            CityscapesDataset.METAINFO['classes'],
            CityscapesDataset.METAINFO['palette'],
            strict=True,
        )
    )
    assert dataset.metainfo['palette'] == [cityscapes[name] for name in names]


def test_label_map_id_by_id(write_split):
    root = write_split({'000000': EVERY_ID})
    info = MiniStreetsDataset(data_root=str(root), split='train').get_data_info(0)

    assert info['label_map'] == EXPECTED
    assert info['reduce_zero_label'] is False
    assert info['seg_fields'] == []


def test_mmsegs_own_loader_reads_the_same_label(write_split):
    root = write_split({'000000': EVERY_ID})
    pipeline = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations')]
    sample = MiniStreetsDataset(data_root=str(root), split='train', pipeline=pipeline)[0]

    np.testing.assert_array_equal(sample['gt_seg_map'].ravel(), list(EXPECTED.values()))


def test_part_of_the_classes(write_split):
    root = write_split({'000000': EVERY_ID})
    dataset = MiniStreetsDataset(
        data_root=str(root),
        split='train',
        metainfo=dict(classes=('car', 'road')),
        pipeline=LOAD,
    )
    expected = dict.fromkeys(EXPECTED, IGNORE_ID) | {13: 0, 0: 1, 19: OOD_ID, 20: OOD_ID}

    assert dataset.metainfo['classes'] == ('car', 'road')
    assert dataset.metainfo['palette'] == [[0, 0, 142], [128, 64, 128]]
    np.testing.assert_array_equal(dataset[0]['gt_seg_map'].ravel(), [*expected.values()])


def test_concatenation_knows_where_a_sample_comes_from(rendered):
    parts = [
        dict(type='MiniStreetsDataset', data_root=str(rendered), split=split, pipeline=LOAD)
        for split in ('test_id', 'test_ood')
    ]
    dataset = DATASETS.build(dict(type='ConcatDataset', datasets=parts))

    assert [dataset[index]['split'] for index in range(len(dataset))] == (
        ['test_id'] * 2 + ['test_ood'] * 3
    )
    assert dataset.metainfo['ood_id'] == OOD_ID


def test_base_config_builds_and_packs(rendered):
    root = Path(__file__).resolve().parents[2]
    config = Config.fromfile(root / 'configs/_base_/datasets/mini_streets.py')
    test = config.test_dataloader.dataset
    for part in [config.train_dataloader.dataset, *test.datasets]:
        part.data_root = str(rendered)
    train_sample = DATASETS.build(config.train_dataloader.dataset)[0]
    test_samples = DATASETS.build(test)

    assert tuple(train_sample['inputs'].shape) == (3, *config.crop_size)
    assert OOD_ID not in train_sample['data_samples'].gt_sem_seg.data
    assert [test_samples[index]['data_samples'].metainfo['split'] for index in range(5)] == [
        'test_id'
    ] * 2 + ['test_ood'] * 3
    assert OOD_ID in test_samples[2]['data_samples'].gt_sem_seg.data


def test_first_samples_only_and_lazy(write_split):
    root = write_split({f'{index:06d}': EVERY_ID for index in range(3)})
    assert len(MiniStreetsDataset(data_root=str(root), split='train', indices=2)) == 2
    lazy = MiniStreetsDataset(data_root='nowhere', split='train', lazy_init=True)
    assert list(lazy.metainfo['classes']) == CLASSES


@pytest.mark.parametrize('split', ['test', 'Train', ''])
def test_unknown_split(split):
    with pytest.raises(ValueError, match=rf"`split` must be one of \['train', .*got '{split}'"):
        MiniStreetsDataset(data_root='nowhere', split=split)


def test_missing_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'image folder .*val.leftImg8bit does not exist'):
        MiniStreetsDataset(data_root=str(tmp_path), split='val')


def test_missing_label_folder(write_split):
    root = write_split({})
    (root / 'train/leftLabel').rmdir()
    with pytest.raises(FileNotFoundError, match=r'label folder .*leftLabel does not exist'):
        MiniStreetsDataset(data_root=str(root), split='train')


def test_empty_folder(write_split):
    root = write_split({})
    with pytest.raises(FileNotFoundError, match=r'leftImg8bit holds no file \*_leftImg8bit.png'):
        MiniStreetsDataset(data_root=str(root), split='train')


def test_images_without_label(write_split):
    root = write_split({f'{index:06d}': EVERY_ID for index in range(5)})
    for index in (1, 2, 3, 4):
        (root / f'train/leftLabel/{index:06d}_leftLabel.png').unlink()
    with pytest.raises(ValueError, match=r'4 image\(s\) without a label .*: 000001_left') as info:
        MiniStreetsDataset(data_root=str(root), split='train')
    assert '000004' not in str(info.value)  # the first few only


def test_label_without_image(write_split):
    root = write_split({'000000': EVERY_ID, '000001': EVERY_ID})
    (root / 'train/leftImg8bit/000000_leftImg8bit.png').unlink()
    with pytest.raises(ValueError, match=r'1 label\(s\) without an image .*: 000000_leftLabel'):
        MiniStreetsDataset(data_root=str(root), split='train')


def _rgb(path):
    Image.fromarray(np.zeros((3, 4, 3), np.uint8)).save(path)


def _sixteen_bit(path):
    Image.fromarray(np.zeros((3, 4), np.uint16)).save(path)


def _other_size(path):
    Image.fromarray(np.zeros((4, 3), np.uint8)).save(path)


def _unknown_ids(path):
    Image.fromarray(np.array([[0, 3, 13, 18]] * 3, np.uint8)).save(path)


def _truncated(path):
    path.write_bytes(path.read_bytes()[:-20])


def _no_image_at_all(path):
    path.write_bytes(b'this is no PNG')


@pytest.mark.parametrize(
    ('damage', 'message'),
    [
        (_rgb, 'expected one 8-bit channel, got mode RGB'),
        (_sixteen_bit, 'expected one 8-bit channel, got mode I;16'),
        (_other_size, 'is 3x4, but its image is 4x3'),
        (_unknown_ids, r'unknown stored id\(s\) \[3, 18\]'),
        (_truncated, 'cannot be read'),
        (_no_image_at_all, 'cannot be read'),
    ],
)
def test_wrong_labels_are_found_at_construction(write_split, damage, message):
    root = write_split({'000000': EVERY_ID, '000001': EVERY_ID})
    damage(root / 'train/leftLabel/000001_leftLabel.png')

    with pytest.raises(ValueError, match=message) as info:
        MiniStreetsDataset(data_root=str(root), split='train')
    assert '1 of 2 label(s) are wrong' in str(info.value)
    assert '000001_leftLabel.png' in str(info.value)
    assert '000000_leftLabel.png' not in str(info.value)
    assert str(sorted(EXPECTED)) in str(info.value)
    # without the check the construction only looks at names
    unchecked = MiniStreetsDataset(data_root=str(root), split='train', check_labels=False)
    assert len(unchecked) == 2
