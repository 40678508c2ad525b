"""What becomes of the losses of a config with a section `abnn`."""

from unittest import mock

import pytest
from mmengine.config import Config

from helpers.section_configs import load, segmentor
from mmseg_abnn.apis import expand_abnn_section


def test_heads_without_a_loss_have_the_default_of_their_class():
    cfg = segmentor()
    for head in (cfg.model.decode_head, cfg.model.auxiliary_head[0]):
        del head.loss_decode
    cfg.model.auxiliary_head.append(dict(type='LightHamHead', loss_decode=dict(type='DiceLoss')))
    expand_abnn_section(cfg)
    eta = dict(type='sparse', weight=0.5)
    expected = dict(type='ABNNLoss', eta=eta, loss_weight=1.0)
    assert cfg.model.decode_head.loss_decode == expected
    first, second = cfg.model.auxiliary_head
    assert first.loss_decode == expected
    assert second['loss_decode'] == dict(type='DiceLoss')


def test_a_head_of_heads_has_no_loss_of_its_own(tmp_path):
    config = tmp_path / 'knet.py'
    config.write_text(
        "_base_ = 'mmseg::knet/knet-s3_r50-d8_fcn_8xb2-adamw-80k_ade20k-512x512.py'\nabnn = dict()"
    )
    head = load(config).model.decode_head
    assert 'loss_decode' not in head
    assert head.kernel_generate_head.loss_decode.type == 'ABNNLoss'


def test_sigmoid_losses_of_auxiliary_heads_stay(tmp_path):
    config = tmp_path / 'stdc.py'
    config.write_text(
        "_base_ = 'mmseg::stdc/stdc1_4xb12-80k_cityscapes-512x1024.py'\nabnn = dict()"
    )
    before = [head.loss_decode for head in Config.fromfile(config).model.auxiliary_head]
    model = load(config).model
    assert [head.loss_decode.type for head in model.auxiliary_head[:2]] == ['ABNNLoss'] * 2
    boundaries = model.auxiliary_head[2].loss_decode
    assert boundaries == before[2]
    assert boundaries[0].use_sigmoid is True
    assert model.decode_head.loss_decode.type == 'ABNNLoss'


@pytest.mark.parametrize(
    ('loss', 'message'),
    [
        (
            dict(type='DiceLoss'),
            r"is one of \['CrossEntropyLoss', .*got \{'model.decode_head': \['DiceLoss'\]\}: "
            'write out what docs/method.md shows',
        ),
        (dict(type='CrossEntropyLoss', use_mask=True), 'a sigmoid per class: train the network'),
        (dict(type='CrossEntropyLoss', reduction='sum'), "has reduction='sum': set it to 'mean'"),
        (dict(type='CrossEntropyLoss', gamma=2.0), r"has \['gamma'\], which ABNNLoss has no equal"),
        (dict(type='OhemCrossEntropy', thresh=0.7), r"OhemCrossEntropy .* has \['thresh'\]"),
    ],
)
def test_losses_that_are_refused(loss, message):
    cfg = segmentor()
    cfg.model.decode_head.loss_decode = loss
    cfg.model.auxiliary_head = None
    with pytest.raises(ValueError, match=message):
        expand_abnn_section(cfg)


def test_a_main_head_without_class_weights_is_named():
    cfg = segmentor()
    cfg.model.decode_head.loss_decode = dict(type='LovaszLoss')
    with mock.patch('mmseg_abnn.apis.abnn_section.print_log') as log:
        expand_abnn_section(cfg)
    (call,) = log.call_args_list
    assert "The losses ['LovaszLoss'] of `model.decode_head` stay as they are" in call.args[0]
    assert cfg.model.auxiliary_head[0].loss_decode.type == 'ABNNLoss'


def test_hard_pixels_are_chosen_as_before():
    cfg = segmentor()
    cfg.model.decode_head.loss_decode = [
        dict(type='OhemCrossEntropy', thres=0.9, min_kept=131072, loss_weight=0.4),
        dict(type='mmseg.OhemCrossEntropy', ignore_label=254, class_weight=[1.0, 2.0]),
        dict(type='BoundaryLoss', loss_weight=20.0),
    ]
    expand_abnn_section(cfg)
    eta = dict(type='sparse', weight=0.5)
    assert cfg.model.decode_head.loss_decode == [
        dict(
            type='ABNNLoss',
            eta=eta,
            loss_weight=0.4,
            ohem=dict(thres=0.9, min_kept=131072),
            ignore_index=255,
        ),
        dict(type='ABNNLoss', eta=eta, class_weight=[1.0, 2.0], ohem={}, ignore_index=254),
        dict(type='BoundaryLoss', loss_weight=20.0),
    ]
