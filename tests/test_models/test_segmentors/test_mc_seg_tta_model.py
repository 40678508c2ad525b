"""Test-time augmentation: every view counts like a draw."""

import copy

import pytest
import torch
from mmengine.structures import PixelData
from mmseg.models.segmentors import SegTTAModel

from helpers.monte_carlo import build, predict, samples
from helpers.networks import build_segmentor
from mmseg_abnn.models.layers import Draw, hold_draw
from mmseg_abnn.models.segmentors import MCSegTTAModel


@pytest.fixture
def x():
    return torch.randn(2, 3, 32, 48, generator=torch.Generator().manual_seed(0))


def test_test_time_augmentation_is_the_mean_over_the_views(x):
    model = build(test_cfg=dict(mode='whole', num_samples=2))
    tta = MCSegTTAModel(model)
    views, draws = [], []
    for flip in (False, True):
        data = samples(1, (32, 48), flip=flip, flip_direction='horizontal', img_path='a.png')
        image = x[:1].flip(-1) if flip else x[:1]
        views.append(predict(model, image, data)[0])
        for index in range(2):
            with torch.no_grad(), hold_draw(model, Draw(0, 0, index)):
                logits = model.encode_decode(image, [dict(img_shape=(32, 48))])[0]
            draws.append(logits.flip(-1) if flip else logits)
    (merged,) = tta.merge_preds([copy.deepcopy(views)])
    p = sum(view.seg_logits.data.softmax(0) for view in views) / 2
    torch.testing.assert_close(merged.seg_logits.data.softmax(0), p)
    assert torch.equal(merged.pred_sem_seg.data[0], p.argmax(0))
    expected = sum(view.uncertainty.expected_entropy for view in views) / 2
    torch.testing.assert_close(merged.uncertainty.expected_entropy, expected)
    labels = torch.stack(draws).argmax(dim=1)
    agreeing = (labels == labels.mode(dim=0).values).float().mean(dim=0)
    torch.testing.assert_close(merged.uncertainty.variation_ratio[0], 1 - agreeing)
    max_logit = -torch.stack(draws).amax(dim=1).mean(dim=0)
    torch.testing.assert_close(merged.uncertainty.max_logit[0], max_logit)
    assert 'votes' not in merged
    assert not torch.allclose(views[0].seg_logits.data, views[1].seg_logits.data)


def test_augmented_labels_of_the_network_itself(x):
    """They are those that MMSegmentation's own augmentation gives the network."""
    networks = {
        'drawn': build(alpha=0.8, test_cfg=dict(mode='whole', num_samples=2)),
        'kept': build(alpha=0.8, test_cfg=dict(mode='whole', num_samples=2, labels_from='base')),
        'plain': build_segmentor(),
    }
    merged = {}
    for name, network in networks.items():
        tta = (SegTTAModel if name == 'plain' else MCSegTTAModel)(network)
        views = []
        for flip in (False, True):
            data = samples(1, (64, 96), flip=flip, flip_direction='horizontal', img_path='a.png')
            views.append(predict(network, x[:1].flip(-1) if flip else x[:1], data)[0])
        (merged[name],) = tta.merge_preds([views])
    labels = {name: sample.pred_sem_seg.data.squeeze(0) for name, sample in merged.items()}
    assert torch.equal(labels['kept'], labels['plain'])
    assert not torch.equal(labels['kept'], labels['drawn'])
    assert torch.equal(merged['kept'].seg_logits.data, merged['drawn'].seg_logits.data)
    assert set(merged['kept'].keys()) == set(merged['drawn'].keys())


def test_augmented_sigmoid_segmentors_are_merged_as_before():
    head = dict(type='FCNHead', in_channels=64, in_index=3, channels=8, num_convs=1)
    head.update(num_classes=2, out_channels=1, threshold=0.3, concat_input=False)
    head['loss_decode'] = dict(type='CrossEntropyLoss', use_sigmoid=True)
    model = build_segmentor(decode_head=head, auxiliary_head=None)
    views = []
    for shift in (-2.0, 3.0):
        (view,) = samples(1, (4, 4), img_path='a.png')
        view.seg_logits = PixelData(data=torch.full((1, 4, 4), shift))
        views.append(view)
    (merged,) = MCSegTTAModel(model).merge_preds([views])
    assert merged.pred_sem_seg.data.float().mean() == 1  # mean probability 0.54 > 0.3
