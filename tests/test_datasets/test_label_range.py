"""Labels whose ids LoadAnnotations would change."""

import numpy as np
import pytest
from mmseg.datasets.transforms import LoadAnnotations
from PIL import Image

from mmseg_abnn.datasets.label_range import check_ids_fit, check_label_paths


def save(path, ids, dtype, mode=None):
    Image.fromarray(np.array([ids], dtype), mode).save(path)
    return str(path)


def loaded(path):
    return LoadAnnotations()(dict(seg_map_path=path, reduce_zero_label=False, seg_fields=[]))


@pytest.mark.parametrize(
    ('name', 'ids', 'dtype'),
    [
        ('a.png', [0, 7, 255], np.uint8),
        ('a.png', [0, 7, 255], np.uint16),
        ('a.tif', [0, 7, 255], np.int32),
        ('a.tif', [0.0, 7.0, 255.0], np.float32),
    ],
)
def test_ids_that_stay(tmp_path, name, ids, dtype):
    path = save(tmp_path / name, ids, dtype)
    assert loaded(path)['gt_seg_map'].ravel().tolist() == [0, 7, 255]
    check_ids_fit(path)


@pytest.mark.parametrize(
    ('name', 'ids', 'dtype', 'becomes', 'found'),
    [
        ('a.png', [768, 5, 772], np.uint16, [0, 5, 4], r'\[768, 772\]'),
        ('a.tif', [256, 5, -1], np.int32, [0, 5, 255], r'\[-1, 256\]'),
        ('a.tif', [1.7, 5.0], np.float32, [1, 5], r'\[1.7'),
    ],
)
def test_ids_that_would_become_others(tmp_path, name, ids, dtype, becomes, found):
    path = save(tmp_path / name, ids, dtype)
    assert loaded(path)['gt_seg_map'].ravel().tolist() == becomes
    good = save(tmp_path / 'good.png', [1], np.uint8)
    for check in (check_ids_fit, lambda file: check_label_paths([good, file])):
        with pytest.raises(ValueError, match=f'{name}: .* ids from 0 to 255, got {found}'):
            check(path)


def test_missing_labels(tmp_path):
    good = save(tmp_path / 'good.png', [1], np.uint8)
    gone = [str(tmp_path / f'{name}.png') for name in 'abcd']
    with pytest.raises(
        FileNotFoundError, match=r'4 of 5 labels do not exist: .*a.png.*c.png, \.\.\.'
    ):
        check_label_paths([good, *gone])
    check_label_paths([good, 's3://bucket/label.png'])


def test_broken_label(tmp_path):
    ids = np.random.default_rng(0).integers(0, 9, 500)
    path = save(tmp_path / 'cut.png', ids, np.uint16)
    with open(path, 'r+b') as file:
        file.truncate(100)
    with pytest.raises(ValueError, match=r'cut.png: cannot be read'):
        check_ids_fit(path)
