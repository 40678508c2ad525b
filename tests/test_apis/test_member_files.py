import json
import os

import pytest
import torch
from mmengine.config import Config
from mmseg.registry import MODELS
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from mmseg_abnn.apis.member_files import load_member, save_ensemble, save_member
from mmseg_abnn.checkpoint import (
    BaseNetwork,
    member_states,
    network_state,
    read_checkpoint,
    state_hash,
)
from mmseg_abnn.conversion import convert_to_abnn
from mmseg_abnn.models.member_bank import check_member, member_tensors


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1))


def test_a_member_holds_what_was_trained_and_what_moved(model):
    base = {n: t.clone() for n, t in model.state_dict().items()}
    x = torch.randn(2, 3, 4, 4)
    convert_to_abnn(model)
    model.train()(x)  # statistics are fixed
    assert set(member_tensors(model, base)) == {'1.weight', '1.bias'}
    convert_to_abnn(model, norm_eval=False)
    model.train()(x)
    statistics = {'1.running_mean', '1.running_var', '1.num_batches_tracked'}
    assert set(member_tensors(model, base)) == {'1.weight', '1.bias'} | statistics
    convert_to_abnn(model, trainable='all')
    assert set(member_tensors(model, base)) == set(base)


def test_file_round_trip(tmp_path, model):
    convert_to_abnn(model)
    path = str(tmp_path / 'member_0.safetensors')
    facts = dict(base_hash='abc', alpha=0.1, eta={'loss': [0.0, 1.0]})
    save_member(path, member_tensors(model, model.state_dict()), facts)
    tensors, metadata = load_member(path)
    assert metadata == facts
    assert torch.equal(tensors['1.weight'], model[1].weight)
    with safe_open(path, framework='np') as file:  # readable without this package
        assert json.loads(file.metadata()['mmseg_abnn'])['alpha'] == 0.1
    assert [p.name for p in tmp_path.iterdir()] == ['member_0.safetensors']


@pytest.mark.parametrize('umask', [0o022, 0o077, 0o002])
def test_files_have_ordinary_permissions(tmp_path, model, umask):
    convert_to_abnn(model)
    tensors = member_tensors(model, model.state_dict())
    base = BaseNetwork('base.pth', {'state_dict': model.state_dict()})
    before = os.umask(umask)
    try:
        save_member(str(tmp_path / 'member_0.safetensors'), tensors, dict(base_hash=base.hash))
        save_ensemble(str(tmp_path / 'abnn.pth'), base, [str(tmp_path / 'member_0.safetensors')])
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == dict.fromkeys(['member_0.safetensors', 'abnn.pth'], 0o666 & ~umask)


def test_hash_sees_every_bit_and_name(model):
    state = model.state_dict()
    reference = state_hash(state)
    assert state_hash(dict(reversed(state.items()))) == reference
    changed = {n: t.clone() for n, t in state.items()}
    changed['0.bias'][0] = torch.nextafter(changed['0.bias'][0], torch.tensor(10.0))
    assert state_hash(changed) != reference
    assert state_hash({f'x{n}': t for n, t in state.items()}) != reference


def test_ensemble_file_holds_the_base_network_and_the_members(tmp_path, model):
    base = {n: t.clone() for n, t in model.state_dict().items()}
    convert_to_abnn(model)
    paths = []
    for m in range(2):
        paths.append(str(tmp_path / f'member_{m}.safetensors'))
        tensors = {n: t + m + 1 for n, t in member_tensors(model, model.state_dict()).items()}
        save_member(paths[m], tensors, dict(base_hash=state_hash(base), alpha=0.1, member=m))
    save_ensemble(str(tmp_path / 'abnn.pth'), BaseNetwork('base.pth', {'state_dict': base}), paths)
    checkpoint = read_checkpoint(tmp_path / 'abnn.pth')
    assert list(network_state(checkpoint)) == list(base)
    assert all(torch.equal(checkpoint['state_dict'][n], base[n]) for n in base)
    assert torch.equal(member_states(checkpoint)[1]['1.bias'], base['1.bias'] + 2)
    assert [facts['member'] for facts in checkpoint['meta']['members']] == [0, 1]


def test_members_of_another_network_are_rejected(tmp_path, model):
    path = str(tmp_path / 'member_0.safetensors')
    save_member(path, {'1.weight': torch.ones(4)}, dict(base_hash='other', alpha=0.1))
    base = BaseNetwork('base.pth', {'state_dict': model.state_dict()})
    with pytest.raises(ValueError, match='was fine-tuned from another base network'):
        save_ensemble(str(tmp_path / 'abnn.pth'), base, [path])


def test_files_that_are_no_members(tmp_path):
    with pytest.raises(FileNotFoundError, match='there is no member file'):
        load_member(str(tmp_path / 'nothing.safetensors'))
    garbage = tmp_path / 'garbage.safetensors'
    garbage.write_bytes(b'no tensors')
    with pytest.raises(ValueError, match='is not a safetensors file'):
        load_member(str(garbage))
    foreign = str(tmp_path / 'foreign.safetensors')
    save_file({'a': torch.ones(1)}, foreign)
    with pytest.raises(ValueError, match='is not a member file'):
        load_member(foreign)


def test_a_module_under_two_names_is_stored_once(tmp_path):
    class Shared(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.BatchNorm2d(4)
            self.second = self.first

    network = Shared()
    base = {n: t.clone() for n, t in network.state_dict().items()}
    convert_to_abnn(network, trainable='all')
    tensors = member_tensors(network, base)
    assert set(tensors) == {'first.weight', 'first.bias'}
    path = str(tmp_path / 'member_0.safetensors')
    save_member(path, tensors, dict(base_hash='abc'))
    check_member(network, load_member(path)[0], 'the member')


def test_a_member_of_a_resnet_50_is_small(tmp_path):
    cfg = Config.fromstring(
        "_base_ = 'mmseg::deeplabv3plus/deeplabv3plus_r50-d8_4xb2-40k_cityscapes-512x1024.py'\n"
        "custom_imports = dict(imports=['mmseg.models'])",
        '.py',
    )
    cfg.model.update(type='MCEncoderDecoder', pretrained=None)
    network = MODELS.build(cfg.model)
    base = {n: t.clone() for n, t in network.state_dict().items()}
    torch.save({'state_dict': base}, tmp_path / 'base.pth')
    report = convert_to_abnn(network)
    path = tmp_path / 'member_0.safetensors'
    facts = dict(base_hash=state_hash(base), config=cfg.to_dict())
    save_member(str(path), member_tensors(network, base), facts)
    assert report.num_trainable > 50_000
    assert path.stat().st_size < 0.005 * (tmp_path / 'base.pth').stat().st_size

    # three members: one copy of the network, and three banks of what they trained
    members = [load_member(str(path))[0] for _ in range(3)]
    network.set_members(members)
    tensors = {t.data_ptr(): t for t in (*network.parameters(), *network.buffers())}
    statistics = sum(
        t.numel() for n, t in base.items() if n not in dict(network.named_parameters())
    )
    constants = sum(b.numel() for b in network.data_preprocessor.buffers())
    expected = report.num_parameters + statistics + constants + 3 * report.num_trainable
    assert sum(t.numel() for t in tensors.values()) == expected
