"""`draws='none'`: the mean over the members, each of them one network."""

import copy

import pytest
import torch

from helpers.monte_carlo import build, perturbed, predict, samples
from helpers.networks import build_segmentor


@pytest.fixture
def x():
    return torch.randn(2, 3, 32, 48, generator=torch.Generator().manual_seed(0))


def built(converted, **test_cfg):
    """Build a network with three members; return it and the state dicts of the members."""
    test_cfg = dict(mode='whole', draws='none', **test_cfg)
    if converted:
        model = build(alpha=0.8, test_cfg=test_cfg)
    else:
        model = build_segmentor(type='MCEncoderDecoder', test_cfg=test_cfg)
    members = [perturbed(build(), seed) for seed in range(3)]
    model.set_members(members)
    return model, members


def each_alone(members, x):
    """The probabilities of the base network and of each member, by plain networks."""
    plain = build_segmentor()
    state = copy.deepcopy(plain.state_dict())
    found = []
    for member in ({}, *members):
        plain.load_state_dict({**state, **member})
        data = samples(len(x), ori_shape=(32, 48))
        logits = [sample.seg_logits.data for sample in predict(plain, x, data)]
        found.append(torch.stack(logits).softmax(dim=1))
    return found


def probabilities(model, x):
    return torch.stack([sample.seg_logits.data.exp() for sample in predict(model, x)])


@pytest.mark.parametrize('converted', [True, False])
@pytest.mark.parametrize('num_samples', [1, 4])
def test_it_is_the_mean_of_the_members(x, converted, num_samples):
    model, members = built(converted, num_samples=num_samples)
    _, *p = each_alone(members, x)
    mean = sum(p) / 3
    torch.testing.assert_close(probabilities(model, x), mean)
    expected_entropy = sum(-(q * q.log()).sum(dim=1) for q in p) / 3
    found = torch.stack([s.uncertainty.expected_entropy[0] for s in predict(model, x)])
    torch.testing.assert_close(found, expected_entropy)


@pytest.mark.parametrize('num_samples', [1, 4])
def test_the_base_network_counts_as_one_member(x, num_samples):
    model, members = built(True, num_samples=num_samples, include_base=True)
    torch.testing.assert_close(probabilities(model, x), sum(each_alone(members, x)) / 4)


def test_temperature_and_labels_of_the_base_network(x):
    model, members = built(False, temperature=2.0, labels_from='base')
    base, *p = each_alone(members, x)
    # softmax(logits / T) is p^(1/T) over its sum
    warm = [q.sqrt() / q.sqrt().sum(dim=1, keepdim=True) for q in p]
    torch.testing.assert_close(probabilities(model, x), sum(warm) / 3)
    labels = torch.stack([sample.pred_sem_seg.data[0] for sample in predict(model, x)])
    assert torch.equal(labels, base.argmax(dim=1))


def test_nothing_is_drawn_so_no_image_needs_a_name(x):
    model, _ = built(True, draw_per_image=True)
    other, _ = built(True)
    assert torch.equal(probabilities(model, x), probabilities(other, x))


def test_without_members_it_is_the_network(x):
    model = build_segmentor(
        type='MCEncoderDecoder', test_cfg=dict(mode='whole', draws='none', num_samples=3)
    )
    (base,) = each_alone([], x)
    torch.testing.assert_close(probabilities(model, x), base)
