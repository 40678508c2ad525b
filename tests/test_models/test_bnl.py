import mmcv.cnn
import pytest
import torch
from mmengine.model.utils import revert_sync_batchnorm
from torch import nn

from mmseg_abnn.conversion import convert_to_abnn
from mmseg_abnn.models.layers import (
    BayesBatchNorm1d,
    BayesBatchNorm2d,
    BayesBatchNorm3d,
    BayesBatchNormXd,
    Draw,
    hold_draw,
)

LAYERS = [
    (nn.BatchNorm1d, BayesBatchNorm1d, (6, 4, 5)),
    (nn.BatchNorm1d, BayesBatchNorm1d, (6, 4)),
    (nn.BatchNorm2d, BayesBatchNorm2d, (6, 4, 5, 3)),
    (nn.BatchNorm3d, BayesBatchNorm3d, (6, 4, 2, 3, 3)),
]


def trained(layer):
    with torch.no_grad():
        for tensor in (layer.weight, layer.running_var):
            tensor.uniform_(0.5, 2.0)
        for tensor in (layer.bias, layer.running_mean):
            tensor.normal_()
    return layer


@pytest.mark.parametrize(('plain', 'bayes', 'shape'), LAYERS)
@pytest.mark.parametrize('training', [False, True])
@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
def test_without_noise_a_layer_is_its_counterpart_bit_for_bit(plain, bayes, shape, training, dtype):
    torch.manual_seed(0)
    reference = trained(plain(4)).train(training)
    layer = bayes(4, alpha=0.0).train(training)
    layer.load_state_dict(reference.state_dict(), strict=True)
    x = torch.randn(shape, dtype=dtype)
    assert torch.equal(layer(x), reference(x))
    assert torch.equal(layer.running_var, reference.running_var)


def test_state_dict_keys_are_those_of_batch_norm():
    assert list(BayesBatchNorm2d(4).state_dict()) == list(nn.BatchNorm2d(4).state_dict())


@pytest.mark.parametrize(('plain', 'bayes', 'shape'), LAYERS)
@pytest.mark.parametrize('noise_shape', ['channel', 'element'])
def test_output_is_the_equation_for_the_noise_that_is_held(plain, bayes, shape, noise_shape):
    torch.manual_seed(0)
    layer = trained(bayes(4, alpha=0.3, noise_shape=noise_shape)).eval()
    x = torch.randn(shape)
    model, draw = nn.Sequential(layer), Draw(seed=3, member=1, index=2)
    with hold_draw(model, draw):
        output = model(x)
    # BNL(h) = (h - mu) / sigma * gamma (1 + eps) + beta, written out sample by sample
    noise_size = (1, 4, *[1] * (len(shape) - 2)) if noise_shape == 'channel' else (1, *shape[1:])
    eps = 0.3 * torch.randn(noise_size, generator=draw.generator('0'))
    as_row = lambda t: t.reshape(1, 4, *[1] * (len(shape) - 2))  # noqa: E731
    for sample, out in zip(x.split(1), output.split(1), strict=True):
        h = (sample - as_row(layer.running_mean)) / (as_row(layer.running_var) + layer.eps).sqrt()
        expected = h * as_row(layer.weight) * (1 + eps) + as_row(layer.bias)
        torch.testing.assert_close(out, expected)


@pytest.mark.parametrize('training', [False, True])
def test_fresh_noise_has_the_moments_of_the_equation(training):
    torch.manual_seed(0)
    layer = trained(BayesBatchNorm2d(3, alpha=0.2)).train(training)
    reference = trained(nn.BatchNorm2d(3)).train(training)
    reference.load_state_dict(layer.state_dict())
    x = torch.randn(2, 3, 2, 2)
    plain = reference(x)
    draws = torch.stack([layer(x) for _ in range(4000)])
    # mean: the plain output; standard deviation: alpha |gamma xhat| = alpha |output - beta|
    spread = 0.2 * (plain - layer.bias.reshape(1, 3, 1, 1)).abs()
    error = spread / 4000**0.5
    assert ((draws.mean(0) - plain).abs() <= 5 * error + 1e-6).all()
    torch.testing.assert_close(draws.std(0), spread, rtol=0.08, atol=1e-4)


def test_channel_noise_differs_between_samples_and_channels_only():
    layer = BayesBatchNorm2d(3, alpha=0.5).eval()
    with torch.no_grad():
        gain = layer(torch.ones(2, 3, 4, 4))
    assert (gain == gain[:, :, :1, :1]).all()
    assert gain[:, :, 0, 0].unique().numel() == 6


def test_element_noise_differs_everywhere():
    layer = BayesBatchNorm2d(3, alpha=0.5, noise_shape='element').eval()
    with torch.no_grad():
        gain = layer(torch.ones(2, 3, 4, 4))
    assert gain.unique().numel() == gain.numel()


@pytest.mark.parametrize('norm_eval', [False, True])
def test_gradients_with_held_noise(norm_eval):
    torch.manual_seed(0)
    model = nn.Sequential(trained(nn.BatchNorm2d(2))).double()
    convert_to_abnn(model, alpha=0.3, norm_eval=norm_eval)
    model.train()
    x = torch.randn(3, 2, 2, 2, dtype=torch.double, requires_grad=True)

    def run(x, weight, bias):
        with hold_draw(model, Draw(0)):
            return torch.func.functional_call(model, {'0.weight': weight, '0.bias': bias}, (x,))

    assert torch.autograd.gradcheck(run, (x, model[0].weight, model[0].bias))


def test_norm_eval_keeps_statistics_under_train():
    layer = trained(nn.BatchNorm2d(3))
    convert_to_abnn(nn.Sequential(layer), alpha=0.1, norm_eval=True)
    before = layer.running_mean.clone()
    layer.train()(torch.randn(4, 3, 2, 2) + 5)
    assert torch.equal(layer.running_mean, before)
    assert layer.num_batches_tracked == 0


def test_non_distributed_sync_batch_norm():
    model = revert_sync_batchnorm(nn.Sequential(trained(nn.SyncBatchNorm(3)))).eval()
    x = torch.randn(2, 3, 4, 4)
    plain = model(x)
    convert_to_abnn(model, alpha=0.0)
    assert isinstance(model[0], BayesBatchNormXd)
    assert torch.equal(model(x), plain)
    convert_to_abnn(model, alpha=0.1)
    assert not torch.equal(model(x), plain)


@pytest.mark.parametrize('kind', ['BayesBN', 'BayesBN2d', 'BNL'])
def test_usable_as_norm_cfg(kind):
    name, layer = mmcv.cnn.build_norm_layer(dict(type=kind, alpha=0.25), 8, postfix=1)
    assert name == 'bn1'
    assert isinstance(layer, BayesBatchNorm2d)
    assert layer.alpha == 0.25


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(alpha=-1), '`alpha` must be a finite number >= 0, got -1'),
        (dict(alpha=float('nan')), '`alpha` must be a finite number >= 0, got nan'),
        (dict(noise_shape='pixel'), "`noise_shape` must be one of .*got 'pixel'"),
        (dict(affine=False), 'needs an affine part'),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        BayesBatchNorm2d(3, **arguments)


def test_alpha_of_a_wrong_type():
    with pytest.raises(TypeError, match="`alpha` must be a number >= 0, got '0\\.1'"):
        BayesBatchNorm2d(3, alpha='0.1')
