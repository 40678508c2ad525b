import copy

import pytest
import torch
from helpers import build_segmentor
from torch import nn

from mmseg_abnn import convert_to_abnn
from mmseg_abnn.models.layers import BayesBatchNorm2d, bayesian_layers


@pytest.fixture
def images():
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(n, 3, 32, 48, generator=generator) for n in (1, 2, 3)]


def test_alpha_zero_gives_the_pretrained_logits_bit_for_bit(images):
    model = build_segmentor()
    with torch.no_grad():
        expected = [model(x) for x in images]
        convert_to_abnn(model, alpha=0.0)
        for x, logits in zip(images, expected, strict=True):
            assert torch.equal(model(x), logits)
        convert_to_abnn(model, alpha=0.1)
        assert not torch.equal(model(images[0]), expected[0])
        assert not torch.equal(model(images[0]), model(images[0]))


def test_same_parameter_and_buffer_objects_and_keys():
    model = build_segmentor()
    parameters = {n: id(p) for n, p in model.named_parameters()}
    buffers = {n: id(b) for n, b in model.named_buffers()}
    modules = {n: id(m) for n, m in model.named_modules()}
    keys = list(model.state_dict())
    convert_to_abnn(model)
    assert {n: id(p) for n, p in model.named_parameters()} == parameters
    assert {n: id(b) for n, b in model.named_buffers()} == buffers
    assert {n: id(m) for n, m in model.named_modules()} == modules
    assert list(model.state_dict()) == keys


def test_report_counts_what_a_naive_count_finds():
    model = build_segmentor()
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    report = convert_to_abnn(model, alpha=0.25)
    assert list(report.converted.values()) == ['BayesBatchNorm2d'] * len(norms)
    assert report.num_parameters == sum(p.numel() for p in model.parameters())
    assert report.num_trainable == sum(2 * m.num_features for m in norms)
    assert f'{report.num_trainable:,} of {report.num_parameters:,} parameters' in str(report)
    assert 'alpha=0.25, noise per channel' in str(report)


def test_converting_twice_renews_the_settings_only():
    model = build_segmentor()
    first = convert_to_abnn(model, alpha=0.1)
    second = convert_to_abnn(model, alpha=0.3, noise_shape='element')
    assert second.converted == first.converted
    assert {la.alpha for la in bayesian_layers(model).values()} == {0.3}
    assert {type(la) for la in bayesian_layers(model).values()} == {BayesBatchNorm2d}


def test_include_and_exclude():
    model = build_segmentor()
    report = convert_to_abnn(model, include=['backbone.*'], exclude=['backbone.layer4.*'])
    everything = [n for n, m in model.named_modules() if isinstance(m, nn.BatchNorm2d)]
    expected = [n for n in everything if n.startswith('backbone.') and '.layer4.' not in n]
    assert list(report.converted) == expected
    assert set(report.left_alone) == set(everything) - set(expected)
    trainable = {n for n, p in model.named_parameters() if p.requires_grad}
    assert trainable == {f'{n}.{kind}' for n in expected for kind in ('weight', 'bias')}


def test_trainable_all_and_by_pattern():
    model = build_segmentor()
    assert convert_to_abnn(model, trainable='all').num_trainable == sum(
        p.numel() for p in model.parameters()
    )
    convert_to_abnn(model, trainable=['decode_head.conv_seg.*'])
    trainable = [n for n, p in model.named_parameters() if p.requires_grad]
    assert trainable == ['decode_head.conv_seg.weight', 'decode_head.conv_seg.bias']


def test_layers_left_alone_are_named_with_the_reason():
    class OwnNorm(nn.BatchNorm2d):
        pass

    model = nn.Sequential(
        nn.BatchNorm2d(3), nn.BatchNorm2d(3, affine=False), nn.LocalResponseNorm(2), OwnNorm(3)
    )
    report = convert_to_abnn(model)
    assert list(report.converted) == ['0']
    assert report.left_alone == {
        '1': 'affine=False: there is no gain to multiply',
        '2': 'LocalResponseNorm has no Bayesian form',
        '3': 'OwnNorm has no Bayesian form',
    }


def test_hooks_copies_and_shared_modules_survive():
    shared = nn.BatchNorm2d(3)
    calls = []
    shared.register_forward_hook(lambda *_: calls.append(1))
    model = nn.ModuleDict(dict(a=shared, b=nn.Sequential(shared)))
    convert_to_abnn(model, alpha=0.2)
    assert model['a'] is model['b'][0] is shared
    model['b'](torch.randn(2, 3, 2, 2))
    assert calls == [1]
    twin = copy.deepcopy(model)
    assert twin['a'].alpha == 0.2
    assert twin['a'].weight is not shared.weight


@pytest.mark.parametrize(
    'model', [nn.Sequential(nn.Conv2d(3, 3, 1)), nn.Sequential(nn.LocalResponseNorm(2))]
)
def test_nothing_to_convert_is_an_error(model):
    with pytest.raises(ValueError, match='no normalization layer of Sequential can be converted'):
        convert_to_abnn(model)


@pytest.mark.parametrize(
    ('arguments', 'error', 'message'),
    [
        (dict(alpha=-0.1), ValueError, '`alpha` must be'),
        (dict(trainable='bn'), ValueError, "`trainable` must be 'norm', 'all' or a list"),
        (
            dict(trainable=['nothing.*']),
            ValueError,
            "`trainable` has the pattern 'nothing.*', which matches no",
        ),
        (dict(include='backbone.*'), TypeError, '`include` must hold name patterns'),
        (dict(exclude=[3]), TypeError, '`exclude` must hold name patterns'),
    ],
)
def test_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        convert_to_abnn(build_segmentor(), **arguments)
