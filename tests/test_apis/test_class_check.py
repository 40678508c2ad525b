"""Heads whose classes are not those of the data are refused, in words."""

import pytest
import torch
from mmengine.registry import init_default_scope
from mmengine.structures import BaseDataElement, PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import nn

from helpers.networks import build_segmentor, segmentor_config
from mmseg_abnn.apis.class_check import check_heads, check_labels

DATA = 'the data'


def network(**heads):
    """A network with heads that say (num_classes, out_channels)."""
    model = nn.Module()
    for name, (num_classes, out_channels) in heads.items():
        head = nn.Identity()
        head.num_classes, head.out_channels, head.ignore_index = num_classes, out_channels, 255
        setattr(model, name, head)
    return model


def meta(number, **more):
    return dict(classes=tuple('abcdefgh'[:number]), **more)


@pytest.mark.parametrize(
    ('heads', 'number'),
    [
        (dict(decode_head=(5, 5), auxiliary_head=(5, 5)), 5),
        (dict(decode_head=(2, 1)), 2),  # a sigmoid
        (dict(decode_head=(1, 1)), 1),
        (dict(decode_head=(1, 1)), 2),
        (dict(head=(5, 5)), 5),
        (dict(head=(None, 5)), 4),  # it does not say how many it has
    ],
)
def test_heads_that_fit(heads, number):
    check_heads(network(**heads), meta(number), DATA)


@pytest.mark.parametrize(
    ('heads', 'number', 'message'),
    [
        (
            dict(decode_head=(4, 4)),
            5,
            r'`model.decode_head.num_classes` is 4, but the data has 5 cl',
        ),
        (
            dict(decode_head=(19, 19)),
            5,
            r'num_classes` is 19, but the data has 5 classes: a, b, c, d',
        ),
        (
            dict(decode_head=(5, 5), auxiliary_head=(6, 6)),
            5,
            '`model.auxiliary_head.num_classes` is 6',
        ),
        (dict(decode_head=(2, 1)), 3, '`model.decode_head.num_classes` is 2, but the data has 3'),
        (dict(decode_head=(2, 2)), 1, '`model.decode_head.num_classes` is 2, but the data has 1'),
        (dict(head=(3, 3)), 4, '`model.head.num_classes` is 3, but the data has 4'),
    ],
)
def test_heads_that_do_not_fit(heads, number, message):
    with pytest.raises(ValueError, match=message):
        check_heads(network(**heads), meta(number), DATA)


def test_reduced_labels_are_named():
    with pytest.raises(
        ValueError, match=r'6 classes \(`reduce_zero_label` is on: the id 0 is ignored'
    ):
        check_heads(network(decode_head=(5, 5)), meta(6, reduce_zero_label=True), DATA)


def test_real_heads():
    model = build_segmentor()
    check_heads(model, meta(5), DATA)
    check_heads(model, {}, DATA)
    with pytest.raises(ValueError, match=r'model.decode_head.num_classes` is 5.* has 6'):
        check_heads(model, meta(6), DATA)


def test_several_auxiliary_heads_and_heads_of_other_labels():
    init_default_scope('mmseg')
    config = segmentor_config()
    one = config.auxiliary_head
    edges = dict(one, type='STDCHead', num_classes=2, out_channels=1, boundary_threshold=0.1)
    edges['loss_decode'] = [dict(type='CrossEntropyLoss', use_sigmoid=True), dict(type='DiceLoss')]
    edges['loss_decode'] = [
        dict(loss, loss_name=f'loss_{place}') for place, loss in enumerate(edges['loss_decode'])
    ]
    model = MODELS.build(segmentor_config(auxiliary_head=[edges, dict(one, num_classes=7)]))
    with pytest.raises(ValueError, match=r'`model.auxiliary_head\[1\].num_classes` is 7'):
        check_heads(model, meta(5), DATA)


def seg_batch(*ids):
    sample = SegDataSample(metainfo=dict(img_path='town/0.png'))
    sample.gt_sem_seg = PixelData(data=torch.tensor([[ids]]))
    return dict(data_samples=[sample])


@pytest.mark.parametrize('ids', [(0, 4, 255), (255, 255)])
def test_labels_that_are_classes(ids):
    check_labels(network(decode_head=(5, 5)), seg_batch(*ids))


@pytest.mark.parametrize(('ids', 'wrong'), [((0, 5, 255), r'\[5\]'), ((-1, 254), r'\[-1, 254\]')])
def test_labels_that_are_no_classes(ids, wrong):
    message = (
        rf'town/0.png: .* ids {wrong}, but `model.decode_head` knows the classes 0..4 and ignores'
    )
    with pytest.raises(ValueError, match=message):
        check_labels(network(decode_head=(5, 5)), seg_batch(*ids))


def test_labels_of_images():
    model = network(head=(3, 3))
    sample = BaseDataElement(metainfo=dict(img_path='a.png'), gt_label=torch.tensor([3]))
    mixed = BaseDataElement(gt_label=torch.tensor([3]), gt_score=torch.ones(4))
    check_labels(model, dict(data_samples=[mixed]))
    with pytest.raises(ValueError, match=r'a.png: the label holds the ids \[3\]'):
        check_labels(model, dict(data_samples=[sample]))
