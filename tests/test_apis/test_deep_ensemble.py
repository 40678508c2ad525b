"""Whole networks as members: the mean of their predictions."""

import pytest
import torch

from helpers.networks import build_segmentor
from mmseg_abnn import convert_to_abnn
from mmseg_abnn.apis.member_files import save_networks
from mmseg_abnn.checkpoint import member_states, read_checkpoint


def another(state, seed):
    generator = torch.Generator().manual_seed(seed)
    return {
        name: t + 0.1 * torch.rand(t.shape, generator=generator) if t.is_floating_point() else t
        for name, t in state.items()
    }


@pytest.mark.parametrize('converted', [True, False])
def test_it_is_the_mean_of_the_networks(tmp_path, converted):
    first = build_segmentor()
    states = [first.state_dict(), *(another(first.state_dict(), seed) for seed in range(2))]
    path = str(tmp_path / 'ensemble.pth')
    save_networks(path, {f'{i}.pth': state for i, state in enumerate(states)})

    checkpoint = read_checkpoint(path)
    if converted:
        test_cfg = dict(mode='whole', num_samples=1)
        model = build_segmentor(type='MCEncoderDecoder', test_cfg=test_cfg)
        convert_to_abnn(model, alpha=0.0)
    else:
        test_cfg = dict(mode='whole', draws='none')
        model = build_segmentor(type='MCEncoderDecoder', test_cfg=test_cfg)
    model.load_state_dict(checkpoint['state_dict'])
    model.set_members(member_states(checkpoint))
    x = torch.randn(2, 3, 32, 48, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        found = [sample.seg_logits.data.exp() for sample in model.predict(x)]
        total = 0
        for state in states:
            first.load_state_dict(state)
            logits = [sample.seg_logits.data for sample in first.predict(x)]
            total = total + torch.stack(logits).softmax(dim=1)
    torch.testing.assert_close(torch.stack(found), total / 3)
    assert [facts['alpha'] for facts in checkpoint['meta']['members']] == [0.0] * 3


def test_what_is_no_ensemble(tmp_path):
    path = str(tmp_path / 'ensemble.pth')
    state = {'a': torch.zeros(2), 'b': torch.ones(3)}
    with pytest.raises(ValueError, match=r"at least 2 different networks, got \['x.pth'\]"):
        save_networks(path, {'x.pth': state})
    with pytest.raises(ValueError, match=r'y.pth and x.pth hold the same network'):
        save_networks(path, {'x.pth': state, 'y.pth': dict(state)})
    for other in ({'a': torch.zeros(2)}, {**state, 'b': torch.ones(4)}, {**state, 'c': state['a']}):
        with pytest.raises(ValueError, match=r'y.pth and x.pth are no ensemble: 1 entries'):
            save_networks(path, {'x.pth': state, 'y.pth': other})
    assert not list(tmp_path.iterdir())
