"""How an ABNN predicts, set in the section `abnn`."""

import pytest
import torch
from mmengine.config import Config

from helpers.section_configs import load, segmentor
from mmseg_abnn.apis import ABNNSettings, expand_abnn_section
from mmseg_abnn.models.prediction_settings import PredictionSettings

OTHERS = dict(
    num_samples=5,
    seed=7,
    draws='none',
    temperature=1.5,
    labels_from='base',
    include_base=True,
    draw_per_image=True,
)


def expanded(section, **test_cfg):
    loss = dict(type='CrossEntropyLoss')
    model = dict(
        type='EncoderDecoder',
        decode_head=dict(type='FCNHead', loss_decode=loss),
        test_cfg=dict(mode='whole', **test_cfg),
    )
    cfg = Config(dict(model=model, abnn=section))
    expand_abnn_section(cfg)
    return cfg.model.test_cfg


def test_all_settings_of_the_prediction_belong_to_the_section():
    assert list(OTHERS) == PredictionSettings.names()
    assert set(OTHERS) < set(ABNNSettings.names())


def test_defaults_are_not_written_but_for_draws_and_seed():
    assert expanded({}) == dict(mode='whole', num_samples=3, seed=0)
    assert expanded(dict(temperature=1.0, draws='noise')) == expanded({})


@pytest.mark.parametrize('name', OTHERS)
def test_each_setting_is_written_to_test_cfg(name):
    expected = {'mode': 'whole', 'num_samples': 3, 'seed': 0, name: OTHERS[name]}
    test_cfg = expanded({name: OTHERS[name]})
    assert test_cfg == expected
    # which says the same as the section
    assert PredictionSettings.among(test_cfg) == PredictionSettings(**{name: OTHERS[name]})


def test_all_of_them_together():
    assert expanded(OTHERS) == dict(mode='whole', **OTHERS)


@pytest.mark.parametrize('name', OTHERS)
def test_test_cfg_beside_a_section_holds_none_of_them(name):
    with pytest.raises(ValueError, match=rf"`model.test_cfg` sets \['{name}'\], which belong"):
        expanded({}, **{name: OTHERS[name]})


@pytest.mark.parametrize(
    ('section', 'message'),
    [
        (dict(num_samples=0), '`abnn.num_samples` must be an int >= 1, got 0'),
        (dict(seed=-1), '`abnn.seed` must be an int >= 0, got -1'),
        (dict(draws='some'), "`abnn.draws` must be one of .*'none'.*, got 'some'"),
        (dict(temperature=0.0), '`abnn.temperature` must be a number > 0, got 0.0'),
        (dict(labels_from='all'), "`abnn.labels_from` must be one of .*, got 'all'"),
        (dict(include_base=1), '`abnn.include_base` must be True or False, got 1'),
        (dict(draw_per_image=0), '`abnn.draw_per_image` must be True or False, got 0'),
    ],
)
def test_what_is_not_allowed(section, message):
    with pytest.raises(ValueError, match=message):
        expanded(section)


SGD = dict(type='SGD', lr=0.01, momentum=0.9, nesterov=True, weight_decay=1e-4)


@pytest.mark.parametrize(
    ('section', 'optimizer', 'eta'),
    [
        (dict(optimizer=dict(lr=0.1)), dict(SGD, lr=0.1), dict(type='sparse', weight=0.5)),
        (dict(optimizer=dict(type='SGD', lr=0.1)), dict(SGD, lr=0.1), None),
        (dict(optimizer=dict(type=torch.optim.SGD, lr=0.1)), None, None),
        (dict(optimizer=dict(type='AdamW', lr=1e-4)), dict(type='AdamW', lr=1e-4), None),
        (
            dict(optimizer=dict(_delete_=True, type='SGD', lr=0.1)),
            dict(type='SGD', lr=0.1),
            None,
        ),
        (dict(eta=dict(num_classes=2)), SGD, dict(type='sparse', weight=0.5, num_classes=2)),
        (dict(eta=dict(type='normal')), SGD, dict(type='normal')),
        (dict(eta=dict(_delete_=True, type='sparse')), SGD, dict(type='sparse')),
        (dict(eta=None), SGD, 'none'),
    ],
)
def test_a_part_of_a_setting_changes_that_part(section, optimizer, eta):
    cfg = segmentor(abnn=section)
    expand_abnn_section(cfg)
    if optimizer is not None:
        assert cfg.optim_wrapper.optimizer == optimizer
    else:  # the class in place of its name
        assert dict(cfg.optim_wrapper.optimizer, type='SGD') == dict(SGD, lr=0.1)
    if eta is not None:
        expected = None if eta == 'none' else eta
        assert cfg.model.decode_head.loss_decode.eta == expected


def test_a_part_of_a_setting_on_the_command_line(tmp_path):
    cfg = segmentor(abnn=dict())
    path = tmp_path / 'abnn.py'
    cfg.dump(str(path))
    found = load(path, **{'abnn.optimizer.lr': 0.3, 'abnn.eta.weight': 2.0})
    assert found.optim_wrapper.optimizer == dict(SGD, lr=0.3)
    assert found.model.decode_head.loss_decode.eta == dict(type='sparse', weight=2.0)
