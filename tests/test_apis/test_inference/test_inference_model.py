"""Images of all kinds through a network, and the pipeline that prepares them."""

import copy

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config

from helpers.abnn_files import PIPELINE, picture, save_abnn, section_config
from mmseg_abnn.apis import expand_abnn_section, inference_model, init_model
from mmseg_abnn.apis.inference_pipeline import inference_pipeline


@pytest.fixture(scope='module')
def model(tmp_path_factory):
    cfg = section_config()
    expand_abnn_section(cfg)
    return init_model(save_abnn(tmp_path_factory.mktemp('abnn'), cfg), device='cpu')


def equal(one, other):
    return torch.equal(one.seg_logits.data, other.seg_logits.data)


def test_a_path_and_its_pixels_are_the_same_image(model, tmp_path):
    image = picture(0, 40, 70)
    cv2.imwrite(str(tmp_path / 'a.png'), image)
    results = [
        inference_model(model, each)
        for each in (image, tmp_path / 'a.png', str(tmp_path / 'a.png'))
    ]
    assert results[0].pred_sem_seg.shape == (40, 70)
    assert equal(results[0], results[1])
    assert equal(results[0], results[2])


@pytest.mark.parametrize('batch_size', [2, 5])
def test_images_of_one_size_go_together_and_keep_their_order(model, batch_size, monkeypatch):
    images = [picture(i, *size) for i, size in enumerate([(48, 64)] * 3 + [(30, 64), (48, 64)])]
    alone = [inference_model(model, image) for image in images]
    batches = []
    step = model.test_step
    monkeypatch.setattr(
        model, 'test_step', lambda data: (batches.append(len(data['inputs'])), step(data))[1]
    )
    results = inference_model(model, images, batch_size=batch_size)
    assert batches == ([2, 1, 1, 1] if batch_size == 2 else [3, 1, 1])
    for one, other in zip(alone, results, strict=True):
        torch.testing.assert_close(one.seg_logits.data, other.seg_logits.data, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ('images', 'error', 'message'),
    [
        ('missing.png', FileNotFoundError, 'no image file .*missing.png'),
        (np.zeros((2, 3, 4, 5)), ValueError, r'shape \(H, W, 3\), got \(2, 3, 4, 5\)'),
        (np.zeros((0, 4, 3)), ValueError, r'got \(0, 4, 3\)'),
        (
            picture(0) / 255,
            ValueError,
            r'uint8 from 0 to 255 .* got float64 of shape',
        ),
        (picture(0).astype(np.uint16), ValueError, 'got uint16'),
        (picture(0)[..., 0], ValueError, r'got uint8 of shape \(48, 64\)'),
        ([], ValueError, '`images` is empty'),
        ([picture(0), 7], TypeError, 'a path or an array, got int'),
    ],
)
def test_what_is_no_image_is_refused(model, images, error, message):
    with pytest.raises(error, match=message):
        inference_model(model, images)


def test_a_file_that_is_no_image_is_named(model, tmp_path):
    (tmp_path / 'broken.png').write_bytes(b'no image')
    with pytest.raises(ValueError, match=r'broken\.png cannot be read'):
        inference_model(model, tmp_path / 'broken.png')


@pytest.mark.parametrize('value', [0, 1.5, True])
def test_a_batch_has_a_size(model, value):
    with pytest.raises(ValueError, match='`batch_size` must be an int >= 1'):
        inference_model(model, picture(0), batch_size=value)


def test_a_pipeline_of_other_images_takes_other_arrays(model, monkeypatch):
    loader = dict(type='LoadImageFromFile', color_type='unchanged')
    monkeypatch.setitem(model.cfg, 'test_pipeline', [loader, *PIPELINE[1:]])
    image = picture(0)
    assert equal(inference_model(model, image.astype(np.float32)), inference_model(model, image))


@pytest.mark.parametrize(
    ('step', 'message'),
    [
        (
            dict(type='CenterCrop', crop_size=(24, 24)),
            'CenterCrop .* 24x24 pixels from',
        ),
        (dict(type='Pad', size=(64, 64)), 'Pad .* 64x64 pixels from one of 36x48'),
    ],
)
def test_steps_that_shift_a_prediction_are_refused(model, monkeypatch, step, message):
    other = copy.copy(model)
    other.cfg = copy.deepcopy(model.cfg)
    other.cfg.test_pipeline = [PIPELINE[0], dict(type='Resize', scale=(48, 36)), step, PIPELINE[-1]]
    with pytest.raises(ValueError, match=message):
        inference_model(other, picture(0))


DATA = dict(type='BaseSegDataset', pipeline=PIPELINE)
WITHOUT_LABELS = ['LoadImageFromFile', 'Resize', 'PackSegInputs']


@pytest.mark.parametrize(
    'cfg',
    [
        dict(test_dataloader=dict(dataset=DATA)),
        dict(test_dataloader=dict(dataset=dict(type='ConcatDataset', datasets=[DATA, DATA]))),
        dict(
            test_dataloader=dict(dataset=dict(type='OODTestSet', datasets=[dict(type='X'), DATA]))
        ),
        dict(test_dataloader=dict(dataset=dict(type='RepeatDataset', dataset=DATA))),
        dict(test_dataloader=dict(dataset=dict(type='NoPipeline')), test_pipeline=PIPELINE),
        dict(test_pipeline=PIPELINE),
    ],
)
def test_the_pipeline_is_found_and_loads_no_labels(cfg):
    assert [transform.type for transform in inference_pipeline(Config(cfg))] == WITHOUT_LABELS


def test_labels_in_a_transform_of_transforms():
    choice = dict(type='RandomApply', transforms=[PIPELINE[2], dict(type='PhotoMetricDistortion')])
    found = inference_pipeline(Config(dict(test_pipeline=[*PIPELINE[:2], choice, PIPELINE[-1]])))
    assert [part.type for part in found[2].transforms] == ['PhotoMetricDistortion']


def test_a_config_without_a_pipeline_is_refused():
    with pytest.raises(ValueError, match='it needs `test_pipeline`'):
        inference_pipeline(Config(dict(test_dataloader=None)))
    with pytest.raises(ValueError, match=r"loads no image: .*got \['PackSegInputs'\]"):
        inference_pipeline(Config(dict(test_pipeline=[dict(type='PackSegInputs')])))
