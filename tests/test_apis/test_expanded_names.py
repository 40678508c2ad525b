"""Settings in messages have the names that the user wrote."""

import copy

import pytest
from mmengine.config import Config

from mmseg_abnn.apis import expand_abnn_section
from mmseg_abnn.apis.expanded_names import name_in_section


def config(**section):
    loss = dict(type='CrossEntropyLoss')
    head = dict(type='FCNHead', loss_decode=[loss, loss])
    model = dict(type='EncoderDecoder', decode_head=head, auxiliary_head=[dict(head)])
    sampler = dict(type='DefaultSampler')
    return Config(dict(model=model, train_dataloader=dict(sampler=sampler), abnn=section))


@pytest.fixture
def expanded():
    cfg = config()
    expand_abnn_section(cfg)
    return copy.deepcopy(cfg)  # as the config of a member is


@pytest.mark.parametrize(
    ('key', 'expected'),
    [
        ('custom_hooks.0.alpha', 'abnn.alpha'),
        ('custom_hooks.12.include.0: a -> b', 'abnn.include.0: a -> b'),
        ('model.decode_head.loss_decode.0.eta.weight', 'abnn.eta.weight'),
        ('model.auxiliary_head.0.loss_decode.1.eta', 'abnn.eta'),
        ('optim_wrapper.optimizer.lr: 1 -> 2', 'abnn.optimizer.lr: 1 -> 2'),
        ('train_cfg.max_iters: 1 -> 2', 'abnn.max_iters: 1 -> 2'),
        ('param_scheduler.0.end', 'abnn.max_iters'),
        # these are not the section's
        ('custom_hooks.0.alphabet', 'custom_hooks.0.alphabet'),
        ('custom_hooks.0.type', 'custom_hooks.0.type'),
        ('model.backbone.depth', 'model.backbone.depth'),
        ('train_dataloader.batch_size', 'train_dataloader.batch_size'),
    ],
)
def test_names(expanded, key, expected):
    assert name_in_section(expanded, key) == expected
    assert name_in_section(Config(expanded.to_dict()), key) == key  # the same without a section


def test_the_budget_may_be_epochs():
    cfg = config(max_epochs=2)
    expand_abnn_section(cfg)
    assert name_in_section(cfg, 'param_scheduler.0.end') == 'abnn.max_epochs'


def test_the_note_is_no_setting(expanded):
    assert 'expanded' not in str(list(expanded.keys()))
    assert 'expanded_section' not in expanded.pretty_text
