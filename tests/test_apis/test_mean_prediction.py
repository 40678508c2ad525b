"""The mean prediction of a bare network, against a loop over members and draws."""

import copy

import numpy as np
import pytest
import torch
from scipy.special import expit, softmax
from torch import nn

import mmseg_abnn
from helpers.bare_networks import ALPHA, bare_members, bare_network, images
from mmseg_abnn import Draw, predict_mean, revert_abnn
from mmseg_abnn.apis.member_files import save_member

FACTS = dict(alpha=ALPHA, noise_shape='channel')


def naive_logits(net, x, members, draws, seed=0):
    """Logits of all functions, with each layer's noise written into a plain copy of the network.

    gamma xhat (1 + eps) + beta is a plain normalization of the gain gamma (1 + eps).
    """
    found = []
    for m, member in enumerate(members or [{}]):
        for index in range(draws):
            plain = copy.deepcopy(net)
            revert_abnn(plain)
            plain.load_state_dict(member, strict=False)
            for name in ('1', '3'):
                noise = torch.randn(8, generator=Draw(seed, m, index).generator(name))
                plain.get_submodule(name).weight.data *= 1 + ALPHA * noise
            with torch.no_grad():
                found.append(plain.eval()(x).double().numpy())
    return np.stack(found)


@pytest.mark.parametrize('with_members', [False, True])
def test_the_mean_over_members_and_draws(with_members):
    net, x = bare_network(), images()
    members = bare_members(net) if with_members else None
    found = predict_mean(net, x, draws=3, members=members, seed=7)
    logits = naive_logits(net, x, members, 3, seed=7)
    p = softmax(logits, axis=2)
    mean = p.mean(0)
    entropies = -(p * np.log(p)).sum(2)
    entropy = -(mean * np.log(mean)).sum(1)
    votes = np.stack([(logits.argmax(2) == c).mean(0) for c in range(4)])
    expected = {
        'msp': 1 - mean.max(1),
        'entropy': entropy,
        'expected_entropy': entropies.mean(0),
        'mutual_information': entropy - entropies.mean(0),
        'variation_ratio': 1 - votes.max(0),
        'max_logit': -logits.max(2).mean(0),
        'energy': -np.log(np.exp(logits).sum(2)).mean(0),
    }
    np.testing.assert_allclose(found.probabilities, mean, atol=1e-5)
    assert np.array_equal(found.labels, mean.argmax(1))
    assert set(found.uncertainty) == set(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(found.uncertainty[name], values, atol=2e-5, err_msg=name)


def test_a_draw_is_one_function_of_the_whole_batch_and_of_every_call():
    net, x = bare_network(), images()
    whole = predict_mean(net, x, draws=2)
    alone = predict_mean(net, x[1:2], draws=2)
    torch.testing.assert_close(alone.probabilities, whole.probabilities[1:2])
    again = predict_mean(net, x, draws=2)
    assert torch.equal(again.probabilities, whole.probabilities)
    other = predict_mean(net, x, draws=2, seed=1)
    assert (other.probabilities - whole.probabilities).abs().max() > 1e-3


def test_the_network_is_left_as_it_was():
    net, x = bare_network(nn.Dropout(0.5)), images()
    net.train()
    net[1].eval()
    state = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    modes = [(m.training, getattr(m, 'asked_mode', None)) for m in net.modules()]
    found = predict_mean(net, x.requires_grad_(), draws=2, members=bare_members(net))
    assert torch.equal(
        predict_mean(net, x, 2, bare_members(net)).labels, found.labels
    )  # no dropout
    assert not found.probabilities.requires_grad
    assert [(m.training, getattr(m, 'asked_mode', None)) for m in net.modules()] == modes
    assert all(torch.equal(tensor, state[name]) for name, tensor in net.state_dict().items())
    with pytest.raises(ValueError, match='shape'):
        predict_mean(net, x, logits=lambda y: y[:1])
    assert [(m.training, getattr(m, 'asked_mode', None)) for m in net.modules()] == modes


def test_members_from_files(tmp_path):
    net, x = bare_network(), images()
    members = bare_members(net)
    paths = [tmp_path / f'member_{m}.safetensors' for m in range(2)]
    for m, path in enumerate(paths):
        save_member(str(path), members[m], dict(member=m, **FACTS))
    expected = predict_mean(net, x, draws=2, members=members)
    found = predict_mean(net, x, draws=2, members=paths)
    assert torch.equal(found.probabilities, expected.probabilities)
    mixed = predict_mean(net, x, draws=2, members=[members[0], str(paths[1])])
    assert torch.equal(mixed.probabilities, expected.probabilities)
    save_member(str(paths[1]), members[1], dict(member=1, alpha=0.1, noise_shape='channel'))
    message = r'`members\[1\]` \(.*member_1.*\) was fine-tuned with alpha=0.1, the network has'
    with pytest.raises(ValueError, match=message):
        predict_mean(net, x, members=paths)


class Wrapped(nn.Module):
    """A network whose output is made by a function."""

    def __init__(self, make):
        super().__init__()
        self.net, self.make = bare_network(), make

    def forward(self, x):
        return self.make(self.net(x))


def test_outputs_of_other_kinds():
    x = images()
    plain = Wrapped(lambda y: y)
    expected = predict_mean(plain, x, draws=2).probabilities

    def check(make, logits=None):
        found = predict_mean(Wrapped(make), x, draws=2, logits=logits)
        torch.testing.assert_close(found.probabilities, expected)

    check(lambda y: {'out': y, 'aux': y[:, :2]})  # torchvision's segmentation networks
    check(lambda y: (y[:, :2], y), lambda output: output[1])
    check(lambda y: y.permute(0, 2, 3, 1), lambda output: output.permute(0, 3, 1, 2))
    check(lambda y: y.softmax(1), torch.log)


def test_a_classifier_has_no_pixels():
    net = bare_network(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    found = predict_mean(net, images(), draws=2)
    assert (found.probabilities.shape, found.labels.shape) == ((3, 4), (3,))
    assert {values.shape for values in found.uncertainty.values()} == {(3,)}


def test_what_is_compiled_predicts_the_same():
    net, x = bare_network(), images()
    expected = predict_mean(net, x, draws=2, members=bare_members(net))
    compiled = torch.compile(net, backend='eager')
    found = predict_mean(compiled, x, draws=2, members=bare_members(net))
    torch.testing.assert_close(found.probabilities, expected.probabilities)
    torch._dynamo.reset()


@pytest.mark.parametrize(
    ('make', 'arguments', 'error', 'message'),
    [
        (lambda y: (y, y), {}, TypeError, 'Wrapped returns a tuple, .* logits=lambda output'),
        (lambda y: {'seg': y}, {}, TypeError, r"a dict with the keys \['seg'\]"),
        (lambda y: y, dict(logits=list), TypeError, '`logits` must return a floating-point tensor'),
        (lambda y: y[:, :1], {}, ValueError, r'one output channel, a sigmoid, .*torch.zeros_like'),
        (lambda y: y.softmax(1), {}, ValueError, 'Wrapped returns probabilities, .*logits=torch.l'),
        (lambda y: y.mean((1, 2, 3)), {}, ValueError, r'must be of shape \(N, C, ...\)'),
        (lambda y: y.transpose(0, 1), {}, ValueError, r'must be of shape .*got \(4, 3, 6, 5\)'),
        (lambda y: y, dict(draws=0), ValueError, '`draws` must be an int >= 1, got 0'),
        (lambda y: y, dict(draws=True), ValueError, '`draws` must be an int >= 1, got True'),
        (lambda y: y, dict(seed=-1), ValueError, '`seed` must be an int >= 0, got -1'),
        (lambda y: y, dict(members=[]), ValueError, '`members` is empty: None predicts'),
        (lambda y: y, dict(members='m.pth'), TypeError, 'a sequence of .* got a single str'),
        (lambda y: y, dict(members={}), TypeError, 'a sequence of .* got a single dict'),
        (lambda y: y, dict(members=['no']), FileNotFoundError, 'there is no member file no'),
        (
            lambda y: y,
            dict(members=[{'net.7.weight': torch.ones(8)}]),
            ValueError,
            r'`members\[0\]` does not fit Wrapped: 1 of 1 tensors',
        ),
    ],
)
def test_errors(make, arguments, error, message):
    with pytest.raises(error, match=message):
        predict_mean(Wrapped(make), images(), **arguments)


def test_a_network_that_was_not_converted():
    net = bare_network()
    revert_abnn(net)
    with pytest.raises(RuntimeError, match='holds no Bayesian normalization layer'):
        predict_mean(net, images())


def test_one_channel_as_the_message_says():
    net, x = bare_network(), images()

    def both(y):  # the first channel alone, a sigmoid's
        y = y[:, :1]
        return torch.cat([torch.zeros_like(y), y], dim=1)

    found = predict_mean(net, x, draws=3, logits=both).probabilities[:, 1]
    expected = expit(naive_logits(net, x, None, 3)[:, :, 0]).mean(0)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_public_names():
    assert mmseg_abnn.apis.predict_mean is mmseg_abnn.predict_mean
