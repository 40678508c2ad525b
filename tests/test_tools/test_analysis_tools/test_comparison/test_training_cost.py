"""Training costs, from logs and members that are written by hand or by MMEngine itself."""

import json

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook, IterTimerHook
from mmengine.runner import Runner
from mmseg.registry import MODELS
from safetensors.torch import save_file
from torch import nn
from torch.utils.data import Dataset

from comparison import training_cost
from comparison.training_cost import merge_runs, sum_of_times
from helpers.networks import segmentor_config
from mmseg_abnn.apis.member_files import FORMAT


def log_times(times, window, interval):
    """What MMEngine logs of iteration times: means over a window, every ``interval``."""
    return {
        n: float(np.mean(times[max(0, n - window) : n]))
        for n in range(interval, len(times) + 1, interval)
    }


def write_run(work_dir, stamp, records, settings=''):
    folder = work_dir / stamp / 'vis_data'
    folder.mkdir(parents=True)
    lines = [json.dumps({'loss': 1.0, 'time': t, 'iter': n, 'step': n}) for n, t in records.items()]
    (folder / 'scalars.json').write_text('\n'.join(lines) + '\n')
    text = f'model = {segmentor_config().to_dict()!r}\n{settings}'
    (folder / 'config.py').write_text(text)
    return folder / 'scalars.json'


def write_member(work_dir, index, tensors):
    work_dir.mkdir(parents=True, exist_ok=True)
    metadata = {'mmseg_abnn': json.dumps({'format': FORMAT})}
    save_file(tensors, work_dir / f'member_{index}.safetensors', metadata)


def schedule(max_iters, interval=10, window=10):
    return (
        f'train_cfg = dict(max_iters={max_iters})\n'
        f'default_hooks = dict(logger=dict(interval={interval}))\n'
        f'log_processor = dict(window_size={window})\n'
    )


@pytest.mark.parametrize(
    ('number', 'window', 'interval'),
    [(40, 10, 10), (27, 10, 1), (3, 10, 1), (30, 5, 5), (12, 4, 2), (8, 100, 8)],
)
def test_the_sum_is_exact_where_windows_cover_all(number, window, interval):
    times = np.random.default_rng(0).uniform(0.1, 2, number)
    records = log_times(times, window, interval)
    assert sum_of_times(records, window, interval, number) == pytest.approx(times.sum())


def test_what_no_window_covers_is_taken_to_be_like_it():
    # 10 of each 50 iterations are seen
    records = {50: 0.2, 100: 0.4}
    assert sum_of_times(records, 10, 50, 100) == pytest.approx(50 * 0.2 + 50 * 0.4)
    # 7 iterations after the last record are never logged; an interrupted training lacks more
    assert sum_of_times(records, 10, 50, 107) == pytest.approx(50 * 0.2 + 57 * 0.4)
    assert sum_of_times(records, 10, 50, 150) == pytest.approx(30)
    assert sum_of_times(records, 10, 50, None) == pytest.approx(30)
    with pytest.raises(ValueError, match='at least one record'):
        sum_of_times({}, 10, 50, None)


def test_a_resumed_run_replaces_what_ran_before():
    first = {10: 1.0, 20: 1.0, 30: 1.0}  # stopped at 35, its checkpoint is of iteration 20
    second = {30: 2.0, 40: 2.0}
    assert merge_runs([first, second]) == {10: 1.0, 20: 1.0, 30: 2.0, 40: 2.0}
    assert merge_runs([first, {10: 3.0, 20: 3.0}]) == {10: 3.0, 20: 3.0}


def test_one_network(tmp_path):
    path = write_run(tmp_path, '20250101_000000', {10: 1.0, 20: 1.0, 30: 1.0}, schedule(45))
    # killed while it wrote; validation and tests log a time, too
    path.write_text(path.read_text() + '{"time": 9.0, "mIoU": 1.0, "step": 30}\n{"time": 1, "it')
    write_run(tmp_path, '20250102_000000', {30: 2.0, 40: 2.0}, schedule(45))
    tested = write_run(tmp_path, '20250103_000000', {})
    tested.write_text('{"test/mIoU": 1.0, "time": 7.0, "step": 0}\n')
    found = training_cost(str(tmp_path))
    assert found.seconds == pytest.approx(20 * 1.0 + 20 * 2.0 + 5 * 2.0)
    state = MODELS.build(segmentor_config()).state_dict()
    statistics = ('running_mean', 'running_var', 'num_batches_tracked')
    weights = [t for n, t in state.items() if not n.endswith(statistics)]
    assert found.parameters == sum(t.numel() for t in weights)
    assert found.problems == ()


def test_members(tmp_path):
    for index, seconds in ((0, 1.0), (1, 3.0)):
        folder = tmp_path / f'member_{index}'
        write_run(folder, '20250101_000000', {10: seconds, 20: seconds}, schedule(20))
        tensors = {'bn.weight': torch.ones(6), 'bn.bias': torch.ones(6)}
        if index:
            tensors['bn.running_mean'] = torch.ones(6)  # moved, not trained
        write_member(tmp_path, index, tensors)
    found = training_cost(str(tmp_path))
    assert found.seconds == pytest.approx(20 * 1.0 + 20 * 3.0)
    assert found.parameters == 2 * 12


def test_what_is_missing_is_said(tmp_path):
    found = training_cost(str(tmp_path / 'nowhere'))
    assert (found.seconds, found.parameters) == (None, None)
    assert found.problems == (
        f'{tmp_path}/nowhere: no training time is logged (<time stamp>/vis_data/scalars.json)',
    )
    # one member has its log, the other has not
    for index in (0, 1):
        write_member(tmp_path / 'abnn', index, {'bn.weight': torch.ones(6)})
    write_run(tmp_path / 'abnn/member_0', '20250101_000000', {10: 1.0}, schedule(10))
    found = training_cost(str(tmp_path / 'abnn'))
    assert (found.seconds, found.parameters) == (None, 12)
    assert 'member_1: no training time is logged' in found.problems[0]
    path = write_run(tmp_path / 'net', '20250101_000000', {10: 1.0})
    (path.parent / 'config.py').unlink()
    assert training_cost(str(tmp_path / 'net')).problems == (
        f'{path.parent}/config.py is missing, which the training writes',
    )
    own = "log_processor = dict(custom_cfg=[dict(data_src='time', window_size='global')])"
    write_run(tmp_path / 'own', '20250101_000000', {10: 1.0}, own)
    found = training_cost(str(tmp_path / 'own'))
    assert found.seconds is None
    assert found.parameters > 0
    assert 'logs `time` in a way of its own' in found.problems[0]


class Numbers(Dataset):
    def __len__(self):
        return 1000

    def __getitem__(self, index):
        return float(index)


class Network(nn.Module):
    """A model of MMEngine that takes no time at all."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def train_step(self, data, optim_wrapper):
        return {'loss': torch.zeros(())}


class Clock(Hook):
    """Replaces the times that MMEngine measured by given ones."""

    priority = 'NORMAL'

    def __init__(self, seconds):
        self.seconds = seconds

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        buffer = runner.message_hub.get_scalar('train/time')
        buffer._log_history[-1] = self.seconds[runner.iter]


@pytest.mark.parametrize(('number', 'interval', 'window'), [(40, 10, 10), (23, 1, 7), (24, 8, 8)])
def test_logs_of_mmengine(number, interval, window, tmp_path):
    """The times that a Runner has logged, against those that its iterations took."""
    seconds = np.random.default_rng(number).uniform(0.1, 2, number).tolist()
    runner = Runner(
        Network(),
        str(tmp_path),
        train_dataloader=dict(
            dataset=Numbers(), batch_size=1, sampler=dict(type='InfiniteSampler')
        ),
        train_cfg=dict(type='IterBasedTrainLoop', max_iters=number),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        default_hooks=dict(logger=dict(type='LoggerHook', interval=interval)),
        custom_hooks=[Clock(seconds)],
        log_processor=dict(by_epoch=False, window_size=window),
        visualizer=dict(
            type='Visualizer', vis_backends=[dict(type='LocalVisBackend')], name=tmp_path.name
        ),
        experiment_name=tmp_path.name,
        default_scope='mmengine',
        log_level='ERROR',
        cfg=dict(
            model=segmentor_config(),
            train_cfg=dict(max_iters=number),
            default_hooks=dict(logger=dict(interval=interval)),
            log_processor=dict(window_size=window),
            default_scope='mmseg',
        ),
    )
    assert any(isinstance(hook, IterTimerHook) for hook in runner.hooks)
    runner.train()
    assert training_cost(str(tmp_path)).seconds == pytest.approx(sum(seconds))
