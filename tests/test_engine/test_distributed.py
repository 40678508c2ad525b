"""Two processes on a CPU (gloo), against one process with the same batches."""

import json
import os
import sys
from pathlib import Path

import pytest
import torch

from helpers.small_runs import base_checkpoint
from helpers.tool_runner import run, succeeded

TESTS = Path(__file__).resolve().parents[1]
PARTS = ('backbone', 'decode_head', 'auxiliary_head')
PORTS = iter(range(29700, 29790))


def train(tmp_path, processes, **settings):
    """Run the script; return what each process saw."""
    tmp_path.mkdir()
    command = [sys.executable]
    if processes > 1:
        command += ['-m', 'torch.distributed.run', f'--nproc_per_node={processes}']
        command += [f'--master_port={next(PORTS)}']
    settings['launcher'] = 'pytorch' if processes > 1 else 'none'
    settings['batch_size'] = 4 // processes
    command += [TESTS / 'helpers/small_runs.py', tmp_path, json.dumps(settings)]
    path = f'{TESTS}{os.pathsep}{TESTS.parent}'
    succeeded(run(command, OMP_NUM_THREADS='1', PYTHONPATH=path))
    return [torch.load(tmp_path / f'{rank}.pth', weights_only=False) for rank in range(processes)]


@pytest.fixture(scope='module')
def base(tmp_path_factory):
    return base_checkpoint(tmp_path_factory.mktemp('base') / 'base.pth')


def test_without_noise_two_processes_equal_one(tmp_path, base):
    settings = dict(load_from=base, hook=dict(alpha=0.0))
    (single,) = train(tmp_path / 'one', 1, **settings)
    first, second = train(tmp_path / 'two', 2, **settings)
    assert first['trained'] == single['trained']
    moved = 0
    start = torch.load(base, weights_only=True)['state_dict']
    for name, value in single['state'].items():
        torch.testing.assert_close(first['state'][name], value, rtol=1e-4, atol=1e-5)
        assert torch.equal(first['state'][name], second['state'][name]), name
        moved += not torch.equal(value, start[name])
    assert moved == len(single['trained'])
    both = [(a + b) / 2 for a, b in zip(first['loss'], second['loss'], strict=True)]
    assert both == pytest.approx(single['loss'], rel=1e-4)


@pytest.mark.parametrize('changes', [{}, {'randomness.diff_rank_seed': True}])
def test_ranks_draw_their_own_noise_and_share_eta_and_parameters(tmp_path, base, changes):
    first, second = train(tmp_path / 'two', 2, load_from=base, hook=dict(alpha=0.3), **changes)
    assert all(not torch.equal(a, b) for a, b in zip(first['noise'], second['noise'], strict=True))
    assert not torch.equal(first['noise'][0], first['noise'][1])
    assert torch.equal(first['eta'], second['eta'])
    assert sorted(first['eta'].tolist()) == [-0.5, -0.5, 0, 0, 0]
    for name, value in first['state'].items():
        assert torch.equal(value, second['state'][name]), name
    # exactly what is trained has a gradient
    assert first['with_gradient'] == second['with_gradient'] == [first['trained']] * 3


@pytest.mark.parametrize(
    'changes',
    [
        {'sync_bn': 'torch'},
        {f'model.{part}.norm_cfg.type': 'SyncBN' for part in PARTS},
        {f'model.{part}.norm_cfg.type': 'BayesSyncBN' for part in PARTS},
        {'sync_bn': 'torch', **{f'model.{part}.norm_cfg.type': 'BayesBN' for part in PARTS}},
    ],
)
def test_synchronized_batch_norm_becomes_bayesian(tmp_path, base, changes):
    settings = dict(load_from=base, iterations=1, allow_sync_bn=True, **changes)
    first, second = train(tmp_path / 'two', 2, **settings)
    assert first['classes'] == {'BayesSyncBatchNorm'}
    start = torch.load(base, weights_only=True)['state_dict']
    name = 'backbone.stem.1.weight'
    assert not torch.equal(first['state'][name], start[name])
    assert torch.equal(first['state'][name], second['state'][name])
