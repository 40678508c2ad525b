"""A member is stored as soon as it is trained, whatever becomes of its validation."""

from typing import ClassVar
from unittest import mock

import pytest
import torch
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.registry import HOOKS, METRICS

from helpers.networks import TINY
from helpers.small_runs import base_checkpoint, small_config
from mmseg_abnn.apis import member_training, train
from mmseg_abnn.apis.member_files import load_member
from mmseg_abnn.checkpoint import member_states, read_checkpoint
from mmseg_abnn.models.prediction_settings import PredictionSettings


@METRICS.register_module(force=True)
class Killed(BaseMetric):
    """A validation that does not end."""

    def process(self, data_batch, data_samples):
        raise KeyboardInterrupt

    def compute_metrics(self, results):
        return {}


@HOOKS.register_module(force=True)
class NotesPrediction(Hook):
    """Notes how the network predicts in a validation, and after it."""

    noted: ClassVar[list] = []

    def before_val_iter(self, runner, batch_idx, data_batch=None):
        self.noted.append(runner.model.prediction)

    def after_train(self, runner):
        self.noted.append(runner.model.prediction)


@HOOKS.register_module(force=True)
class Interrupts(Hook):
    """Notes the iterations, and ends the training as Ctrl-C does, in its fourth one."""

    wanted: ClassVar[bool] = False
    seen: ClassVar[list] = []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.seen.append(runner.iter)
        if self.wanted and runner.iter == 3:
            raise KeyboardInterrupt


LOADER = dict(
    batch_size=1,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='MadeUpScenes'),
)


def test_a_member_is_validated_without_noise(tmp_path):
    base = base_checkpoint(tmp_path / 'base.pth', **TINY)
    cfg = small_config(tmp_path / 'work', base, network=TINY, iterations=2)
    cfg.num_members = 1
    cfg.model.test_cfg = dict(mode='whole', num_samples=5, temperature=2.0, labels_from='base')
    cfg.custom_hooks.append(dict(type='NotesPrediction'))
    cfg.train_cfg.val_interval = 1
    cfg.val_dataloader, cfg.val_cfg, cfg.val_evaluator = LOADER, {}, dict(type='IoUMetric')
    NotesPrediction.noted.clear()
    train(cfg)
    *validated, afterwards = NotesPrediction.noted
    assert validated == [PredictionSettings(draws='none')] * 2 * 8  # images
    assert afterwards == PredictionSettings(num_samples=5, temperature=2.0, labels_from='base')


@pytest.mark.parametrize('checkpoint', [None, dict(type='CheckpointHook', by_epoch=False)])
def test_a_member_survives_its_validation(tmp_path, monkeypatch, checkpoint):
    base = base_checkpoint(tmp_path / 'base.pth', **TINY)

    def config():
        cfg = small_config(tmp_path / 'work', base, network=TINY, iterations=2)
        cfg.num_members = 1
        cfg.resume = True
        cfg.default_hooks.checkpoint = checkpoint
        cfg.train_cfg.val_interval = 2
        cfg.val_dataloader, cfg.val_cfg, cfg.val_evaluator = LOADER, {}, dict(type='Killed')
        return cfg

    with pytest.raises(KeyboardInterrupt):
        train(config())
    tensors, facts = load_member(str(tmp_path / 'work/member_0.safetensors'))
    start = read_checkpoint(base)['state_dict']
    assert any(not torch.equal(tensor, start[name]) for name, tensor in tensors.items())
    assert facts['member'] == 0

    monkeypatch.setattr(member_training, 'build_runner', None)  # nothing is trained again
    ensemble = read_checkpoint(train(config()))
    assert member_states(ensemble)[0].keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert torch.equal(member_states(ensemble)[0][name], tensor)


@pytest.mark.parametrize('elsewhere', [False, True])
def test_a_config_without_hooks_and_visualizer_is_resumed(tmp_path, monkeypatch, elsewhere):
    base = base_checkpoint(tmp_path / 'base.pth', **TINY)

    def config(folder, **changes):
        cfg = small_config(tmp_path / folder, base, network=TINY, iterations=5)
        cfg.num_members = 1
        cfg.pop('default_hooks')
        if elsewhere:
            cfg.default_hooks = dict(
                checkpoint=dict(type='CheckpointHook', interval=1, out_dir=str(tmp_path / 'saved'))
            )
        cfg.visualizer = None
        cfg.custom_hooks.append(dict(type='Interrupts'))
        cfg.update(changes)
        return cfg

    monkeypatch.setattr(Interrupts, 'wanted', True)
    with pytest.raises(KeyboardInterrupt):
        train(config('work'))
    folder = 'saved' if elsewhere else 'work'
    assert (tmp_path / folder / 'member_0/iter_3.pth').is_file()
    monkeypatch.setattr(Interrupts, 'wanted', False)
    Interrupts.seen.clear()
    train(config('work', resume=True))
    assert Interrupts.seen == [3, 4]
    train(config('at_once'))
    resumed, _ = load_member(str(tmp_path / 'work/member_0.safetensors'))
    at_once, _ = load_member(str(tmp_path / 'at_once/member_0.safetensors'))
    for name, tensor in at_once.items():
        assert torch.equal(resumed[name], tensor)


@pytest.mark.parametrize('hook', [None, dict(type='ABNNConversionHook')])
def test_a_plain_training_from_a_checkpoint_says_so(tmp_path, hook):
    base = base_checkpoint(tmp_path / 'base.pth', **TINY)
    cfg = small_config(tmp_path / 'work', base, network=TINY, iterations=1)
    cfg.model.type = 'EncoderDecoder'
    cfg.custom_hooks = [hook] if hook else []
    with mock.patch('mmseg_abnn.apis.train.print_log') as log:
        train(cfg)
    said = [call.args[0] for call in log.call_args_list]
    if hook is None:
        assert said == [
            '`load_from` is set, and the config has no section `abnn`: this trains a plain network '
            f'further from {base}. To make an ABNN of that network, write abnn = dict() into the '
            'config'
        ]
    else:
        assert said == []
