"""A member is stored as soon as it is trained, whatever becomes of its validation."""

from typing import ClassVar

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
