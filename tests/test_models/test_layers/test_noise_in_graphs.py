"""Traced, exported and compiled networks: the noise of the held draw, or an error."""

import pytest
import torch
from torch import nn

from mmseg_abnn import Draw, convert_to_abnn, hold_draw, noise_off
from mmseg_abnn.models.layers import hold_dropout

pytestmark = pytest.mark.filterwarnings('ignore::torch.jit.TracerWarning', 'ignore:.*torch.jit')


def build(noise_shape='channel'):
    torch.manual_seed(0)
    layers = (nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.GroupNorm(2, 8))
    net = nn.Sequential(*layers, nn.Conv2d(8, 4, 1)).eval()
    convert_to_abnn(net, alpha=0.4, noise_shape=noise_shape)
    return net.requires_grad_(False)


@pytest.fixture
def x():
    return torch.randn(2, 3, 12, 10, generator=torch.Generator().manual_seed(0))


def traced(net, x):
    return torch.jit.trace(net, x)


def exported(net, x):
    return torch.export.export(net, (x,)).module()


both = pytest.mark.parametrize('graph_of', [traced, exported])


def equation(draw, name):
    """The noise of a layer in a draw, by its definition."""
    return 0.4 * torch.randn(8, generator=draw.generator(name))[:, None, None]


def expected(net, x, draw):
    """The network in a draw, written out."""
    conv, bn, relu, gn, last = net
    with noise_off(net):
        h = conv(x)
        beta = bn.bias[:, None, None]
        h = relu((bn(h) - beta) * (1 + equation(draw, '1')) + beta)
        beta = gn.bias[:, None, None]
        return last((gn(h) - beta) * (1 + equation(draw, '3')) + beta)


@both
def test_no_pass_is_needed_before(graph_of, x):
    net, draw = build(), Draw(3, 1, 2)
    with hold_draw(net, draw):
        graph = graph_of(net, x)
    torch.testing.assert_close(graph(x), expected(net, x, draw))
    assert torch.equal(graph(x), graph(x))


@both
@pytest.mark.parametrize('noise_shape', ['channel', 'element'])
def test_a_graph_without_a_held_draw_is_refused(graph_of, noise_shape, x):
    net = build(noise_shape)
    with pytest.raises(RuntimeError, match='draws fresh noise in every forward pass'):
        graph_of(net, x)
    with noise_off(net):
        plain = net(x)
        assert torch.equal(graph_of(net, x)(x), plain)


@both
def test_noise_of_a_size_needs_a_pass_of_that_size(graph_of, x):
    net = build('element')
    message = "the noise of the layer '1' does not exist yet"
    with hold_draw(net, Draw(0)):
        with pytest.raises(RuntimeError, match=message):
            graph_of(net, x)
        net(x[:, :, :-1])
        with pytest.raises(RuntimeError, match=message):
            graph_of(net, x)
        held = net(x)
        graph = graph_of(net, x)
        assert torch.equal(net(x), held)  # nothing of the graph is left in the network
    torch.testing.assert_close(graph(x), held)


@both
def test_dropout_needs_a_pass_too(graph_of, x):
    net = nn.Sequential(nn.Conv2d(3, 8, 1), nn.Dropout2d(0.5)).eval().requires_grad_(False)
    with hold_dropout(net, Draw(0)):
        with pytest.raises(RuntimeError, match="the noise of the layer '1' does not exist yet"):
            graph_of(net, x)
        held = net(x)
        graph = graph_of(net, x)
    torch.testing.assert_close(graph(x), held)


class HoldsInside(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = build()

    def forward(self, x):
        with hold_draw(self.net, Draw(0)):
            return self.net(x)


@both
def test_a_draw_that_is_held_inside_the_graph_is_refused(graph_of, x):
    with pytest.raises(RuntimeError, match="the noise of the layer '1' does not exist yet"):
        graph_of(HoldsInside(), x)


def test_one_compiled_graph_serves_all_draws(x):
    net, graphs = build(), []

    def count(module, example_inputs):
        graphs.append(module)
        return module

    torch._dynamo.reset()
    compiled = torch.compile(net, backend=count, fullgraph=True)
    for index in range(3):
        with hold_draw(net, Draw(0, 0, index)):
            torch.testing.assert_close(compiled(x), expected(net, x, Draw(0, 0, index)))
    assert len(graphs) == 1
    assert not torch.equal(compiled(x), compiled(x))  # as without compiling: fresh noise
    torch._dynamo.reset()
