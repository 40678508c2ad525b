"""How an ABNN predicts, set in the section `abnn`."""

import pytest
from mmengine.config import Config

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
