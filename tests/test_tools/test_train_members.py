"""Fine-tuning members: one by one, again, after a crash, with everything trained."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config

from helpers.in_process import run_script
from helpers.sharing import made_once
from helpers.tool_runner import (
    ABNN_CONFIG,
    BASE_CONFIG,
    ROOT,
    SMALL,
    data_options,
    process_environment,
    run,
    run_tool,
    start_tool,
    succeeded,
    tool_command,
)
from mmseg_abnn import checkpoint
from mmseg_abnn.apis import expand_abnn_section
from mmseg_abnn.apis.member_files import load_member
from mmseg_abnn.checkpoint import member_states, read_checkpoint, state_hash

pytestmark = pytest.mark.usefixtures('without_plots')

MEMBERS = 3
ITERATIONS = 8


def training(base, data, **options):
    """Return the options of a training of three members with random augmentations in a worker."""
    settings = dict(data_options(data), load_from=base, num_members=MEMBERS)
    settings['train_cfg.max_iters'] = settings['train_cfg.val_interval'] = ITERATIONS
    settings['param_scheduler.0.end'] = ITERATIONS
    settings['train_dataloader.num_workers'] = 1
    settings['default_hooks.checkpoint.max_keep_ckpts'] = 3
    return {**settings, **options}


@pytest.fixture(scope='module')
def uninterrupted(tmp_path_factory, base, data):
    def train(work_dir):
        arguments = (ABNN_CONFIG, '--work-dir', work_dir)
        succeeded(run_tool('train.py', *arguments, options=training(base, data)))

    return made_once(tmp_path_factory, 'uninterrupted', train)


def same_members(one, other, count=MEMBERS):
    names = [f'member_{m}.safetensors' for m in range(count)]
    return [(one / name).read_bytes() == (other / name).read_bytes() for name in names]


def kill_in_member_1(work_dir, options):
    """Start a training and kill it with SIGKILL between two checkpoints of its second member."""
    arguments = (ABNN_CONFIG, '--work-dir', work_dir)
    command = tool_command('train.py', *arguments, options=options)
    with open(work_dir.parent / 'killed.log', 'w') as log:
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env=process_environment(),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        last = work_dir / 'member_1/last_checkpoint'
        early = [f'iter_{n}.pth' for n in range(2, ITERATIONS, 2)]
        start = time.monotonic()
        while not (last.exists() and last.read_text().endswith(tuple(early))):
            assert process.poll() is None, (work_dir.parent / 'killed.log').read_text()[-2000:]
            assert time.monotonic() - start < 300, 'member 1 was never reached'
            time.sleep(0.005)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return process.returncode


def test_killed_and_resumed_members_equal_uninterrupted_ones(uninterrupted, base, data, tmp_path):
    work_dir = tmp_path / 'run'
    options = training(base, data, **{'default_hooks.checkpoint.interval': 2})
    assert kill_in_member_1(work_dir, options) == -signal.SIGKILL
    assert (work_dir / 'member_0.safetensors').exists()
    assert not (work_dir / 'member_1.safetensors').exists()
    arguments = (ABNN_CONFIG, '--work-dir', work_dir, '--resume')
    result = succeeded(start_tool('train.py', *arguments, options=options))
    printed = result.stdout + result.stderr
    assert 'Member 0 of 3 is finished' in printed
    assert 'Advance dataloader' in printed  # member 1 went on, and did not start again
    assert same_members(work_dir, uninterrupted) == [True] * MEMBERS
    ensembles = [
        member_states(read_checkpoint(path / 'abnn.pth')) for path in (work_dir, uninterrupted)
    ]
    for one, other in zip(*ensembles, strict=True):
        assert all(torch.equal(one[name], other[name]) for name in other)


@pytest.fixture
def interrupted(uninterrupted, tmp_path):
    """Return a work dir whose second member stopped while its checkpoint was being replaced."""
    work_dir = tmp_path / 'run'
    source, target = uninterrupted / 'member_1', work_dir / 'member_1'
    target.mkdir(parents=True)
    for m in (0, 2):
        shutil.copy(uninterrupted / f'member_{m}.safetensors', work_dir)
    for name in ('started.json', f'iter_{ITERATIONS - 2}.pth'):
        shutil.copy(source / name, target)
    broken = f'iter_{ITERATIONS - 1}.pth'
    (target / broken).write_bytes((source / broken).read_bytes()[:5000])
    # the path of the folder before it was moved
    (target / 'last_checkpoint').write_text(str(source / broken))
    return work_dir


def test_the_latest_whole_checkpoint_is_used(uninterrupted, interrupted, base, data):
    arguments = (ABNN_CONFIG, '--work-dir', interrupted, '--resume')
    result = succeeded(run_tool('train.py', *arguments, options=training(base, data)))
    printed = result.stdout + result.stderr
    assert 'A checkpoint that cannot be used' in printed
    assert f'Advance dataloader {ITERATIONS - 2} steps' in printed
    assert same_members(interrupted, uninterrupted) == [True] * MEMBERS
    # every member logs into its own folder
    logs = list((interrupted / 'member_1').rglob('scalars.json'))
    assert [path.read_text().count('loss_abnn') > 0 for path in logs] == [True]


def test_an_interrupted_member_does_not_go_on_with_other_settings(interrupted, base, data):
    options = training(base, data, **{'optim_wrapper.optimizer.lr': 0.5})
    for name in ('member_0.safetensors', 'member_2.safetensors'):
        (interrupted / name).unlink()
    arguments = (ABNN_CONFIG, '--work-dir', interrupted, '--resume', '--member', 1)
    result = run_tool('train.py', *arguments, options=options)
    assert result.returncode != 0
    assert 'Different: abnn.optimizer.lr: 0.01 -> 0.5' in result.stderr
    assert 'Iter(train)' not in result.stdout + result.stderr


def merge(*arguments):
    return run_script(ROOT / 'tools/misc/merge_members.py', *arguments, cwd=ROOT)


def test_members_of_separate_jobs_are_merged(uninterrupted, base, data, tmp_path):
    work_dir = tmp_path / 'run'
    arguments = (ABNN_CONFIG, '--work-dir', work_dir, '--member')
    # another number of workers gives the same augmentations
    options = training(base, data, **{'train_dataloader.num_workers': 0})
    result = succeeded(run_tool('train.py', *arguments, 2, options=options))
    assert [p.name for p in work_dir.glob('*.safetensors')] == ['member_2.safetensors']
    assert not (work_dir / 'abnn.pth').exists()
    files = [work_dir / f'member_{member}.safetensors' for member in range(MEMBERS)]
    said = result.stdout.splitlines()[-2:]
    assert said[0].endswith(
        f'Member 2 is written: {files[2]}. When all {MEMBERS} are, merge them by'
    )
    command = ['mmseg-abnn', 'merge', base, *files, '--out', work_dir / 'abnn.pth']
    assert shlex.split(said[1]) == [str(part) for part in command]
    result = succeeded(run_tool('train.py', *arguments, 2, options=options))
    assert 'Member 2 of 3 is finished' in result.stdout + result.stderr
    assert 'Iter(train)' not in result.stdout + result.stderr
    tensors, facts = load_member(str(work_dir / 'member_2.safetensors'))
    expected, others = load_member(str(uninterrupted / 'member_2.safetensors'))
    assert facts == others
    assert all(torch.equal(tensors[name], value) for name, value in expected.items())

    paths = [uninterrupted / 'member_0.safetensors', uninterrupted / 'member_1.safetensors']
    paths.append(work_dir / 'member_2.safetensors')
    succeeded(merge(base, *paths, '--out', tmp_path / 'merged/abnn.pth'))
    merged = read_checkpoint(tmp_path / 'merged/abnn.pth')
    whole = read_checkpoint(uninterrupted / 'abnn.pth')
    assert merged['meta'] == whole['meta']
    assert merged['state_dict'].keys() == whole['state_dict'].keys()
    for one, other in zip(member_states(merged), member_states(whole), strict=True):
        assert all(torch.equal(one[name], value) for name, value in other.items())

    again = merge(base, paths[0], paths[0], '--out', tmp_path / 'twice.pth')
    assert again.returncode != 0
    assert 'it is the same member twice' in again.stderr
    assert not (tmp_path / 'twice.pth').exists()


def test_finished_members_are_not_mixed_with_other_settings(uninterrupted, base, data):
    options = training(base, data, **{'custom_hooks.0.alpha': 0.7})
    arguments = (ABNN_CONFIG, '--work-dir', uninterrupted)
    result = run_tool('train.py', *arguments, options=options)
    assert result.returncode != 0
    error = next(line for line in result.stderr.splitlines() if line.startswith('ValueError'))
    assert 'was made with other settings: delete it, or choose another --work-dir' in error
    # as the section of the config calls it
    assert 'Different: abnn.alpha: 0.3 -> 0.7' in error


@pytest.mark.parametrize(
    ('arguments', 'options', 'message'),
    [
        (('--member', 3), {}, 'the member must be between 0 and 2, got 3'),
        (('--member', -1), {}, 'the member must be between 0 and 2, got -1'),
        ((), {'custom_hooks': '[]'}, 'an ABNN needs `custom_hooks` with `ABNNConversionHook`'),
    ],
)
def test_unusable_requests(base, data, tmp_path, arguments, options, message):
    settings = training(base, data, **options)
    command = (ABNN_CONFIG, '--work-dir', tmp_path, *arguments)
    result = run_tool('train.py', *command, options=settings)
    assert result.returncode != 0
    assert message in result.stderr
    assert 'Iter(train)' not in result.stdout + result.stderr


def test_what_a_member_file_says(uninterrupted, base):
    state = read_checkpoint(base)['state_dict']
    _, facts = load_member(str(uninterrupted / 'member_1.safetensors'))
    assert facts['base_hash'] == state_hash(state)
    alpha = Config.fromfile(ABNN_CONFIG).abnn.alpha
    assert (facts['alpha'], facts['noise_shape']) == (alpha, 'channel')
    assert facts['config']['custom_hooks'][0]['alpha'] == alpha
    assert facts['config']['train_cfg']['max_iters'] == ITERATIONS
    assert str(Path(ROOT)) not in json.dumps(facts['config']['model'])


def test_a_member_file_has_the_permissions_of_any_other(uninterrupted, tmp_path):
    ordinary = tmp_path / 'file'
    ordinary.touch()
    for member in range(MEMBERS):
        path = uninterrupted / f'member_{member}.safetensors'
        assert path.stat().st_mode == ordinary.stat().st_mode


def test_the_base_network_is_read_and_hashed_once(base, data, tmp_path, monkeypatch):
    calls = Counter()

    def load(path, *args, original=torch.load, **kwargs):
        calls['read'] += str(path) == str(base)
        return original(path, *args, **kwargs)

    def state_hash(state, original=checkpoint.state_hash):
        calls['hashed'] += 1
        return original(state)

    monkeypatch.setattr(torch, 'load', load)
    monkeypatch.setattr(checkpoint, 'state_hash', state_hash)
    options = {**data_options(data), 'load_from': base, 'num_members': 2}
    succeeded(run_tool('train.py', ABNN_CONFIG, '--work-dir', tmp_path, options=options))
    assert (tmp_path / 'abnn.pth').exists()
    assert calls == {'read': 1, 'hashed': 1}


def test_a_member_is_validated_once_and_without_noise(uninterrupted, base, data, tmp_path):
    """Its figures are those of the deterministic network with the member's weights."""
    config = tmp_path / 'validation.py'
    config.write_text(
        f'_base_ = {str(BASE_CONFIG)!r}\n'
        'test_dataloader = dict(_delete_=True, **_base_.val_dataloader)\n'
        'test_evaluator = dict(_delete_=True, **_base_.val_evaluator)\n'
    )
    for member in range(2):
        (scalars,) = (uninterrupted / f'member_{member}').glob('*/vis_data/scalars.json')
        lines = [json.loads(line) for line in scalars.read_text().splitlines()]
        (validated,) = (line for line in lines if 'mIoU' in line)
        assert validated['step'] == ITERATIONS
        tensors, _ = load_member(str(uninterrupted / f'member_{member}.safetensors'))
        state = {**read_checkpoint(base)['state_dict'], **tensors}
        torch.save({'state_dict': state}, tmp_path / 'member.pth')
        arguments = (config, tmp_path / 'member.pth', '--work-dir', tmp_path / 'test')
        options = {'test_dataloader.dataset.data_root': data}
        succeeded(run_tool('test.py', *arguments, options=options))
        expected = json.loads((tmp_path / 'test/metrics.json').read_text())
        figures = validated.keys() & expected.keys()
        assert len(figures) >= 3
        for name in figures:
            assert validated[name] == pytest.approx(expected[name], abs=1e-3), name


def test_the_config_of_a_member_predicts_as_the_abnn(uninterrupted, base, data):
    cfg = Config.fromfile(ABNN_CONFIG)
    expand_abnn_section(cfg)
    written = Config.fromfile(uninterrupted / 'member_0' / ABNN_CONFIG.name)
    expected = {**cfg.model.test_cfg, 'num_samples': SMALL['model.test_cfg.num_samples']}
    assert written.model.test_cfg.to_dict() == expected


def without_checkpoint_hook(written_out, path, base, data):
    """Write a config whose process is killed in its validation.

    It stores no checkpoints; written out it does not say so, and has them.
    """
    cfg = Config.fromfile(ABNN_CONFIG)
    cfg.merge_from_dict({**SMALL, **data_options(data), 'load_from': str(base)})
    cfg.abnn.update(num_members=2, max_iters=3, num_samples=cfg.model.test_cfg.pop('num_samples'))
    cfg.custom_imports.imports.append('helpers.killed_in_validation')
    cfg.custom_hooks = [dict(type='KilledInValidation')]
    cfg.default_hooks.checkpoint = None
    if written_out:
        expand_abnn_section(cfg)
        del cfg.default_hooks.checkpoint
    cfg.dump(path)


@pytest.mark.parametrize('written_out', [False, True])
def test_a_member_that_is_killed_in_its_validation_is_kept(written_out, base, data, tmp_path):
    config, work_dir = tmp_path / 'config.py', tmp_path / 'run'
    without_checkpoint_hook(written_out, config, base, data)
    command = [ROOT / 'tools/train.py', config, '--work-dir', work_dir]
    path = os.pathsep.join([str(ROOT / 'tests'), os.environ.get('PYTHONPATH', '')])
    killed = run([sys.executable, *command], KILLED='1', PYTHONPATH=path)
    assert killed.returncode == -signal.SIGKILL
    assert killed.stdout.count('Iter(train)') == 3
    # `checkpoint=None` says no; without an entry there are checkpoints to resume from
    assert [path.name for path in work_dir.rglob('*.pth')] == ['iter_3.pth'] * written_out
    member = work_dir / 'member_0.safetensors'
    stored = member.stat().st_ino, member.stat().st_mtime_ns
    result = succeeded(run_script(*command, cwd=ROOT))
    assert 'Member 0 of 2 is finished' in result.stdout
    assert result.stdout.count('Iter(train)') == 3  # of member 1
    assert (member.stat().st_ino, member.stat().st_mtime_ns) == stored
    assert len(member_states(read_checkpoint(work_dir / 'abnn.pth'))) == 2


def test_full_members(base, data, tmp_path):
    work_dir = tmp_path / 'run'
    options = training(base, data, num_members=1, **{'custom_hooks.0.trainable': 'all'})
    arguments = (ABNN_CONFIG, '--work-dir', work_dir)
    succeeded(run_tool('train.py', *arguments, options=options))
    state = read_checkpoint(base)['state_dict']
    tensors, _ = load_member(str(work_dir / 'member_0.safetensors'))
    statistics = ('running_mean', 'running_var', 'num_batches_tracked')
    assert set(tensors) == {name for name in state if not name.endswith(statistics)}
    assert not torch.equal(tensors['backbone.stem.0.weight'], state['backbone.stem.0.weight'])
    command = (ABNN_CONFIG, work_dir / 'abnn.pth', '--work-dir', tmp_path / 'test')
    succeeded(run_tool('test.py', *command, options=data_options(data)))
    metrics = json.loads((tmp_path / 'test/metrics.json').read_text())
    assert 0 <= metrics['mIoU'] <= 100


def test_a_moving_average_is_what_is_stored(base, data, tmp_path):
    config = tmp_path / 'ema.py'
    hook = "dict(type='EMAHook', momentum=0.1)"
    config.write_text(f'_base_ = {str(ABNN_CONFIG)!r}\ncustom_hooks = [{hook}]\n')
    work_dir = tmp_path / 'run'
    options = training(base, data, num_members=1)
    succeeded(run_tool('train.py', config, '--work-dir', work_dir, options=options))
    tensors, _ = load_member(str(work_dir / 'member_0.safetensors'))
    # MMEngine's checkpoint holds the average as `state_dict`, and the last weights beside it
    checkpoint = read_checkpoint(work_dir / f'member_0/iter_{ITERATIONS}.pth')
    last = checkpoint['ema_state_dict']
    for name, value in tensors.items():
        assert torch.equal(value, checkpoint['state_dict'][name]), name
    assert any(not torch.equal(value, last[f'module.{name}']) for name, value in tensors.items())


def test_test_time_augmentation(uninterrupted, data, tmp_path):
    figures = {}
    for name, flags in (('plain', []), ('tta', ['--tta'])):
        work_dir, out = tmp_path / name, tmp_path / name / 'maps'
        command = (ABNN_CONFIG, uninterrupted / 'abnn.pth', '--work-dir', work_dir, '--out', out)
        succeeded(run_tool('test.py', *command, *flags, options=data_options(data)))
        figures[name] = json.loads((work_dir / 'metrics.json').read_text())
    assert figures['tta']['num_images'] == figures['plain']['num_images'] == 7
    assert figures['tta']['mIoU'] != figures['plain']['mIoU']
    # the maps that were measured and saved are those of the mean over both views: the same
    # network sees a flipped image the same way
    plain, tta = (
        np.load(next((tmp_path / name / 'maps').rglob('*_entropy.npy'))) for name in figures
    )
    assert plain.shape == tta.shape == (64, 128)
    assert 0 < np.abs(plain - tta).mean() < 0.5
