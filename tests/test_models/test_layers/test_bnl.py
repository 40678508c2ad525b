"""Every Bayesian layer against its torch counterpart and against the equation written out."""

import mmcv.cnn
import pytest
import torch
from torch import nn

from helpers.networks import LayerNorm2d, install_layer_norm_2d
from mmseg_abnn.compat import batch_norm_xd
from mmseg_abnn.conversion import convert_to_abnn, revert_abnn
from mmseg_abnn.models import layers
from mmseg_abnn.models.layers import Draw, hold_draw


def batch(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


AFFINE = dict(affine=True)
TRACKED = dict(affine=True, track_running_stats=True)
# plain class, Bayesian class, arguments, input shape; the features lie on axis 1, or on the last
# axes for layer normalization
LAYERS = {
    'BN1d': (nn.BatchNorm1d, layers.BayesBatchNorm1d, (4,), {}, (6, 4, 5)),
    'BN1d, no length': (nn.BatchNorm1d, layers.BayesBatchNorm1d, (4,), {}, (6, 4)),
    'BN2d': (nn.BatchNorm2d, layers.BayesBatchNorm2d, (4,), {}, (6, 4, 5, 3)),
    'BN2d, no statistics': (
        nn.BatchNorm2d,
        layers.BayesBatchNorm2d,
        (4,),
        dict(track_running_stats=False),
        (6, 4, 5, 3),
    ),
    'BN3d': (nn.BatchNorm3d, layers.BayesBatchNorm3d, (4,), {}, (6, 4, 2, 3, 3)),
    'BNXd': (batch_norm_xd(), layers.BayesBatchNormXd, (4,), {}, (6, 4, 5, 3)),
    'SyncBN': (nn.SyncBatchNorm, layers.BayesSyncBatchNorm, (4,), {}, (6, 4, 5, 3)),
    'LN, tokens': (nn.LayerNorm, layers.BayesLayerNorm, (4,), {}, (3, 7, 4)),
    'LN, pixels last': (nn.LayerNorm, layers.BayesLayerNorm, (4,), {}, (3, 5, 6, 4)),
    'LN, one vector': (nn.LayerNorm, layers.BayesLayerNorm, (4,), {}, (3, 4)),
    'LN, three axes': (nn.LayerNorm, layers.BayesLayerNorm, ((4, 5, 3),), {}, (6, 4, 5, 3)),
    'LN, two axes': (nn.LayerNorm, layers.BayesLayerNorm, ((5, 3),), {}, (6, 4, 5, 3)),
    'LN, no bias': (nn.LayerNorm, layers.BayesLayerNorm, (4,), dict(bias=False), (3, 7, 4)),
    'LN2d': (LayerNorm2d, layers.BayesLayerNorm2d, (4,), {}, (6, 4, 5, 3)),
    'GN': (nn.GroupNorm, layers.BayesGroupNorm, (2, 4), {}, (6, 4, 5, 3)),
    'GN, tokens': (nn.GroupNorm, layers.BayesGroupNorm, (2, 4), {}, (6, 4, 9)),
    'IN1d': (nn.InstanceNorm1d, layers.BayesInstanceNorm1d, (4,), AFFINE, (6, 4, 5)),
    'IN2d': (nn.InstanceNorm2d, layers.BayesInstanceNorm2d, (4,), AFFINE, (6, 4, 5, 3)),
    'IN2d, tracked': (nn.InstanceNorm2d, layers.BayesInstanceNorm2d, (4,), TRACKED, (6, 4, 5, 3)),
    'IN3d': (nn.InstanceNorm3d, layers.BayesInstanceNorm3d, (4,), AFFINE, (6, 4, 2, 3, 3)),
}
every_layer = pytest.mark.parametrize('name', LAYERS)


def trained(layer):
    """Give a layer an affine part and statistics as if it were trained."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        layer.weight.uniform_(0.5, 2.0, generator=generator)
        if layer.bias is not None:
            layer.bias.normal_(generator=generator)
        if getattr(layer, 'running_mean', None) is not None:
            layer.running_mean.normal_(generator=generator)
            layer.running_var.uniform_(0.5, 2.0, generator=generator)
    return layer


def build(name, alpha, noise_shape='channel'):
    """Return a trained plain layer, its Bayesian form with the same weights, and an input."""
    plain, bayes, args, kwargs, shape = LAYERS[name]
    reference = trained(plain(*args, **kwargs))
    layer = bayes(*args, **kwargs, alpha=alpha, noise_shape=noise_shape)
    layer.load_state_dict(reference.state_dict(), strict=True)
    return reference, layer, batch(*shape)


def gain_shape(layer, x):
    """Return the shape in which one eps per sample and feature broadcasts to ``x``."""
    if isinstance(layer, nn.LayerNorm) and not hasattr(layer, 'num_channels'):
        k = len(layer.normalized_shape)
        return (x.shape[0], *[1] * (x.dim() - 1 - k), *layer.normalized_shape)
    return (*x.shape[:2], *[1] * (x.dim() - 2))


def beta(layer, x):
    if layer.bias is None:
        return torch.zeros(())
    return layer.bias.reshape(1, *gain_shape(layer, x)[1:])


@every_layer
@pytest.mark.parametrize('training', [False, True])
@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16, torch.float16])
def test_without_noise_a_layer_is_its_counterpart_bit_for_bit(name, training, dtype):
    reference, layer, x = build(name, alpha=0.0)
    reference, layer, x = reference.train(training), layer.train(training), x.to(dtype)
    if isinstance(layer, nn.LayerNorm | nn.GroupNorm):  # torch takes no mixed types for these
        reference, layer = reference.to(dtype), layer.to(dtype)
    inputs = [x]
    if x.dim() == 4:
        inputs.append(x.contiguous(memory_format=torch.channels_last))
    for given in inputs:
        expected, found = reference(given), layer(given)
        assert torch.equal(found, expected)
        assert found.stride() == expected.stride()
    for key, value in reference.state_dict().items():
        assert torch.equal(layer.state_dict()[key], value)


@every_layer
def test_state_dicts_go_both_ways(name):
    reference, layer, _ = build(name, alpha=0.1)
    assert list(layer.state_dict()) == list(reference.state_dict())
    reference.load_state_dict(layer.state_dict(), strict=True)


@every_layer
def test_conversion_and_back(name, monkeypatch):
    install_layer_norm_2d(monkeypatch)
    reference, layer, x = build(name, alpha=0.0)
    model = nn.Sequential(reference).eval()
    plain, text = type(reference), repr(model)
    expected = model(x)
    convert_to_abnn(model, alpha=0.2)
    assert type(model[0]) is type(layer)
    assert not torch.allclose(model(x), expected)
    assert 'alpha=0.2' in repr(model)
    assert revert_abnn(model) == ['0']
    assert model[0] is reference
    assert type(model[0]) is plain
    assert repr(model) == text
    assert torch.equal(model(x), expected)
    twin = nn.Sequential(build(name, alpha=0.0)[0])
    assert torch.equal(model.train()(x), twin.train()(x))  # statistics of the batch, too


@every_layer
@pytest.mark.parametrize('noise_shape', ['channel', 'element'])
@pytest.mark.parametrize('training', [False, True])
def test_output_is_the_equation_for_the_noise_that_is_held(name, noise_shape, training):
    reference, layer, x = build(name, 0.3, noise_shape)
    model, draw = nn.Sequential(layer).train(training), Draw(seed=3, member=1, index=2)
    plain = reference.train(training)(x)
    with hold_draw(model, draw):
        output = model(x)
    size = gain_shape(layer, x)[1:] if noise_shape == 'channel' else x.shape[1:]
    generator = draw.generator('0')
    if name == 'LN2d' and noise_shape == 'element':  # it normalizes with the channels last
        eps = 0.3 * torch.randn(*size[1:], size[0], generator=generator).permute(2, 0, 1)
    else:
        eps = 0.3 * torch.randn(size, generator=generator)
    # BNL(h) = gamma xhat (1 + eps) + beta with gamma xhat = plain - beta
    torch.testing.assert_close(output, (plain - beta(layer, x)) * (1 + eps) + beta(layer, x))


@every_layer
@pytest.mark.parametrize('training', [False, True])
@pytest.mark.parametrize('noise_shape', ['channel', 'element'])
def test_fresh_noise_has_the_moments_of_the_equation(name, training, noise_shape):
    reference, layer, x = build(name, 0.2, noise_shape)
    count = 4000
    x = x[:2].repeat_interleave(count, dim=0)  # each sample has noise of its own
    torch.manual_seed(0)
    with torch.no_grad():
        plain = reference.train(training)(x)[::count]
        draws = layer.train(training)(x).reshape(2, count, *x.shape[1:])
    # mean: the plain output; standard deviation: alpha |gamma xhat| = alpha |output - beta|
    spread = 0.2 * (plain - beta(layer, x)).abs().detach()
    assert ((draws.mean(1) - plain).abs() <= 5 * spread / count**0.5 + 1e-5).all()
    # the standard error of a standard deviation from n values is sigma / sqrt(2 n)
    assert ((draws.std(1) - spread).abs() <= 5 * spread / (2 * count) ** 0.5 + 1e-5).all()


@every_layer
def test_channel_noise_is_one_value_per_sample_and_feature(name):
    _, layer, x = build(name, 0.5)
    layer.eval()
    reference = build(name, 0.5)[0].eval()
    torch.manual_seed(0)
    with torch.no_grad():
        ratio = (layer(x) - beta(layer, x)) / (reference(x) - beta(layer, x))
    gain = ratio.flatten()[: ratio[0].numel()].reshape(ratio[0].shape)
    expected = torch.ones(gain_shape(layer, x)[1:])
    for axis, length in enumerate(expected.shape):
        if length == 1:  # constant along the axes that are no features
            first = gain.select(axis, 0).unsqueeze(axis)
            torch.testing.assert_close(gain, first.expand_as(gain), rtol=1e-3, atol=1e-3)
    assert (ratio[0] - ratio[1]).abs().min() > 0  # every sample has its own


def test_element_noise_differs_everywhere():
    layer = layers.BayesBatchNorm2d(3, alpha=0.5, noise_shape='element').eval()
    with torch.no_grad():
        gain = layer(torch.ones(2, 3, 4, 4))
    assert gain.unique().numel() == gain.numel()


@every_layer
@pytest.mark.parametrize('noise_shape', ['channel', 'element'])
def test_gradients_with_held_noise(name, noise_shape):
    _, layer, x = build(name, 0.3, noise_shape)
    model = nn.Sequential(layer).double().train()
    layer.norm_eval = 'running_mean' in layer.state_dict()
    model.train()
    # two of each: it takes two passes for every number
    spatial = 0 if isinstance(layer, nn.LayerNorm) else x.dim() - 2
    x = x[(slice(2), slice(None), *[slice(2)] * spatial)].double().requires_grad_()
    parameters = dict(model.named_parameters())

    def run(x, *values):
        with hold_draw(model, Draw(0)):
            named = dict(zip(parameters, values, strict=True))
            return torch.func.functional_call(model, named, (x,))

    assert torch.autograd.gradcheck(run, (x, *parameters.values()))


def test_gradients_through_batch_statistics():
    _, layer, x = build('BN2d', 0.3)
    model = nn.Sequential(layer).double().train()

    def run(x):
        with hold_draw(model, Draw(0)):
            return model(x)

    assert torch.autograd.gradcheck(run, x.double().requires_grad_())


@pytest.mark.parametrize('name', ['IN1d', 'IN2d', 'IN3d', 'LN, three axes'])
def test_a_sample_without_a_batch_axis(name):
    reference, layer, x = build(name, 0.0)
    assert torch.equal(layer(x[0]), reference(x[0]))
    layer.set_noise(0.3, 'channel')
    with hold_draw(layer, Draw(0)):
        torch.testing.assert_close(layer(x[0]), layer(x)[0])


@pytest.mark.parametrize('name', ['BN2d', 'IN2d, tracked'])
def test_norm_eval_keeps_statistics_under_train(name):
    reference, _, x = build(name, 0.0)
    before = reference.running_mean.clone()
    convert_to_abnn(nn.Sequential(reference), alpha=0.1, norm_eval=True)
    reference.train()(x + 5)
    assert torch.equal(reference.running_mean, before)
    assert reference.num_batches_tracked == 0
    convert_to_abnn(nn.Sequential(reference), alpha=0.1, norm_eval=False)
    reference.train()(x + 5)
    assert not torch.equal(reference.running_mean, before)


@pytest.mark.parametrize('data_format', ['channel_first', 'channel_last'])
def test_layer_norm_2d_is_a_layer_norm_of_each_pixel(data_format):
    reference = trained(nn.LayerNorm(4))
    layer = layers.BayesLayerNorm2d(4, alpha=0.0)
    layer.load_state_dict(reference.state_dict())
    x = batch(2, 5, 3, 4)  # pixels with channels last
    given = x if data_format == 'channel_last' else x.permute(0, 3, 1, 2)

    def pixels(output):
        return output if data_format == 'channel_last' else output.permute(0, 2, 3, 1)

    assert torch.equal(pixels(layer(given, data_format)), reference(x))
    layer.set_noise(0.3, 'channel')
    draw = Draw(0)
    with hold_draw(nn.Sequential(layer), draw):
        output = pixels(layer(given, data_format))
    eps = 0.3 * torch.randn(1, 1, 4, generator=draw.generator('0'))
    expected = (reference(x) - reference.bias) * (1 + eps) + reference.bias
    torch.testing.assert_close(output, expected)


def test_layer_norm_2d_checks_its_input():
    with pytest.raises(ValueError, match='`x` must have 4 axes'):
        layers.BayesLayerNorm2d(4)(batch(2, 4))
    with pytest.raises(ValueError, match=r"`data_format` must be .* got 'nchw'"):
        layers.BayesLayerNorm2d(4)(batch(2, 4, 3, 3), 'nchw')


@pytest.mark.parametrize(
    ('kind', 'plain', 'settings'),
    [
        ('BayesBN', 'BN', {}),
        ('BNL', 'BN', {}),
        ('BayesBN1d', 'BN1d', {}),
        ('BayesBN2d', 'BN2d', {}),
        ('BayesBN3d', 'BN3d', {}),
        ('BayesSyncBN', 'SyncBN', {}),
        ('BayesLN', 'LN', {}),
        ('BayesLN2d', 'LN', {}),
        ('BayesGN', 'GN', dict(num_groups=2)),
        ('BayesIN', 'IN', AFFINE),
        ('BayesIN1d', 'IN1d', AFFINE),
        ('BayesIN2d', 'IN2d', AFFINE),
        ('BayesIN3d', 'IN3d', AFFINE),
    ],
)
def test_usable_as_norm_cfg_with_the_same_name_in_the_network(kind, plain, settings):
    expected, counterpart = mmcv.cnn.build_norm_layer(dict(type=plain, **settings), 8, postfix=1)
    cfg = dict(type=kind, alpha=0.25, noise_shape='element', requires_grad=False, **settings)
    name, layer = mmcv.cnn.build_norm_layer(cfg, 8, postfix=1)
    assert name == expected
    assert isinstance(layer, (type(counterpart), nn.SyncBatchNorm))
    assert (layer.alpha, layer.noise_shape) == (0.25, 'element')
    assert {n: p.shape for n, p in layer.named_parameters()} == {
        n: p.shape for n, p in counterpart.named_parameters()
    }


def test_group_norm_takes_its_sizes_in_every_way():
    built = [
        layers.BayesGroupNorm(2, 8),
        layers.BayesGroupNorm(num_groups=2, num_channels=8),
        layers.BayesGroupNorm(8, num_groups=2),
        layers.BayesGroupNorm(2, num_channels=8),
    ]
    assert {(layer.num_groups, layer.num_channels) for layer in built} == {(2, 8)}


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
        layers.BayesBatchNorm2d(3, **arguments)


@pytest.mark.parametrize(
    ('layer', 'arguments'),
    [
        (layers.BayesLayerNorm, dict(elementwise_affine=False)),
        (layers.BayesInstanceNorm2d, {}),
        (layers.BayesGroupNorm, dict(num_groups=1, affine=False)),
    ],
)
def test_a_layer_without_a_gain_is_rejected(layer, arguments):
    with pytest.raises(ValueError, match=f'{layer.__name__} needs an affine part'):
        layer(3, **arguments)


def test_arguments_of_a_wrong_type_or_name():
    with pytest.raises(TypeError, match="`alpha` must be a number >= 0, got '0\\.1'"):
        layers.BayesBatchNorm2d(3, alpha='0.1')
    with pytest.raises(TypeError, match='sigma'):
        layers.BayesBatchNorm2d(3, sigma=0.1)
