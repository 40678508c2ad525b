import os
import pickle

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner import CheckpointLoader
from torch import nn

from mmseg_abnn.checkpoint import Inert, network_state, read_checkpoint, use_safe_loading


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


def test_tools_make_the_runner_read_safely(tmp_path, checkpoint, monkeypatch):
    monkeypatch.setattr(CheckpointLoader, '_schemes', dict(CheckpointLoader._schemes))
    use_safe_loading()
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
