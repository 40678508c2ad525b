"""What a checkpoint must hold, and what becomes of the members in it."""

from pathlib import Path

import pytest
import torch

from helpers.networks import TINY, segmentor_config
from helpers.small_runs import base_checkpoint, small_config, train
from mmseg_abnn.apis import load_runner
from mmseg_abnn.checkpoint import read_checkpoint
from mmseg_abnn.engine import CheckpointMembersHook

NETWORK = {**TINY, 'auxiliary_head': segmentor_config(**TINY).decode_head}
OTHER_AUXILIARY = {
    'missing': lambda state: {n: t for n, t in state.items() if 'auxiliary' not in n},
    'unknown': lambda state: {**state, 'auxiliary_head.more.weight': torch.ones(1)},
    'of another shape': lambda state: {
        **state,
        'auxiliary_head.conv_seg.weight': torch.ones(3, 8, 1, 1),
    },
}
OTHER_NETWORK = {
    'missing': (
        lambda state: {n: t for n, t in state.items() if n != 'decode_head.conv_seg.bias'},
        r'1 of \d+ weights of the model are missing from it \(first: decode_head.conv_seg.bias\)',
    ),
    'unknown': (
        lambda state: {**state, 'neck.weight': torch.ones(1)},
        r'1 of \d+ of its weights are unknown to the model \(first: neck.weight\)',
    ),
    'of another shape': (
        lambda state: {**state, 'decode_head.conv_seg.bias': torch.ones(3)},
        r'have another shape \(first: decode_head.conv_seg.bias: \(3,\) instead of \(5,\)\)',
    ),
}


@pytest.fixture
def state(tmp_path):
    return read_checkpoint(base_checkpoint(tmp_path / 'base.pth', **NETWORK))['state_dict']


@pytest.fixture
def run(tmp_path):
    """Return a function that loads a checkpoint with a config, for a test or to train."""

    def loaded(checkpoint, trains=False, hook=None, **changes):
        torch.save(checkpoint, tmp_path / 'given.pth')
        path = str(tmp_path / 'given.pth')
        cfg = small_config(
            tmp_path / 'work', path, network=NETWORK, iterations=1, hook=hook, **changes
        )
        return train(cfg)[0] if trains else load_runner(cfg, path)

    return loaded


def log(runner):
    return next(Path(runner.work_dir).rglob('*.log')).read_text()


@pytest.mark.parametrize('kind', OTHER_AUXILIARY)
def test_the_auxiliary_head_matters_to_a_training_only(state, run, kind):
    changed = {'state_dict': OTHER_AUXILIARY[kind](state)}
    model = run(changed).model
    name = 'backbone.stem.1.weight'
    assert torch.equal(model.state_dict()[name], state[name])
    with pytest.raises(ValueError, match=r'the checkpoint does not fit the model.*auxiliary_head'):
        run(changed, trains=True)


@pytest.mark.parametrize('trains', [True, False])
@pytest.mark.parametrize('kind', OTHER_NETWORK)
def test_what_takes_part_in_a_prediction_must_fit(state, run, kind, trains):
    change, message = OTHER_NETWORK[kind]
    with pytest.raises(ValueError, match=message):
        run({'state_dict': change(state)}, trains)


def test_counters_of_batches_may_be_missing(state, run):
    old = {n: t for n, t in state.items() if not n.endswith('num_batches_tracked')}
    assert len(old) < len(state)
    run({'state_dict': old}, trains=True)


def test_one_hook_is_enough(state, run):
    for trains in (True, False):
        hooks = run({'state_dict': state}, trains).hooks
        assert [type(hook) for hook in hooks].count(CheckpointMembersHook) == 1


def with_members(state, **facts):
    weight = state['backbone.stem.1.weight']
    members = [{'backbone.stem.1.weight': weight + m} for m in (1, 2)]
    facts = dict(alpha=0.1, noise_shape='channel', **facts)
    return dict(state_dict=state, members=members, meta=dict(members=[facts, facts]))


def test_members_are_handed_to_the_network(state, run):
    runner = run(with_members(state), hook=dict(alpha=0.1))
    banks = [bank.tensors() for bank in runner.model.members]
    for m, tensors in zip((1, 2), banks, strict=True):
        assert set(tensors) == {'backbone.stem.1.weight'}
        expected = state['backbone.stem.1.weight'] + m
        assert torch.equal(tensors['backbone.stem.1.weight'], expected)
    assert 'The members were fine-tuned with' not in log(runner)


def test_other_noise_than_that_of_the_fine_tuning_is_said(state, run):
    runner = run(with_members(state), hook=dict(alpha=0.3))
    message = 'The members were fine-tuned with alpha=0.1, they are used with alpha=0.3'
    assert log(runner).count(message) == 1


def test_a_network_that_does_not_sample_takes_no_members(state, run):
    changes = {'model.type': 'EncoderDecoder', 'custom_hooks': []}
    message = "an ABNN's with 2 members, and EncoderDecoder would predict without them"
    with pytest.raises(ValueError, match=message):
        run(with_members(state), **changes)


@pytest.mark.parametrize(
    ('alpha', 'draws', 'message'),
    [
        (0.1, 'noise', 'the noise is drawn around its one set of weights (M = 1)'),
        (0.0, 'dropout', 'the noise is drawn around its one set of weights (M = 1)'),
        (0.0, 'noise', 'and there is no noise: this tests one deterministic network, no ensemble'),
        (0.1, 'none', 'and there is no noise: this tests one deterministic network, no ensemble'),
    ],
)
def test_a_test_without_members_says_what_is_sampled(state, run, alpha, draws, message):
    changes = {'model.test_cfg.draws': draws}
    runner = run({'state_dict': state}, hook=dict(alpha=alpha), **changes)
    runner.call_hook('before_test')
    assert log(runner).count('The checkpoint holds no members') == 1
    assert message in log(runner)


def test_a_test_says_how_it_predicts(state, run):
    changes = {'model.test_cfg.num_samples': 4, 'model.test_cfg.temperature': 1.5}
    runner = run(with_members(state), hook=dict(alpha=0.1), **changes)
    runner.call_hook('before_test')
    said = (
        'Each prediction is the mean of 2 members x 4 draws; seed=0, temperature=1.5, '
        "labels_from='mean'\n"
    )
    assert log(runner).count(said) == 1


def test_a_test_without_a_checkpoint_is_refused(state, run):
    runner = run({'state_dict': state})
    runner.hooks[:] = [h for h in runner.hooks if not isinstance(h, CheckpointMembersHook)]
    runner.register_hook(CheckpointMembersHook())
    with pytest.raises(ValueError, match='no checkpoint was loaded: there is no trained network'):
        runner.call_hook('before_test')
