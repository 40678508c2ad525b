"""Normalization layers of timm and torchvision: converted right, or named in the report."""

import pytest
import torch
from torch import nn

from helpers.package_standins import (
    BatchNormAct2d,
    GroupNormAct,
    LayerNorm2d,
    LayerNormAct,
    LayerNormAct2d,
    install,
)
from mmseg_abnn import Draw, convert_to_abnn, hold_draw, revert_abnn

ALPHA = 0.4
IMAGES = (3, 4, 5, 6)
LAYERS = {
    'BatchNormAct2d': (BatchNormAct2d, 'BayesBatchNormAct2d', IMAGES),
    'GroupNormAct': (GroupNormAct, 'BayesGroupNormAct', IMAGES),
    'LayerNormAct': (LayerNormAct, 'BayesLayerNormAct', (3, 7, 4)),
    'LayerNormAct2d': (LayerNormAct2d, 'BayesLayerNormAct2d', IMAGES),
    'LayerNorm2d': (LayerNorm2d, 'BayesLayerNormNCHW', IMAGES),
}


def build(kind, **arguments):
    """A network of one such layer, with values as if it were trained."""
    generator = torch.Generator().manual_seed(0)
    layer = kind(4, **arguments)
    with torch.no_grad():
        layer.weight.uniform_(0.5, 2.0, generator=generator)
        layer.bias.normal_(generator=generator)
        if hasattr(layer, 'running_mean'):
            layer.running_mean.normal_(generator=generator)
            layer.running_var.uniform_(0.5, 2.0, generator=generator)
    return nn.Sequential(layer).eval()


def batch(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize('training', [False, True])
@pytest.mark.parametrize('name', LAYERS)
def test_the_noise_comes_before_the_activation(name, training, monkeypatch):
    install(monkeypatch)
    kind, bayesian, shape = LAYERS[name]
    arguments = {} if name == 'LayerNorm2d' else dict(act=nn.Sigmoid())
    model, x = build(kind, **arguments).train(training), batch(*shape)
    plain = model(x)
    assert convert_to_abnn(model, alpha=0.0, norm_eval=False).converted == {'0': bayesian}
    assert torch.equal(model(x), plain)
    convert_to_abnn(model, alpha=ALPHA, norm_eval=False)
    with hold_draw(model, Draw(5)):
        found = model(x)

    # the equation: xhat gamma (1 + eps) + beta, then the activation
    eps = ALPHA * torch.randn(4, generator=Draw(5).generator('0'))
    around = (4,) if name == 'LayerNormAct' else (4, 1, 1)
    gamma, beta = model[0].weight.reshape(around), model[0].bias.reshape(around)
    before = plain if name == 'LayerNorm2d' else plain.logit()
    expected = (before - beta) / gamma * gamma * (1 + eps.reshape(around)) + beta
    if name != 'LayerNorm2d':
        expected = expected.sigmoid()
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    revert_abnn(model)
    assert type(model[0]) is kind
    assert torch.equal(model(x), plain)


def test_the_noise_comes_before_the_dropout(monkeypatch):
    install(monkeypatch)
    model = build(BatchNormAct2d, drop=nn.Dropout(1.0), act=nn.Identity()).train()
    convert_to_abnn(model, alpha=ALPHA)
    assert not model[0].training  # its statistics are fixed, and the dropout is on
    # noise behind it would leave -eps beta of what was dropped
    assert torch.equal(model.train()(batch(*IMAGES)), torch.zeros(IMAGES))
    assert not torch.equal(model.eval()(batch(*IMAGES)), torch.zeros(IMAGES))


def test_a_fast_norm_is_left_alone(monkeypatch):
    install(monkeypatch)
    model = nn.Sequential(GroupNormAct(4), GroupNormAct(4))
    model[1]._fast_norm = True
    report = convert_to_abnn(model)
    assert list(report.converted) == ['0']
    assert 'set_fast_norm(False)' in report.left_alone['1']


class FrozenBatchNorm2d(nn.Module):
    """Torchvision's, by its tensors."""

    def __init__(self):
        super().__init__()
        self.register_buffer('weight', torch.ones(4))
        self.register_buffer('running_mean', torch.zeros(4))


class FrozenBatchNormAct2d(FrozenBatchNorm2d):
    def __init__(self):
        super().__init__()
        self.act = nn.ReLU()


class RmsNormAct(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4))
        self.act = nn.ReLU()


class InplaceAbn(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4))
        self.register_buffer('running_mean', torch.zeros(4))


class BN(nn.BatchNorm2d):
    """Of nothing but a name of its own."""

    def forward(self, input):
        return super().forward(input).relu()


class ConvNormAct(nn.Module):
    """A block with a normalization in it."""

    def __init__(self):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)


@pytest.mark.parametrize(
    ('layer', 'reason'),
    [
        (FrozenBatchNorm2d(), 'FrozenBatchNorm2d has no Bayesian form'),
        (FrozenBatchNormAct2d(), 'FrozenBatchNormAct2d has no Bayesian form'),
        (RmsNormAct(), 'RmsNormAct has no Bayesian form'),
        (nn.RMSNorm(4), 'RMSNorm has no Bayesian form'),
        (InplaceAbn(), 'InplaceAbn has no Bayesian form'),
        (BN(4), 'BN has no Bayesian form: it may compute something else than BatchNorm2d'),
        (
            BatchNormAct2d(4),  # where timm's is not imported, this is somebody else's
            'BatchNormAct2d has no Bayesian form: it may compute something else than BatchNorm2d',
        ),
    ],
)
def test_every_norm_that_stays_plain_is_named(layer, reason):
    report = convert_to_abnn(nn.Sequential(nn.BatchNorm2d(3), layer))
    assert report.left_alone == {'1': reason}
    assert reason in str(report)


def test_a_block_is_no_normalization():
    report = convert_to_abnn(nn.Sequential(ConvNormAct()))
    assert (report.converted, report.left_alone) == ({'0.bn': 'BayesBatchNorm2d'}, {})
