"""LoadOODAnnotations against a loop over the map."""

import numpy as np
import pytest
from mmseg.registry import TRANSFORMS
from PIL import Image

LABEL_MAP = {0: 0, 7: 1, 19: 254, 20: 254, 255: 255}


@pytest.fixture
def results(tmp_path):
    """What a dataset hands to the pipeline, for a random label."""
    stored = np.random.default_rng(0).choice(list(LABEL_MAP), (5, 8)).astype(np.uint8)
    path = tmp_path / 'label.png'
    Image.fromarray(stored).save(path)
    return dict(
        seg_map_path=str(path), label_map=LABEL_MAP, ood_id=254, reduce_zero_label=False,
        seg_fields=[], stored=stored,
    )  # fmt: skip


@pytest.mark.parametrize(('keep_ood', 'ood'), [(True, 254), (False, 255)])
def test_ood_is_kept_or_ignored(results, keep_ood, ood):
    load = TRANSFORMS.build(dict(type='LoadOODAnnotations', keep_ood=keep_ood))
    loaded = load(results)

    for row, column in np.ndindex(5, 8):
        stored = int(results['stored'][row, column])
        expected = ood if stored in (19, 20) else LABEL_MAP[stored]
        assert loaded['gt_seg_map'][row, column] == expected
    assert loaded['gt_seg_map'].dtype == np.uint8
    assert loaded['seg_fields'] == ['gt_seg_map']


def test_ood_is_ignored_unless_asked_for():
    assert TRANSFORMS.build(dict(type='LoadOODAnnotations')).keep_ood is False


def test_unknown_id_is_an_error(results):
    results['label_map'] = {0: 0, 19: 254, 255: 255}
    load = TRANSFORMS.build(dict(type='LoadOODAnnotations'))
    with pytest.raises(ValueError, match=r'label.png: unknown stored id\(s\) \[7, 20\], allowed'):
        load(results)


def test_colour_label_is_an_error(results):
    Image.fromarray(np.zeros((5, 8, 3), np.uint8)).save(results['seg_map_path'])
    load = TRANSFORMS.build(dict(type='LoadOODAnnotations'))
    with pytest.raises(
        ValueError, match=r'label.png: .* one 8-bit channel, got uint8 of shape \(5, 8, 3\)'
    ):
        load(results)


def test_one_pixel_wide_label_keeps_its_shape(results):
    Image.fromarray(np.zeros((5, 1), np.uint8)).save(results['seg_map_path'])
    loaded = TRANSFORMS.build(dict(type='LoadOODAnnotations'))(results)
    assert loaded['gt_seg_map'].shape == (5, 1)


@pytest.mark.parametrize('sample', [dict(img_path='x.png'), dict(seg_map_path=None)])
def test_sample_without_label_passes(sample):
    load = TRANSFORMS.build(dict(type='LoadOODAnnotations', keep_ood=True))
    assert load(dict(sample)) == sample


def test_label_that_is_missing_is_an_error(results, tmp_path):
    results['seg_map_path'] = str(tmp_path / 'gone.png')
    with pytest.raises(FileNotFoundError):
        TRANSFORMS.build(dict(type='LoadOODAnnotations'))(results)


def test_sixteen_bits_are_an_error(results):
    Image.fromarray(np.full((5, 8), 768, np.uint16)).save(results['seg_map_path'])
    load = TRANSFORMS.build(dict(type='LoadOODAnnotations'))
    with pytest.raises(ValueError, match=r'label.png: a label must have one 8-bit channel'):
        load(results)


def test_data_set_that_does_not_say_what_ids_mean(results):
    del results['ood_id']
    load = TRANSFORMS.build(dict(type='LoadOODAnnotations'))
    with pytest.raises(ValueError, match=r"label.png: .* OODSegDataset.*type='LoadAnnotations'"):
        load(results)
