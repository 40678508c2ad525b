"""Pipelines that would compare predictions with labels of other pixels are refused."""

import random

import numpy as np
import pytest
import torch
from mmcv.transforms import BaseTransform
from mmengine.registry import init_default_scope
from mmseg.datasets import BaseSegDataset
from mmseg.registry import TRANSFORMS
from PIL import Image

from mmseg_abnn.datasets.pipeline_geometry import check_test_pipelines

IMAGE, LABEL, PACK = (
    dict(type=f'{name}') for name in ('LoadImageFromFile', 'LoadAnnotations', 'PackSegInputs')
)
RESIZE = dict(type='Resize', scale=(40, 30), keep_ratio=True)
PAD = dict(type='Pad', size_divisor=16)
FLIP = dict(type='RandomFlip', prob=1.0)
CROP = dict(type='RandomCrop', crop_size=(8, 8))
TTA = dict(
    type='TestTimeAug', transforms=[[RESIZE, dict(RESIZE, scale=(20, 15))], [FLIP], [LABEL], [PACK]]
)


@TRANSFORMS.register_module()
class ShiftPixels(BaseTransform):
    """Moves image and label by one pixel."""

    def transform(self, results):
        for key in ('img', *results.get('seg_fields', ())):
            results[key] = np.roll(results[key], 1, axis=0)
        return results


@TRANSFORMS.register_module()
class MapIds(BaseTransform):
    """Gives a class another id."""

    def transform(self, results):
        results['gt_seg_map'][results['gt_seg_map'] == 1] = 255
        return results


@pytest.fixture
def dataset(tmp_path):
    rng = np.random.default_rng(0)
    for folder, shape in (('img', (15, 20, 3)), ('ann', (15, 20))):
        (tmp_path / folder).mkdir()
        pixels = rng.integers(0, 3, shape).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / folder / '0.png')
    init_default_scope('mmseg')

    def build(*pipeline, labels=True):
        folders = dict(img_path='img', **(dict(seg_map_path='ann') if labels else {}))
        return BaseSegDataset(
            data_root=str(tmp_path),
            data_prefix=folders,
            img_suffix='.png',
            metainfo=dict(classes=('a', 'b', 'c')),
            pipeline=pipeline,
        )

    return build


@pytest.mark.parametrize(
    'pipeline',
    [
        (IMAGE, LABEL, PACK),
        (IMAGE, RESIZE, LABEL, PACK),
        (IMAGE, RESIZE, dict(type='ResizeToMultiple', size_divisor=16), LABEL, PACK),
        (IMAGE, FLIP, LABEL, PACK),
        (IMAGE, LABEL, dict(type='RandomFlip', prob=0.0), PACK),
        (IMAGE, LABEL, dict(type='PhotoMetricDistortion'), dict(type='MapIds'), PACK),
        (IMAGE, TTA),
    ],
)
def test_right_pipelines(dataset, pipeline):
    check_test_pipelines(dataset(*pipeline))


@pytest.mark.parametrize(
    ('pipeline', 'message'),
    [
        (
            (IMAGE, PAD, LABEL, PACK),
            r'Pad \(step 1.*16x32 pixels from one of 15x20 .*size_divisor=32',
        ),
        ((IMAGE, LABEL, PAD, PACK), r'Pad \(step 2.*16x32 pixels from one of 15x20'),
        ((IMAGE, RESIZE, PAD, LABEL, PACK), r'Pad \(step 2.*32x48 pixels from one of 30x40'),
        ((IMAGE, LABEL, CROP, PACK), r'RandomCrop \(step 2.*8x8 pixels from one of 15x20'),
        ((IMAGE, LABEL, RESIZE, PACK), r'Resize \(step 2.*\(15, 20\) to \(30, 40\).*put LoadAnn'),
        ((IMAGE, LABEL, FLIP, PACK), r'RandomFlip \(step 2.*flips the label.*behind this step'),
        ((IMAGE, LABEL, dict(type='ShiftPixels'), PACK), 'ShiftPixels .*moves the pixels'),
        (
            (IMAGE, dict(TTA, transforms=[[RESIZE], [PAD], [LABEL], [PACK]])),
            r'Pad \(step 1.*32x48 pixels from one of 30x40',
        ),
    ],
)
def test_wrong_pipelines(dataset, pipeline, message):
    with pytest.raises(ValueError, match=message):
        check_test_pipelines(dataset(*pipeline))


def test_padding_without_labels(dataset):
    with pytest.raises(ValueError, match='Pad'):
        check_test_pipelines(dataset(IMAGE, PAD, PACK, labels=False))
    check_test_pipelines(dataset(IMAGE, RESIZE, PACK, labels=False))


def test_random_numbers_are_given_back(dataset):
    data = dataset(IMAGE, LABEL, dict(type='PhotoMetricDistortion'), PACK)
    drawn = []
    for check in (True, False):
        random.seed(0)
        np.random.seed(0)
        torch.manual_seed(0)
        if check:
            check_test_pipelines(data)
        drawn.append((random.random(), np.random.rand(), torch.rand(()).item()))
    assert drawn[0] == drawn[1]
