import os
import pickle

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner import CheckpointLoader
from torch import nn

from mmseg_abnn import checkpoint as reader
from mmseg_abnn.checkpoint import (
    BaseNetwork,
    Inert,
    network_state,
    read_checkpoint,
    state_hash,
    use_safe_loading,
)


class Hostile:
    """Writes a file when it is unpickled by a loader without restriction."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f'echo broken > {self.path}',)


@pytest.fixture
def checkpoint(tmp_path):
    model = nn.Conv2d(2, 3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    model(torch.ones(1, 2, 1, 1)).sum().backward()
    optimizer.step()
    return {
        'meta': {'iter': 7, 'palette': np.arange(6).reshape(2, 3), 'seed': np.int64(3)},
        'state_dict': model.state_dict(),
        'optimizer': optimizer.state_dict(),
        'message_hub': {'log_scalars': {'loss': HistoryBuffer([1.0], [1])}},
    }


def test_everything_but_foreign_objects_arrives(tmp_path, checkpoint):
    torch.save(checkpoint, tmp_path / 'a.pth')
    loaded = read_checkpoint(tmp_path / 'a.pth')
    for name, tensor in checkpoint['state_dict'].items():
        assert torch.equal(loaded['state_dict'][name], tensor)
    momentum = checkpoint['optimizer']['state'][0]['momentum_buffer']
    assert torch.equal(loaded['optimizer']['state'][0]['momentum_buffer'], momentum)
    assert loaded['optimizer']['param_groups'] == checkpoint['optimizer']['param_groups']
    assert loaded['meta']['iter'] == 7
    assert loaded['meta']['seed'] == 3
    np.testing.assert_array_equal(loaded['meta']['palette'], checkpoint['meta']['palette'])
    assert isinstance(loaded['message_hub']['log_scalars']['loss'], Inert)


def test_nothing_that_a_file_says_is_run(tmp_path, checkpoint):
    proof = tmp_path / 'proof'
    checkpoint['extra'] = Hostile(proof)
    torch.save(checkpoint, tmp_path / 'a.pth')
    loaded = read_checkpoint(tmp_path / 'a.pth')
    assert not proof.exists()
    assert isinstance(loaded['extra'], Inert)
    assert set(loaded['state_dict']) == set(checkpoint['state_dict'])
    pickle.loads(pickle.dumps(checkpoint['extra']))  # the attack itself works
    assert proof.exists()


@pytest.fixture
def _safe_loading(monkeypatch):
    monkeypatch.setattr(CheckpointLoader, '_schemes', dict(CheckpointLoader._schemes))
    use_safe_loading()


@pytest.mark.usefixtures('_safe_loading')
def test_tools_make_the_runner_read_safely(tmp_path, checkpoint):
    proof = tmp_path / 'proof'
    checkpoint['extra'] = Hostile(proof)
    torch.save(checkpoint, tmp_path / 'a.pth')
    loaded = CheckpointLoader.load_checkpoint(str(tmp_path / 'a.pth'), 'cpu')
    assert loaded['meta']['iter'] == 7
    assert not proof.exists()


def test_network_state_drops_the_prefix_of_wrappers():
    weight = torch.ones(2)
    expected = {'a.weight': weight}
    assert network_state({'state_dict': {'module.a.weight': weight}}) == expected
    assert network_state({'a.weight': weight, 'epoch': 3}) == expected


def test_unreadable_files(tmp_path):
    with pytest.raises(FileNotFoundError, match='there is no checkpoint file'):
        read_checkpoint(tmp_path / 'nothing.pth')
    (tmp_path / 'garbage.pth').write_bytes(b'not a checkpoint')
    with pytest.raises(ValueError, match='is not a readable checkpoint'):
        read_checkpoint(tmp_path / 'garbage.pth')
    torch.save({'state_dict': {'weight': torch.ones(1000)}}, tmp_path / 'whole.pth')
    whole = (tmp_path / 'whole.pth').read_bytes()
    (tmp_path / 'cut_off.pth').write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match='is not a readable checkpoint'):
        read_checkpoint(tmp_path / 'cut_off.pth')
    torch.save([1, 2], tmp_path / 'list.pth')
    with pytest.raises(ValueError, match='holds a list, not a checkpoint dictionary'):
        read_checkpoint(tmp_path / 'list.pth')


def counting(monkeypatch, name):
    """Count the calls of a function of the module."""
    calls = []
    function = getattr(reader, name)

    def counted(*arguments, **options):
        calls.append(arguments)
        return function(*arguments, **options)

    monkeypatch.setattr(reader, name, counted)
    return calls


def test_a_base_network_is_hashed_once(tmp_path, checkpoint, monkeypatch):
    expected = state_hash(checkpoint['state_dict'])
    torch.save(checkpoint, tmp_path / 'base.pth')
    hashed = counting(monkeypatch, 'state_hash')
    base = BaseNetwork.read(str(tmp_path / 'base.pth'))
    assert [base.hash, base.hash] == [expected, expected]
    assert len(hashed) == 1
    assert base.meta['iter'] == 7
    assert all(torch.equal(base.state[n], t) for n, t in checkpoint['state_dict'].items())
    assert BaseNetwork('base.pth', {'state_dict': base.state}).meta == {}


@pytest.mark.usefixtures('_safe_loading')
def test_a_runner_loads_a_base_network_without_reading_it_again(tmp_path, checkpoint, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(checkpoint, tmp_path / 'base.pth')
    base = BaseNetwork.read('base.pth')
    read = counting(monkeypatch, 'read_checkpoint')
    with base.kept():
        for path in ('base.pth', str(tmp_path / 'base.pth')):
            loaded = CheckpointLoader.load_checkpoint(path, 'cpu')
            assert loaded['meta']['iter'] == 7
            for name, tensor in checkpoint['state_dict'].items():
                assert torch.equal(loaded['state_dict'][name], tensor)
            assert 'optimizer' not in loaded  # of its own training
    assert not read
    CheckpointLoader.load_checkpoint('base.pth', 'cpu')
    assert len(read) == 1


@pytest.mark.usefixtures('_safe_loading')
def test_a_base_network_is_not_kept_after_an_error(tmp_path, checkpoint):
    path = str(tmp_path / 'base.pth')
    torch.save(checkpoint, path)
    with pytest.raises(ZeroDivisionError), BaseNetwork.read(path).kept():
        raise ZeroDivisionError
    (tmp_path / 'base.pth').unlink()
    with pytest.raises(FileNotFoundError):
        CheckpointLoader.load_checkpoint(path, 'cpu')


@pytest.mark.usefixtures('_safe_loading')
def test_what_a_runner_does_to_a_loaded_checkpoint_does_not_reach_the_base_network(
    tmp_path, checkpoint
):
    path = str(tmp_path / 'base.pth')
    torch.save(checkpoint, path)
    base = BaseNetwork.read(path)
    with base.kept():
        loaded = CheckpointLoader.load_checkpoint(path, 'cpu')
        del loaded['meta']
        loaded['state_dict'].clear()
        again = CheckpointLoader.load_checkpoint(path, 'cpu')
    assert again['meta']['iter'] == 7
    assert set(again['state_dict']) == set(checkpoint['state_dict'])
    assert base.hash == state_hash(checkpoint['state_dict'])
