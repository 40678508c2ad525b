"""What noise scales cost, against an evaluation of each of them on its own."""

from unittest import mock

import numpy as np
import pytest
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from sklearn.metrics import jaccard_score, log_loss

from helpers.networks import NUM_CLASSES, build_segmentor
from mmseg_abnn import convert_to_abnn
from mmseg_abnn.apis import alpha_search
from mmseg_abnn.apis.alpha_search import (
    ALPHAS,
    AlphaRow,
    measure_alphas,
    remarks,
    search_alphas,
    suggest_alpha,
)
from mmseg_abnn.evaluation.functional import expected_calibration_error
from mmseg_abnn.models.member_bank import member_tensors
from mmseg_abnn.models.prediction_settings import PredictionSettings


@pytest.fixture
def batches():
    generator = torch.Generator().manual_seed(0)
    found = []
    for index in range(3):
        image = torch.randint(0, 256, (3, 32, 48), generator=generator, dtype=torch.uint8)
        label = torch.randint(0, NUM_CLASSES, (1, 32, 48), generator=generator)
        label[:, :index] = 255
        label[:, -1:] = 254
        meta = dict(ori_shape=(32, 48), img_shape=(32, 48), pad_shape=(32, 48))
        sample = SegDataSample(metainfo=meta, gt_sem_seg=PixelData(data=label))
        found.append(dict(inputs=[image], data_samples=[sample]))
    return found


def build(**test_cfg):
    test_cfg = dict(mode='whole', **test_cfg)
    model = build_segmentor(type='MCEncoderDecoder', test_cfg=test_cfg)
    convert_to_abnn(model, alpha=0.7)
    return model


def measured(model, batches):
    """The same three numbers by other libraries, from all pixels at once."""
    p, labels = [], []
    for batch in batches:
        with torch.no_grad():
            (sample,) = model.val_step(batch)
        label = sample.gt_sem_seg.data.numpy().ravel()
        p.append(sample.seg_logits.data.exp().flatten(1).T.numpy()[label < 254])
        labels.append(label[label < 254])
    p, labels = np.concatenate(p).astype(float), np.concatenate(labels)
    top = p.argmax(axis=1)
    return (
        jaccard_score(labels, top, average='macro'),
        expected_calibration_error(p.max(axis=1), top == labels),
        log_loss(labels, p / p.sum(axis=1, keepdims=True), labels=range(NUM_CLASSES)),
    )


@pytest.mark.parametrize('with_members', [False, True])
def test_each_row_is_what_the_scale_alone_gives(batches, with_members):
    model = build(num_samples=2, seed=3)
    if with_members:
        tensors = member_tensors(model, model.state_dict())
        members = [{n: t * factor for n, t in tensors.items()} for factor in (0.9, 1.2)]
        model.set_members(members)
    rows = measure_alphas(model, batches, [0.1, 0.4])
    assert [row.alpha for row in rows] == [None, 0.1, 0.4]
    for row in rows:
        alone = build(num_samples=2, seed=3)
        if with_members and row.alpha is not None:
            alone.set_members(members)
        convert_to_abnn(alone, alpha=row.alpha or 0.0)
        np.testing.assert_allclose(
            (row.miou, row.ece, row.nll), measured(alone, batches), rtol=1e-5, atol=1e-6
        )
    # the model is as it was
    assert len(model.members) == (2 if with_members else 0)
    assert model.prediction == PredictionSettings(num_samples=2, seed=3)
    assert {layer.alpha for layer in model.modules() if hasattr(layer, 'alpha')} == {0.7}


def test_the_label_map_is_what_is_measured(batches):
    model = build(num_samples=2, seed=3, labels_from='base')
    rows = measure_alphas(model, batches[:1], [0.1, 0.9])
    assert len({row.miou for row in rows}) == 1  # noise changes no label
    assert len({row.nll for row in rows}) == 3
    of_mean = measure_alphas(build(num_samples=2, seed=3), batches[:1], [0.1, 0.9])
    assert of_mean[0].miou == rows[0].miou != of_mean[2].miou
    assert [row.nll for row in of_mean] == [row.nll for row in rows]


def row(alpha, miou, nll=0.0):
    return AlphaRow(alpha, miou, 0.0, nll)


@pytest.mark.parametrize(
    ('max_loss', 'expected'), [(0.0, 0.1), (0.011, 0.2), (0.02, 0.2), (0.031, 0.4), (1.0, 0.4)]
)
def test_suggestion(max_loss, expected):
    # 0.4 loses less than 0.3, but nothing above a scale that loses too much is suggested
    rows = [row(None, 0.7), row(0.1, 0.71), row(0.2, 0.69), row(0.4, 0.68), row(0.3, 0.67)]
    assert suggest_alpha(rows, max_loss) == expected


def test_no_suggestion():
    assert suggest_alpha([row(None, 0.7), row(0.1, 0.6)], 0.05) is None


def test_wrong_arguments(batches):
    with pytest.raises(ValueError, match=r'`alphas` must hold numbers > 0, got \[0.1, 0.0\]'):
        measure_alphas(build(), batches, [0.1, 0.0])
    with pytest.raises(ValueError, match=r'`alphas` must hold numbers > 0, got \[\]'):
        measure_alphas(build(), batches, [])
    with pytest.raises(TypeError, match='must be an MCEncoderDecoder, got EncoderDecoder'):
        measure_alphas(build_segmentor(), batches, [0.1])
    plain = build_segmentor(type='MCEncoderDecoder')
    with pytest.raises(RuntimeError, match='holds no Bayesian layer'):
        measure_alphas(plain, batches, [0.1])
    with pytest.raises(ValueError, match='`max_loss` must be >= 0, got -1'):
        suggest_alpha([row(None, 0.7)], -1)


def searched(losses, max_loss, alphas=None):
    """Search among scales that lose what ``losses`` says; return the scales of each pass."""
    passes = []

    def measured(model, batches, alphas):
        assert batches == 'images'
        passes.append(list(alphas))
        return [row(None, 0.7), *(row(alpha, 0.7 - losses(alpha)) for alpha in alphas)]

    with mock.patch.object(alpha_search, 'measure_alphas', measured):
        rows = search_alphas(None, lambda: 'images', max_loss, alphas)
    assert [r.alpha for r in rows[1:]] == sorted(alpha for each in passes for alpha in each)
    assert rows[0].alpha is None
    return passes, suggest_alpha(rows, max_loss)


def test_a_suggestion_within_the_grid():
    assert searched(lambda alpha: alpha / 10, 0.025) == ([list(ALPHAS)], 0.2)


def test_the_grid_goes_on_upwards():
    passes, found = searched(lambda alpha: alpha / 10, 0.1)
    assert passes == [list(ALPHAS), [0.75], [1.125]]  # which loses 0.1125
    assert found == 0.75
    passes, found = searched(lambda alpha: 1e-9 * alpha, 0.1)
    assert passes[1:] == [[0.75], [1.125], [1.6875]]  # and no further
    assert found == 1.6875


def test_the_grid_goes_on_downwards():
    passes, found = searched(lambda alpha: alpha, 0.006)
    assert passes == [list(ALPHAS), [0.01], [0.005]]
    assert found == 0.005
    passes, found = searched(lambda alpha: 0.5, 0.006)
    assert (len(passes), found) == (4, None)


def test_no_other_scales_than_those_that_were_asked_for():
    assert searched(lambda alpha: 1e-9 * alpha, 0.1, [0.3, 0.1]) == ([[0.1, 0.3]], 0.3)


def test_where_no_label_changes_the_lowest_nll_is_suggested():
    rows = [row(None, 0.7, 0.4), row(0.1, 0.7, 0.38), row(0.2, 0.7, 0.35), row(0.4, 0.7, 0.6)]
    assert suggest_alpha(rows, 0.01) == 0.2
    (said,) = remarks(rows, 0.2, 0.01)
    assert said.startswith('no alpha changes the mIoU')


def test_nothing_is_to_be_said():
    rows = [row(None, 0.7, 0.4), row(0.1, 0.692, 0.39), row(0.2, 0.695, 0.45)]
    assert remarks(rows, 0.1, 0.01) == []


def test_the_end_of_the_grid_is_named():
    (said,) = remarks([row(None, 0.7), row(0.2, 0.71), row(0.1, 0.7)], 0.2, 0.01)
    assert said.startswith('0.2 is the largest alpha that was tried')


def test_a_rising_nll_is_named():
    rows = [row(None, 0.7, 0.4), row(0.1, 0.71, 0.38), row(0.2, 0.7, 0.43), row(0.3, 0.4, 0.9)]
    rising, limit = remarks(rows, 0.2, 0.1)
    assert 'NLL rises with 0.2, from 0.4000 to 0.4300, lowest with 0.1 (0.3800): ' in rising
    assert "with abnn.labels_from='base'" in limit
    (always, _) = remarks([rows[0], *rows[2:]], 0.2, 0.1)
    assert 'to 0.4300: the probabilities fit worse' in always  # no alpha has a lower one


@pytest.mark.parametrize('found', [0.1, None])
def test_a_limit_by_segmentation_is_named(found):
    rows = [row(None, 0.7), row(0.1, 0.7 if found else 0.5), row(0.2, 0.6)]
    (said,) = remarks(rows, found, 0.01)
    assert said.startswith("the loss of mIoU limits alpha: with abnn.labels_from='base'")
