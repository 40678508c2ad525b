"""Sizes of checkpoints, against sizes that are computed by hand."""

import os

import torch

from comparison import Storage, read_storage


def save(path, **content):
    torch.save(content, path)
    return str(path)


def test_what_only_a_training_needs_does_not_count(tmp_path):
    state = {'weight': torch.ones(10, 3), 'bias': torch.ones(5, dtype=torch.float16)}
    moments = {'moments': [torch.ones(10, 3)] * 2}
    path = save(tmp_path / 'net.pth', state_dict=state, optimizer=moments)
    found = read_storage(path)
    assert found == Storage(10 * 3 * 4 + 5 * 2, 0, os.path.getsize(path))
    assert found.needed == 130


def test_members(tmp_path):
    state = {'weight': torch.ones(10, 3), 'gamma': torch.ones(5)}
    members = [{'gamma': torch.full((5,), float(m))} for m in range(3)]
    path = save(tmp_path / 'abnn.pth', state_dict=state, members=members)
    found = read_storage(path)
    assert (found.network, found.members, found.needed) == (140, 60, 200)


def test_whole_networks_of_which_one_is_the_base(tmp_path):
    networks = [{'weight': torch.full((10, 3), float(m))} for m in range(3)]
    path = save(tmp_path / 'ensemble.pth', state_dict=dict(networks[0]), members=networks)
    assert read_storage(path).needed == 3 * 120


def test_tied_weights(tmp_path):
    weight = torch.ones(10, 3)
    path = save(tmp_path / 'net.pth', state_dict={'a': weight, 'b': weight})
    assert read_storage(path).needed == 120
