"""How a network predicts: what `test_cfg` may say."""

import pytest

from helpers.networks import build_segmentor
from mmseg_abnn.models.prediction_settings import PredictionSettings

OTHERS = dict(
    num_samples=5,
    seed=7,
    draws='dropout',
    temperature=2.5,
    labels_from='base',
    include_base=True,
    draw_per_image=True,
)


def test_defaults():
    model = build_segmentor(type='MCEncoderDecoder')
    assert model.prediction == PredictionSettings(
        num_samples=3,
        seed=0,
        draws='noise',
        temperature=1.0,
        labels_from='mean',
        include_base=False,
        draw_per_image=False,
    )


def test_a_network_takes_them_from_its_test_cfg():
    assert list(OTHERS) == PredictionSettings.names()
    test_cfg = dict(mode='slide', crop_size=(32, 32), stride=(16, 16), **OTHERS)
    model = build_segmentor(type='MCEncoderDecoder', test_cfg=test_cfg)
    assert model.prediction == PredictionSettings(**OTHERS)
    assert model.test_cfg == test_cfg


def test_a_member_without_noise_is_one_function():
    assert PredictionSettings(num_samples=5).draws_per_member == 5
    assert PredictionSettings(num_samples=5, draws='dropout').draws_per_member == 5
    assert PredictionSettings(num_samples=5, draws='none').draws_per_member == 1


@pytest.mark.parametrize(
    ('settings', 'members', 'expected'),
    [
        ({}, 3, "3 members x 3 draws; seed=0, temperature=1, labels_from='mean'"),
        (
            OTHERS,
            2,
            '2 members x 5 draws of dropout, anew for each image, and the base network; seed=7, '
            "temperature=2.5, labels_from='base'",
        ),
        (
            dict(draws='none', draw_per_image=True),
            0,
            "1 member without noise; seed=0, temperature=1, labels_from='mean'",
        ),
    ],
)
def test_they_are_said_in_one_line(settings, members, expected):
    assert PredictionSettings(**settings).describe(members) == f'the mean of {expected}'


@pytest.mark.parametrize(
    ('setting', 'message'),
    [
        (dict(num_samples=0), '`test_cfg.num_samples` must be an int >= 1, got 0'),
        (dict(num_samples=2.5), '`test_cfg.num_samples` must be an int >= 1, got 2.5'),
        (dict(num_samples=True), '`test_cfg.num_samples` must be an int >= 1, got True'),
        (dict(seed=-1), '`test_cfg.seed` must be an int >= 0, got -1'),
        (
            dict(draws='bnl'),
            r"`test_cfg.draws` must be one of \('noise', 'dropout', 'none'\), got 'bnl'",
        ),
        (dict(temperature=0), '`test_cfg.temperature` must be a number > 0, got 0'),
        (dict(temperature=True), '`test_cfg.temperature` must be a number > 0, got True'),
        (dict(temperature='warm'), "`test_cfg.temperature` must be a number > 0, got 'warm'"),
        (dict(temperature=float('nan')), 'must be a number > 0, got nan'),
        (dict(temperature=float('inf')), 'must be a number > 0, got inf'),
        (dict(labels_from='mode'), r"`test_cfg\.labels_from` must be one of .*got 'mode'"),
        (dict(include_base=1), '`test_cfg.include_base` must be True or False, got 1'),
        (dict(draw_per_image='no'), "`test_cfg.draw_per_image` must be True or False, got 'no'"),
    ],
)
def test_what_is_not_allowed(setting, message):
    with pytest.raises(ValueError, match=message):
        build_segmentor(type='MCEncoderDecoder', test_cfg=dict(mode='whole', **setting))
