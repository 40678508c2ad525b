"""Two processes on a CPU (gloo), against one process with the same batches."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from helpers.sharing import made_once
from helpers.small_runs import base_checkpoint, facts, small_config

TESTS = Path(__file__).resolve().parents[1]
PARTS = ('backbone', 'decode_head', 'auxiliary_head')
WITHOUT_NOISE = dict(hook=dict(alpha=0.0))
NOISY = {
    'noise': dict(hook=dict(alpha=0.3)),
    'noise and seeds of their own': {
        'hook': dict(alpha=0.3),
        'randomness.diff_rank_seed': True,
    },
}
SYNCHRONIZED = {
    name: dict(iterations=1, sync_bn_on_cpu=True, **changes)
    for name, changes in {
        'converted by the Runner': {'sync_bn': 'torch'},
        'in the config': {f'model.{part}.norm_cfg.type': 'SyncBN' for part in PARTS},
        'Bayesian in the config': {f'model.{part}.norm_cfg.type': 'BayesSyncBN' for part in PARTS},
        'Bayesian, then converted by the Runner': {
            'sync_bn': 'torch',
            **{f'model.{part}.norm_cfg.type': 'BayesBN' for part in PARTS},
        },
    }.items()
}


def free_port():
    with socket.socket() as found:
        found.bind(('127.0.0.1', 0))
        return found.getsockname()[1]


def launch(folder):
    """Do all trainings by two processes, one after the other."""
    base = base_checkpoint(folder / 'base.pth')
    trainings = {
        name: dict(settings, load_from=base, batch_size=2)
        for name, settings in {'no noise': WITHOUT_NOISE, **NOISY, **SYNCHRONIZED}.items()
    }
    command = [sys.executable, TESTS / 'helpers/small_runs.py', folder, json.dumps(trainings)]
    shared = {
        **os.environ,
        'PYTHONPATH': f'{TESTS}{os.pathsep}{TESTS.parent}',
        'CUDA_VISIBLE_DEVICES': '',
        'OMP_NUM_THREADS': '1',
        'MASTER_ADDR': '127.0.0.1',
        'MASTER_PORT': str(free_port()),
        'WORLD_SIZE': '2',
    }
    logs = [folder / f'{rank}.log' for rank in range(2)]
    processes = []
    try:
        for rank, log in enumerate(logs):
            environment = {**shared, 'RANK': str(rank), 'LOCAL_RANK': str(rank)}
            with log.open('w') as output:
                processes.append(
                    subprocess.Popen(command, env=environment, stdout=output, stderr=output)
                )
        codes = [process.wait(timeout=600) for process in processes]
    finally:
        for process in processes:
            process.kill()  # what has ended is left alone
    assert codes == [0, 0], '\n'.join(log.read_text()[-3000:] for log in logs)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return made_once(tmp_path_factory, 'two_processes', launch)


@pytest.fixture(scope='module')
def start(folder):
    return torch.load(folder / 'base.pth', weights_only=True)['state_dict']


@pytest.fixture
def seen(folder):
    """Return what each process saw in a training."""
    return lambda name: [
        torch.load(folder / name / f'{rank}.pth', weights_only=False) for rank in range(2)
    ]


def test_without_noise_two_processes_equal_one(tmp_path, folder, start, seen):
    single = facts(small_config(tmp_path, str(folder / 'base.pth'), **WITHOUT_NOISE))
    first, second = seen('no noise')
    assert first['trained'] == single['trained']
    moved = 0
    for name, value in single['state'].items():
        torch.testing.assert_close(first['state'][name], value, rtol=1e-4, atol=1e-5)
        assert torch.equal(first['state'][name], second['state'][name]), name
        moved += not torch.equal(value, start[name])
    assert moved == len(single['trained'])
    both = [(a + b) / 2 for a, b in zip(first['loss'], second['loss'], strict=True)]
    assert both == pytest.approx(single['loss'], rel=1e-4)


@pytest.mark.parametrize('name', NOISY)
def test_ranks_draw_their_own_noise_and_share_eta_and_parameters(seen, name):
    first, second = seen(name)
    assert all(not torch.equal(a, b) for a, b in zip(first['noise'], second['noise'], strict=True))
    assert not torch.equal(first['noise'][0], first['noise'][1])
    assert torch.equal(first['eta'], second['eta'])
    assert sorted(first['eta'].tolist()) == [-0.5, -0.5, 0, 0, 0]
    for name, value in first['state'].items():
        assert torch.equal(value, second['state'][name]), name
    # exactly what is trained has a gradient
    assert first['with_gradient'] == second['with_gradient'] == [first['trained']] * 3


@pytest.mark.parametrize('name', SYNCHRONIZED)
def test_synchronized_batch_norm_becomes_bayesian(start, seen, name):
    first, second = seen(name)
    assert first['classes'] == {'BayesSyncBatchNorm'}
    name = 'backbone.stem.1.weight'
    assert not torch.equal(first['state'][name], start[name])
    assert torch.equal(first['state'][name], second['state'][name])
