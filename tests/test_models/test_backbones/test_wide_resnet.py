import pytest
import torch
from mmengine.registry import init_default_scope
from torch import nn
from torch.nn.functional import conv2d

pytest.importorskip('mmpretrain', reason='classification needs MMPretrain')

from mmpretrain.registry import MODELS

from mmseg_abnn.models.backbones import WideResNet, WideResNet28x10

pytestmark = pytest.mark.mmpretrain

WIDTHS = (16, 32, 64)
NORMS = (nn.BatchNorm2d, nn.GroupNorm, nn.InstanceNorm2d)


@pytest.fixture
def images():
    return torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def small(depth=10, widen_factor=1, **arguments):
    """A network with parameters and statistics that are nothing special."""
    net = WideResNet(depth, widen_factor, **arguments)
    generator = torch.Generator().manual_seed(depth + widen_factor)
    for name, value in net.state_dict().items():
        if value.is_floating_point():
            value.normal_(generator=generator).mul_(0.3)
            if name.endswith('running_var') or ('bn' in name and name.endswith('weight')):
                value.abs_().add_(0.5)
    return net


def naive_forward(state, x, depth, training):
    """The outputs of the stages from the state dict, written down layer by layer."""

    def norm_relu(x, name):
        if training:
            mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=False)
        else:
            mean, var = state[f'{name}.running_mean'], state[f'{name}.running_var']
        normal = (x - mean[:, None, None]) / (var[:, None, None] + 1e-5).sqrt()
        weight, bias = state[f'{name}.weight'], state[f'{name}.bias']
        return (weight[:, None, None] * normal + bias[:, None, None]).clamp(min=0)

    outputs = []
    x = conv2d(x, state['conv1.weight'], padding=1)
    for stage in (1, 2, 3):
        for block in range((depth - 4) // 6):
            name = f'layer{stage}.{block}'
            stride = 2 if stage > 1 and block == 0 else 1
            active = norm_relu(x, f'{name}.bn1')
            out = conv2d(active, state[f'{name}.conv1.weight'], stride=stride, padding=1)
            out = norm_relu(out, f'{name}.bn2')
            out = conv2d(out, state[f'{name}.conv2.weight'], padding=1)
            if out.shape == x.shape:
                x = out + x
            else:
                x = out + conv2d(active, state[f'{name}.downsample.weight'], stride=stride)
        outputs.append(x)
    outputs[2] = norm_relu(x, 'bn1')
    return outputs


@pytest.mark.parametrize('training', [False, True])
@pytest.mark.parametrize(('depth', 'widen_factor'), [(10, 1), (16, 2)])
def test_outputs_equal_the_naive_ones(images, depth, widen_factor, training):
    images = images.double()
    net = small(depth, widen_factor, out_indices=(0, 1, 2)).double().train(training)
    state = {name: value.clone() for name, value in net.state_dict().items()}
    outputs = net(images)
    expected = naive_forward(state, images, depth, training)
    assert isinstance(outputs, tuple)
    for i, (found, right) in enumerate(zip(outputs, expected, strict=True)):
        assert found.shape == (3, WIDTHS[i] * widen_factor, 16 // 2**i, 16 // 2**i)
        torch.testing.assert_close(found, right)


# Table 4 of the paper, in millions, rounded as there
@pytest.mark.parametrize(
    ('depth', 'widen_factor', 'millions'), [(40, 4, 8.9), (16, 8, 11.0), (22, 8, 17.2)]
)
def test_number_of_parameters_of_the_paper(depth, widen_factor, millions):
    with torch.device('meta'):
        net = WideResNet(depth, widen_factor)
    number = sum(p.numel() for p in net.parameters())
    number += 64 * widen_factor * 10 + 10  # the classifier
    assert round(number / 1e6, 1) == millions


def test_parameters_of_wide_resnet_28_10():
    init_default_scope('mmpretrain')
    head = dict(type='LinearClsHead', num_classes=10, in_channels=640)
    net = MODELS.build(
        dict(
            type='ImageClassifier',
            backbone=dict(type='WideResNet28x10'),
            neck=dict(type='GlobalAveragePooling'),
            head=head,
        )
    )
    assert type(net.backbone) is WideResNet28x10
    assert sum(p.numel() for p in net.parameters()) == 36_479_194
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    # two in each of 12 blocks, and the last one
    assert len(norms) == 25
    channels = (16 + 7 * 160) + (160 + 7 * 320) + (320 + 7 * 640) + 640
    assert sum(p.numel() for norm in norms for p in norm.parameters()) == 2 * channels == 17_952
    convolutions = [module for module in net.modules() if isinstance(module, nn.Conv2d)]
    assert len(convolutions) == 1 + 24 + 3
    assert all(module.bias is None for module in convolutions)


def test_wide_resnet_28_10_hands_its_arguments_on():
    arguments = dict(
        in_channels=1,
        out_indices=(0, 2),
        drop_rate=0.3,
        frozen_stages=1,
        conv_cfg=dict(type='Conv2d'),
        norm_cfg=dict(type='GN', num_groups=4),
        norm_eval=True,
        init_cfg=None,
    )
    with torch.device('meta'):
        net, twin = WideResNet28x10(**arguments), WideResNet(28, 10, **arguments)
    assert str(net) == str(twin).replace('WideResNet(', 'WideResNet28x10(', 1)
    for name in ('out_indices', 'frozen_stages', 'norm_eval', 'init_cfg'):
        assert getattr(net, name) == getattr(twin, name)
    assert net.out_indices == (0, 2)
    assert net.frozen_stages == 1
    assert net.norm_eval is True


@pytest.mark.parametrize('out_indices', [(0,), [1], (2,), (0, 2)])
def test_out_indices(images, out_indices):
    net = small(out_indices=(0, 1, 2)).eval()
    every = net(images)
    net.out_indices = small(out_indices=out_indices).out_indices
    chosen = net(images)
    assert len(chosen) == len(out_indices)
    for found, i in zip(chosen, out_indices, strict=True):
        assert torch.equal(found, every[i])


@pytest.mark.parametrize(
    ('norm_cfg', 'kind', 'name'),
    [
        (dict(type='GN', num_groups=4), nn.GroupNorm, 'gn1'),
        (dict(type='SyncBN'), nn.SyncBatchNorm, 'bn1'),
        (dict(type='IN', affine=True), nn.InstanceNorm2d, 'in1'),
    ],
)
def test_norm_cfg_holds_everywhere(images, norm_cfg, kind, name):
    net = WideResNet(10, 2, norm_cfg=norm_cfg)
    norms = [module for module in net.modules() if isinstance(module, (*NORMS, nn.SyncBatchNorm))]
    assert len(norms) == 7
    assert all(isinstance(norm, kind) for norm in norms)
    assert getattr(net, name) is net.norm1 is norms[-1]
    assert net.eval()(images)[0].shape == (3, 128, 4, 4)


def test_norms_that_are_not_trained():
    net = WideResNet(10, 1, norm_cfg=dict(type='BN', requires_grad=False, eps=0.01))
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    assert not any(p.requires_grad for norm in norms for p in norm.parameters())
    assert all(norm.eps == 0.01 for norm in norms)
    assert net.conv1.weight.requires_grad


@pytest.mark.parametrize('frozen_stages', [-1, 0, 1, 2, 3])
def test_frozen_stages(images, frozen_stages):
    net = small(frozen_stages=frozen_stages)
    order = [['conv1.'], ['layer1.'], ['layer2.'], ['layer3.', 'bn1.']]
    prefixes = tuple(name for names in order[: frozen_stages + 1] for name in names)
    for name, p in net.named_parameters():
        assert p.requires_grad is not name.startswith(prefixes), name
    before = {name: value.clone() for name, value in net.state_dict().items()}
    net.train()
    net(images)
    for name, value in net.state_dict().items():
        if 'running' in name:
            assert torch.equal(value, before[name]) is name.startswith(prefixes), name
    assert net.training


def test_norm_eval(images):
    net = small(norm_eval=True, drop_rate=0.5)
    assert net.train() is net
    assert not any(m.training for m in net.modules() if isinstance(m, nn.BatchNorm2d))
    assert all(m.training for m in net.modules() if isinstance(m, nn.Dropout))
    assert all(m.training for m in small().train().modules())


def test_dropout_between_the_convolutions(images):
    net = small(drop_rate=0.5, norm_cfg=dict(type='BN'))
    places = [name for name, module in net.named_modules() if isinstance(module, nn.Dropout)]
    assert places == ['layer1.0.dropout', 'layer2.0.dropout', 'layer3.0.dropout']
    assert all(net.get_submodule(name).p == 0.5 for name in places)
    seen = []
    block = net.layer1[0]
    block.conv2.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    block.norm2.register_forward_hook(lambda module, inputs, output: seen.append(output.clone()))
    net.train()(images)
    normal, dropped = seen
    kept = dropped != 0
    torch.testing.assert_close(dropped[kept], 2 * normal.clamp(min=0)[kept])
    share = kept.sum() / (normal > 0).sum()
    assert 0.45 < share < 0.55
    without = small()
    assert not [module for module in without.modules() if isinstance(module, nn.Dropout)]
    without.load_state_dict(net.state_dict())
    assert torch.equal(net.eval()(images)[0], without.eval()(images)[0])


def test_initial_parameters():
    net = WideResNet(10, 4)
    net.init_weights()
    for name, module in net.named_modules():
        if isinstance(module, nn.Conv2d):
            fan_out = module.out_channels * module.kernel_size[0] ** 2
            assert module.weight.std().item() == pytest.approx((2 / fan_out) ** 0.5, rel=0.1), name
        elif isinstance(module, nn.BatchNorm2d):
            assert (module.weight == 1).all()
            assert (module.bias == 0).all()


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(depth=27), r'`depth` must be 6 n \+ 4 with an integer n >= 1, got 27'),
        (dict(depth=4), '`depth` must be .* got 4'),
        (dict(depth=28.0), '`depth` must be .* got 28.0'),
        (dict(widen_factor=0), '`widen_factor` must be an integer >= 1, got 0'),
        (dict(widen_factor=1.5), '`widen_factor` must be an integer >= 1, got 1.5'),
        (dict(in_channels=0), '`in_channels` must be an integer >= 1, got 0'),
        (dict(out_indices=()), r'`out_indices` must be a non-empty sequence .*got \(\)'),
        (dict(out_indices=2), '`out_indices` must be .* from 0 to 2, got 2'),
        (dict(out_indices=(3,)), r'`out_indices` must be .* from 0 to 2, got \(3,\)'),
        (dict(out_indices=(-1,)), r'`out_indices` must be .* got \(-1,\)'),
        (dict(drop_rate=1.0), r'`drop_rate` must be in \[0, 1\), got 1.0'),
        (dict(drop_rate=-0.1), '`drop_rate` must be .* got -0.1'),
        (dict(frozen_stages=4), '`frozen_stages` must be an integer from -1 to 3, got 4'),
        (dict(frozen_stages=True), '`frozen_stages` must be .* got True'),
    ],
)
def test_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        WideResNet(**{'depth': 10, 'widen_factor': 1} | arguments)
