"""The hooks in trainings with MMEngine's Runner."""

import json
from pathlib import Path

import pytest
import torch
from mmengine.optim import DefaultOptimWrapperConstructor, OptimWrapper
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS

from helpers.networks import TINY, build_segmentor
from helpers.small_runs import base_checkpoint, small_config, train
from mmseg_abnn import convert_to_abnn
from mmseg_abnn.checkpoint import read_checkpoint
from mmseg_abnn.models.layers import bayesian_layers


@pytest.fixture(scope='module')
def base(tmp_path_factory):
    return base_checkpoint(tmp_path_factory.mktemp('base') / 'base.pth')


@pytest.fixture(scope='module')
def base_state(base):
    return read_checkpoint(base)['state_dict']


def states_equal(first, second):
    assert first.keys() == second.keys()
    return all(torch.equal(value, second[name]) for name, value in first.items())


def moved(runner, base_state):
    state = runner.model.state_dict()
    return {name for name, value in state.items() if not torch.equal(value, base_state[name])}


def test_only_norms_move_and_statistics_stay(tmp_path, base, base_state):
    runner, observer = train(small_config(tmp_path, base))
    expected = {
        f'{name}.{kind}' for name in bayesian_layers(runner.model) for kind in ('weight', 'bias')
    }
    assert moved(runner, base_state) == expected
    assert [set(names) for names in observer.with_gradient] == [expected] * 3
    log = next(Path(tmp_path).rglob('*.log')).read_text()
    assert log.count('Converted MCEncoderDecoder to an ABNN') == 1
    assert 'parameters are trained' in log


def test_updated_statistics_on_request(tmp_path, base, base_state):
    runner, _ = train(small_config(tmp_path, base, hook=dict(norm_eval=False)))
    names = moved(runner, base_state)
    assert 'backbone.stem.1.running_mean' in names
    assert 'backbone.stem.1.num_batches_tracked' in names


def test_statistics_of_norms_that_were_left_alone_stay_too(tmp_path, base, base_state):
    runner, _ = train(small_config(tmp_path, base, hook=dict(exclude=['backbone.*'])))
    assert not any(name.startswith('backbone') for name in moved(runner, base_state))
    assert any(name.startswith('decode_head') for name in moved(runner, base_state))


def test_the_moving_average_copies_a_bayesian_model(tmp_path, base):
    ema = dict(type='EMAHook', momentum=0.5, priority='ABOVE_NORMAL')
    cfg = small_config(tmp_path, base)
    cfg.custom_hooks.insert(0, ema)
    runner, _ = train(cfg)
    (hook,) = (h for h in runner.hooks if type(h).__name__ == 'EMAHook')
    average = hook.ema_model.module
    assert bayesian_layers(average).keys() == bayesian_layers(runner.model).keys()
    assert not torch.equal(average.backbone.stem[1].weight, runner.model.backbone.stem[1].weight)


def test_frozen_stages_stay_frozen_and_the_log_says_so(tmp_path, base, base_state):
    runner, _ = train(small_config(tmp_path, base, **{'model.backbone.frozen_stages': 1}))
    names = moved(runner, base_state)
    assert not any(name.startswith(('backbone.stem', 'backbone.layer1')) for name in names)
    assert 'backbone.layer2.0.bn1.weight' in names
    assert bayesian_layers(runner.model)['backbone.stem.1'].alpha == 0.1
    log = next(Path(tmp_path).rglob('*.log')).read_text()
    assert 'parameters that were to be trained (`frozen_stages`?)' in log


@OPTIM_WRAPPER_CONSTRUCTORS.register_module(force=True)
class WithoutFrozen(DefaultOptimWrapperConstructor):
    """Leaves frozen parameters out, as the constructors of vision transformers do."""

    def __call__(self, model):
        trained = [p for p in model.parameters() if p.requires_grad]
        return OptimWrapper(torch.optim.SGD(trained, lr=0.1))


def test_parameters_that_the_optimizer_does_not_know(tmp_path, base):
    changes = {
        'optim_wrapper.constructor': 'WithoutFrozen',
        'model.decode_head.norm_cfg.requires_grad': False,
    }
    with pytest.raises(ValueError, match=r'does not know 20 of the 66 parameter tensors'):
        train(small_config(tmp_path, base, **changes))


def test_resumed_training_equals_an_uninterrupted_one(tmp_path, base):
    def config(folder, iterations, **changes):
        prior = dict(prior_std=2.0, prior_center='pretrained', eta=dict(type='normal'))
        hook = dict(alpha=0.3)
        cfg = small_config(tmp_path / folder, base, 4, iterations, prior, hook, **changes)
        cfg.model.decode_head.dropout_ratio = 0.5
        return cfg

    whole, observed = train(config('whole', 4))
    train(config('parts', 2))
    checkpoint = str(tmp_path / 'parts/iter_2.pth')
    assert read_checkpoint(checkpoint)['abnn']['eta'].keys() == {
        'decode_head.loss_decode',
        'auxiliary_head.loss_decode',
    }
    resumed = config('parts', 4, resume=True)
    resumed.load_from = checkpoint
    parts, again = train(resumed)
    assert states_equal(parts.model.state_dict(), whole.model.state_dict())
    assert again.logged == observed.logged[2:]


def test_eta_comes_from_the_checkpoint_when_resuming(tmp_path, base):
    first, _ = train(small_config(tmp_path, base, iterations=1))
    eta = first.model.decode_head.loss_decode.offsets
    changes = {'randomness.seed': 99, 'resume': True}
    cfg = small_config(tmp_path, str(tmp_path / 'iter_1.pth'), iterations=2, **changes)
    resumed, _ = train(cfg)
    assert torch.equal(resumed.model.decode_head.loss_decode.offsets, eta)
    fresh, _ = train(
        small_config(tmp_path / 'fresh', base, iterations=1, **{'randomness.seed': 99})
    )
    assert not torch.equal(fresh.model.decode_head.loss_decode.offsets, eta)


@pytest.mark.parametrize('center', ['zero', 'pretrained'])
def test_the_prior_is_on_the_trained_parameters_once(tmp_path, base, base_state, center):
    loss = dict(prior_std=0.5, prior_center=center)
    runner, observer = train(small_config(tmp_path, base, iterations=2, loss=loss))
    model = runner.model
    trained = {n for n, p in model.named_parameters() if p.requires_grad}
    prior = model.decode_head.loss_decode.prior
    assert set(prior.parameters) == trained
    assert model.auxiliary_head.loss_decode.prior is None
    expected = sum(
        float(((p.detach() - (base_state[n] if center == 'pretrained' else 0)) ** 2).sum())
        for n, p in model.named_parameters()
        if n in trained
    )
    assert prior().item() == pytest.approx(2 * expected, rel=1e-4)
    scalars = next(Path(tmp_path).rglob('vis_data/scalars.json')).read_text().splitlines()
    last = json.loads(scalars[-1])
    together = last['decode_head.loss_decode.likelihood'] + last['decode_head.loss_decode.prior']
    assert together == pytest.approx(last['decode.loss_abnn'], rel=1e-4)
    assert observer.logged[-1]['loss'] == pytest.approx(
        observer.logged[-1]['decode.loss_abnn'] + observer.logged[-1]['aux.loss_abnn'], rel=1e-5
    )


def test_a_prior_beside_weight_decay_is_refused(tmp_path, base):
    changes = {'optim_wrapper.optimizer.weight_decay': 1e-4}
    message = r"prior_std=0.5, and the optimizer's weight_decay \(0.0001\) is such a prior too"
    with pytest.raises(ValueError, match=message):
        train(small_config(tmp_path, base, loss=dict(prior_std=0.5), **changes))


def test_gradient_accumulation_equals_the_larger_batch(tmp_path, base):
    changes = {'train_dataloader.dataset.ignore': False}
    settings = dict(load_from=base, hook=dict(alpha=0.0), **changes)
    whole, _ = train(small_config(tmp_path / 'a', batch_size=4, iterations=2, **settings))
    settings['optim_wrapper.accumulative_counts'] = 2
    parts, _ = train(small_config(tmp_path / 'b', batch_size=2, iterations=4, **settings))
    for name, value in whole.model.state_dict().items():
        torch.testing.assert_close(parts.model.state_dict()[name], value, rtol=1e-4, atol=1e-5)


def test_gradient_checkpointing_repeats_the_noise(tmp_path, base):
    settings = dict(load_from=base, hook=dict(alpha=0.3))
    plain, _ = train(small_config(tmp_path / 'a', **settings))
    changes = {'model.backbone.with_cp': True}
    checkpointed, _ = train(small_config(tmp_path / 'b', **settings, **changes))
    # other noise in the second forward pass would differ by more than 1e-4
    for name, value in plain.model.state_dict().items():
        torch.testing.assert_close(
            checkpointed.model.state_dict()[name], value, rtol=1e-6, atol=1e-8
        )


def test_bfloat16_autocast_stays_close(tmp_path, base, base_state):
    settings = dict(load_from=base, hook=dict(alpha=0.0), iterations=1)
    full, _ = train(small_config(tmp_path / 'a', **settings))
    changes = {'optim_wrapper.type': 'CPUAmpOptimWrapper'}
    half, _ = train(small_config(tmp_path / 'b', **settings, **changes))

    def step(runner):
        state = runner.model.state_dict()
        return torch.cat([(state[n] - base_state[n]).flatten() for n in moved(full, base_state)])

    # bfloat16 has 8 bits of precision, 0.4% per operation
    assert 0 < (step(full) - step(half)).norm() < 0.05 * step(full).norm()


def test_a_compiled_training_step_equals_the_plain_one(tmp_path):
    # the compiler follows every layer: of a network with few of them
    tiny = base_checkpoint(tmp_path / 'tiny.pth', **TINY)
    settings = dict(load_from=tiny, network=TINY, hook=dict(alpha=0.3), iterations=2)
    plain, _ = train(small_config(tmp_path / 'a', **settings))
    compiled, _ = train(small_config(tmp_path / 'b', **settings, compile=dict(backend='eager')))
    for name, value in plain.model.state_dict().items():
        torch.testing.assert_close(compiled.model.state_dict()[name], value, rtol=1e-4, atol=1e-5)


def test_efficient_conv_bn_eval_in_the_config_is_refused(tmp_path, base):
    with pytest.raises(ValueError, match='`turn_on_efficient_conv_bn_eval` would drop the noise'):
        train(small_config(tmp_path, base, efficient_conv_bn_eval=['backbone']))


def test_a_network_that_freezes_everything_is_refused(tmp_path, base):
    changes = {'model.backbone.frozen_stages': 4}
    hook = dict(include=['backbone.*'])
    with pytest.raises(ValueError, match=r'the network froze all .* parameters'):
        train(small_config(tmp_path, base, hook=hook, **changes))


def test_alpha_of_the_norm_cfg_is_kept_unless_the_hook_gives_one(tmp_path, base):
    norm = dict(type='BayesSyncBN', alpha=0.3, noise_shape='element')
    changes = {f'model.decode_head.norm_cfg.{key}': value for key, value in norm.items()}
    runner, _ = train(small_config(tmp_path / 'a', base, iterations=1, **changes))
    layers = bayesian_layers(runner.model)
    found = {name: (layer.alpha, layer.noise_shape) for name, layer in layers.items()}
    assert found['decode_head.bottleneck.bn'] == (0.3, 'element')
    assert found['backbone.stem.1'] == (0.1, 'channel')
    hook = dict(alpha=0.2)
    runner, _ = train(small_config(tmp_path / 'b', base, iterations=1, hook=hook, **changes))
    assert {layer.alpha for layer in bayesian_layers(runner.model).values()} == {0.2}


def test_what_would_surprise_is_said_loudly(tmp_path, base):
    cfg = small_config(tmp_path, base, iterations=1)
    for head in ('decode_head', 'auxiliary_head'):
        cfg.model[head].loss_decode = dict(type='CrossEntropyLoss', avg_non_ignore=True)
    runner, _ = train(cfg)
    log = next(Path(tmp_path).rglob('*.log')).read_text()
    assert 'No head of the model has an `ABNNLoss`' in log
    hook = next(h for h in runner.hooks if type(h).__name__ == 'CheckpointMembersHook')
    runner.model = build_segmentor()
    convert_to_abnn(runner.model)
    hook.before_val(runner)
    log = next(Path(tmp_path).rglob('*.log')).read_text()
    assert 'EncoderDecoder does not average over draws' in log


def test_members_in_the_checkpoint_are_not_fine_tuned(tmp_path, base, base_state):
    member = {'backbone.stem.1.weight': base_state['backbone.stem.1.weight'] + 1}
    facts = dict(alpha=0.1, noise_shape='channel')
    checkpoint = dict(state_dict=base_state, members=[member], meta=dict(members=[facts]))
    torch.save(checkpoint, tmp_path / 'abnn.pth')
    runner, _ = train(small_config(tmp_path / 'run', str(tmp_path / 'abnn.pth'), iterations=1))
    assert len(runner.model.members) == 0
    log = next(Path(tmp_path).rglob('*.log')).read_text()
    assert 'The 1 members in the checkpoint are ignored' in log


def test_a_schedule_with_a_function_in_its_state_is_resumed(tmp_path, base):
    schedule = dict(type='OneCycleLR', eta_max=0.1, total_steps=4, by_epoch=False, end=4)

    def rates(folder, iterations, load_from=base, **changes):
        cfg = small_config(tmp_path / folder, load_from, iterations=iterations, **changes)
        cfg.param_scheduler = [schedule]
        runner, _ = train(cfg)
        return runner.optim_wrapper.get_lr()['lr']

    whole = rates('whole', 4)
    rates('parts', 2)
    changes = dict(resume=True, load_from=str(tmp_path / 'parts/iter_2.pth'))
    assert rates('parts', 4, **changes) == whole


def test_a_priority_of_its_own_calls_each_hook_once(tmp_path, base):
    cfg = small_config(tmp_path, base, iterations=1, hook=dict(priority='LOW'))
    runner, _ = train(cfg)
    names = [type(hook).__name__ for hook in runner.hooks]
    for name in ('ABNNConversionHook', 'CheckpointMembersHook', 'FineTuningHook'):
        assert names.count(name) == 1, name
    assert bayesian_layers(runner.model)
