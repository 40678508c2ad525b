"""Stored files, against the transforms that load them in a training."""

import numpy as np
import pytest
import torch
from mmengine.structures import PixelData
from mmseg.datasets import BaseSegDataset
from mmseg.registry import TRANSFORMS
from mmseg.structures import SegDataSample
from PIL import Image

from mmseg_abnn.datasets import MiniStreetsDataset
from mmseg_abnn.datasets.stored import (
    UNKNOWN,
    ids_after_loading,
    read_image,
    read_label,
    read_scene,
    unpack,
)

SHAPE = (6, 9)


class Letters(BaseSegDataset):
    METAINFO = dict(classes=tuple('abcde'), palette=[[k, k, k] for k in range(5)])  # noqa: RUF012


@pytest.fixture
def info(tmp_path):
    """Write an image and a label; return what a dataset says about them."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (*SHAPE, 3)).astype(np.uint8)
    Image.fromarray(image).save(tmp_path / 'image.png')
    Image.fromarray(np.zeros(SHAPE, np.uint8)).save(tmp_path / 'label.png')
    paths = dict(img_path=str(tmp_path / 'image.png'), seg_map_path=str(tmp_path / 'label.png'))
    return dict(paths, label_map=None, reduce_zero_label=False, seg_fields=[])


def save_all_ids(info):
    """Write all 256 ids as a label, and an image of its size; return the label."""
    stored = np.arange(256, dtype=np.uint8).reshape(16, 16)
    Image.fromarray(stored).save(info['seg_map_path'])
    Image.fromarray(np.zeros((16, 16, 3), np.uint8)).save(info['img_path'])
    return stored


@pytest.mark.parametrize('reduce_zero_label', [False, True])
@pytest.mark.parametrize('classes', [tuple('abcde'), ('d', 'a')])
@pytest.mark.parametrize('ood_id', [None, 100])
def test_ids_are_those_of_load_annotations(info, reduce_zero_label, classes, ood_id):
    label_map = Letters.get_label_map(classes)
    info |= dict(label_map=label_map, reduce_zero_label=reduce_zero_label)
    stored = save_all_ids(info)
    loaded = TRANSFORMS.build(dict(type='LoadAnnotations'))(dict(info))['gt_seg_map']
    found = ids_after_loading(info, len(classes), ood_id)[stored]
    known = np.isin(loaded, [*range(len(classes)), 255, *([ood_id] if ood_id else [])])
    np.testing.assert_array_equal(found[known], loaded[known])
    assert (found[~known] == UNKNOWN).all()
    # ids 0 to 4 are classes, or not among those that were asked for; one is lost if 0 is ignored
    assert known.sum() == 5 + 1 + reduce_zero_label + (ood_id is not None)


def test_ids_are_those_of_load_ood_annotations(info):
    label_map = {0: 1, 7: 0, 8: 255, 19: 254, 20: 254, 255: 255}
    info |= dict(label_map=label_map, ood_id=254)
    found = ids_after_loading(info, 2)
    assert found.shape == (256,)
    assert {i: int(v) for i, v in enumerate(found) if v != UNKNOWN} == label_map
    stored = np.random.default_rng(0).choice(list(label_map), SHAPE).astype(np.uint8)
    Image.fromarray(stored).save(info['seg_map_path'])
    load = TRANSFORMS.build(dict(type='LoadOODAnnotations', keep_ood=True))
    np.testing.assert_array_equal(found[stored], load(dict(info))['gt_seg_map'])


def test_new_ids_that_are_no_class_are_unknown(info):
    found = ids_after_loading(dict(info, label_map={3: 2, 4: 1}, ood_id=254), 2)
    assert (found[3], found[4]) == (UNKNOWN, 1)


def cut_off(path):
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def flip_a_bit(path):
    data = bytearray(path.read_bytes())
    data[data.index(b'IDAT') + 6] ^= 1  # breaks the checksum
    path.write_bytes(data)


def save(array):
    return lambda path: Image.fromarray(array).save(path)


@pytest.mark.parametrize('by_format', [False, True])
@pytest.mark.parametrize(
    ('damage', 'message'),
    [
        (cut_off, r'cannot be read \('),
        (flip_a_bit, r'cannot be read \('),
        (lambda path: path.unlink(), 'cannot be read .*No such file'),
        (lambda path: path.write_bytes(b'no image'), r'cannot be read \(not an image\)'),
        (lambda path: path.write_bytes(b''), r'cannot be read \(not an image\)'),
        (save(np.zeros((*SHAPE, 3), np.uint8)), 'expected one 8-bit channel, got mode RGB'),
        (save(np.zeros((5, 9), np.uint8)), 'is 9x5, but its image is 9x6'),
        (lambda path: (path.parent / 'image.png').unlink(), 'its image cannot be read'),
    ],
)
def test_broken_labels(info, tmp_path, damage, message, by_format):
    damage(tmp_path / 'label.png')
    with pytest.raises(ValueError, match=message):
        read_label(dict(info, ood_id=254) if by_format else info)


def test_no_label(info):
    del info['seg_map_path']
    with pytest.raises(ValueError, match='has no label'):
        read_label(info)


@pytest.mark.parametrize('dtype', [bool, np.uint16])
def test_small_ids_of_other_types(info, dtype):
    """LoadAnnotations takes them; the format of our datasets does not."""
    stored = np.random.default_rng(0).integers(0, 2, SHAPE).astype(dtype)
    Image.fromarray(stored).save(info['seg_map_path'])
    loaded = TRANSFORMS.build(dict(type='LoadAnnotations'))(dict(info))['gt_seg_map']
    found = read_label(info)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, loaded)
    with pytest.raises(ValueError, match='expected one 8-bit channel'):
        read_label(dict(info, ood_id=254))


def test_ids_that_8_bits_do_not_hold(info):
    stored = np.full(SHAPE, 3, np.uint16)
    stored[0, 0] = 259
    Image.fromarray(stored).save(info['seg_map_path'])
    with pytest.raises(ValueError, match='expected ids from 0 to 255, got 3 to 259'):
        read_label(info)


def test_images_of_a_kind_that_pillow_does_not_know(info, tmp_path):
    (tmp_path / 'image.png').write_bytes(b'12 channels')
    assert read_label(info).shape == SHAPE
    with pytest.raises(ValueError, match=r'its image cannot be read \(not an image\)'):
        read_label(dict(info, ood_id=254))


def test_image_is_that_of_load_image_from_file(info):
    loaded = TRANSFORMS.build(dict(type='LoadImageFromFile'))(dict(info))['img']
    np.testing.assert_array_equal(read_image(info)[..., ::-1], loaded)


@pytest.mark.parametrize('content', [b'', b'no image'])
def test_broken_image(info, tmp_path, content):
    (tmp_path / 'image.png').write_bytes(content)
    with pytest.raises(ValueError, match='its image cannot be read'):
        read_image(info)


def test_scene_keeps_ood_and_shows_unknown_ids(write_split):
    label = np.array([[0, 13, 19], [20, 255, 77]], np.uint8)
    root = write_split({'000000': label})
    dataset = MiniStreetsDataset(
        data_root=str(root), split='train', check_labels=False, pipeline=[lambda _: 1 / 0]
    )
    image, ids = read_scene(dataset, 0)
    assert image.shape == (2, 3, 3)
    assert ids.tolist() == [[0, 8, 254], [254, 255, UNKNOWN]]
    (root / 'train/leftLabel/000000_leftLabel.png').unlink()
    with pytest.raises(ValueError, match=r'000000_leftLabel\.png: cannot be read'):
        read_scene(dataset, 0)


def packed(channels, label_shape=SHAPE, dtype=torch.uint8):
    inputs = torch.arange(channels * 54).reshape(channels, *SHAPE).to(dtype)
    label = torch.arange(label_shape[0] * label_shape[1]).reshape(1, *label_shape)
    return dict(inputs=inputs, data_samples=SegDataSample(gt_sem_seg=PixelData(data=label)))


def test_packed_sample():
    sample = packed(3)
    image, ids = unpack(sample)
    for row, column, channel in np.ndindex(*SHAPE, 3):
        assert image[row, column, channel] == sample['inputs'][2 - channel, row, column]
    assert ids.tolist() == np.arange(54).reshape(SHAPE).tolist()


def test_packed_gray_image_of_floats():
    sample = packed(1, dtype=torch.float32)
    sample['inputs'][0, 0, :3] = torch.tensor([-4.0, 7.6, 300.0])
    image, _ = unpack(sample)
    assert image.shape == (*SHAPE, 3)
    assert image[0, :4].tolist() == [[0] * 3, [8] * 3, [255] * 3, [3] * 3]


def test_packed_label_that_is_not_resized():
    image, ids = unpack(packed(3, label_shape=(12, 18)))
    assert ids.shape == (12, 18)
    small, _ = unpack(packed(3))
    np.testing.assert_array_equal(image, small.repeat(2, 0).repeat(2, 1))


def test_samples_that_are_no_pictures():
    with pytest.raises(ValueError, match=r'`inputs` of shape .*, got \(4, 6, 9\)'):
        unpack(packed(4))
    with pytest.raises(ValueError, match='got list'):
        unpack(dict(packed(3), inputs=[torch.zeros(3, 2, 2)]))
    with pytest.raises(ValueError, match='delivers no labels'):
        unpack(dict(packed(3), data_samples=SegDataSample()))
