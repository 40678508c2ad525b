import copy
import sys
import warnings

import pytest
import torch
from mmengine.model import ExponentialMovingAverage
from torch import nn

from helpers.networks import TINY, LayerNorm2d, build_segmentor, install_layer_norm_2d
from mmseg_abnn import Draw, convert_to_abnn, hold_draw, revert_abnn
from mmseg_abnn.models.layers import BayesBatchNorm2d, BayesLayerNorm2d, bayesian_layers


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
        '3': 'OwnNorm has no Bayesian form: it may compute something else than BatchNorm2d',
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


def test_one_alpha_per_pattern_the_first_that_matches_counts():
    model = build_segmentor()
    alpha = {'backbone.layer4.*': 0.3, 'backbone.*': 0.1, 'decode_head.*': 0}
    report = convert_to_abnn(model, alpha=alpha)
    for name, layer in bayesian_layers(model).items():
        expected = 0.3 if '.layer4.' in name else 0.1 if name.startswith('backbone') else 0.0
        assert layer.alpha == report.alphas[name] == expected
    assert set(report.left_alone) == {'auxiliary_head.convs.0.bn'}
    assert 'no pattern of `alpha` matches' in str(report)


def test_patterns_see_all_names_of_a_shared_module():
    shared = nn.BatchNorm2d(3)
    model = nn.ModuleDict(dict(a=shared, b=nn.Sequential(shared, nn.BatchNorm2d(3))))
    report = convert_to_abnn(model, include=['b.*'])
    assert list(report.converted) == ['a', 'b.1']
    assert report.num_trainable == 12
    revert_abnn(model)
    assert list(convert_to_abnn(model, exclude=['b.0']).converted) == ['b.1']


def test_revert_gives_the_plain_network_back(images):
    model = build_segmentor().train()
    model.backbone.layer1.eval()
    model.backbone.stem[0].weight.requires_grad_(False)

    def facts():
        return [
            [(n, type(m), m.training, sorted(m.__dict__)) for n, m in model.named_modules()],
            [(n, id(p), p.requires_grad) for n, p in model.named_parameters()],
        ]

    before = facts()
    state = {n: t.clone() for n, t in model.state_dict().items()}
    convert_to_abnn(model, alpha=0.3)
    convert_to_abnn(model, alpha=0.1, trainable='all', norm_eval=False)
    names = revert_abnn(model)
    assert facts() == before
    assert all(torch.equal(t, state[n]) for n, t in model.state_dict().items())
    plain = build_segmentor()
    assert names == [n for n, m in plain.named_modules() if isinstance(m, nn.BatchNorm2d)]
    with torch.no_grad():
        assert torch.equal(model.eval()(images[0]), plain(images[0]))
    with pytest.raises(ValueError, match='holds no Bayesian normalization layer to revert'):
        revert_abnn(model)


def test_revert_restores_every_class():
    layers = [
        nn.BatchNorm1d(4),
        nn.SyncBatchNorm(4),
        nn.LayerNorm(4),
        nn.GroupNorm(2, 4),
        nn.InstanceNorm2d(4, affine=True),
    ]
    model = nn.Sequential(*layers)
    classes = [type(layer) for layer in layers]
    convert_to_abnn(model)
    assert not set(classes) & {type(layer) for layer in layers}
    revert_abnn(model)
    assert [type(layer) for layer in layers] == classes


def test_converting_again_with_fewer_layers_reverts_the_others():
    model = nn.Sequential(nn.BatchNorm2d(3), nn.BatchNorm2d(3))
    convert_to_abnn(model)
    report = convert_to_abnn(model, exclude=['0'])
    assert [type(layer) for layer in model] == [nn.BatchNorm2d, BayesBatchNorm2d]
    assert (report.num_trainable, list(report.left_alone)) == (6, ['0'])


def test_settings_that_are_not_given_are_kept():
    model = nn.Sequential(BayesBatchNorm2d(3, alpha=0.3, noise_shape='element'), nn.BatchNorm2d(3))
    report = convert_to_abnn(model)
    assert report.alphas == {'0': 0.3, '1': 0.1}
    assert report.noise_shapes == {'0': 'element', '1': 'channel'}
    assert convert_to_abnn(model, alpha=0.2).alphas == {'0': 0.2, '1': 0.2}
    assert type(revert_abnn(model)) is list
    assert [type(layer) for layer in model] == [nn.BatchNorm2d] * 2


def test_transformer_layers_of_torch_call_their_norms():
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, dropout=0.0)
    model = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).eval()
    x = torch.randn(2, 5, 8)
    with torch.inference_mode():
        plain = model(x)
        convert_to_abnn(model, alpha=0.0)
        torch.testing.assert_close(model(x), plain)  # torch's fused layer rounds differently
        convert_to_abnn(model, alpha=0.5)
        assert not torch.allclose(model(x), model(x))
        revert_abnn(model)
        assert torch.equal(model(x), plain)


def test_a_distributed_model_is_converted_inside(tmp_path, caplog):
    address = f'file://{tmp_path}/store'
    torch.distributed.init_process_group('gloo', init_method=address, rank=0, world_size=1)
    try:
        model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
        wrapped = nn.parallel.DistributedDataParallel(model)
        with caplog.at_level('WARNING'):
            report = convert_to_abnn(wrapped, alpha=0.2)
        assert list(report.converted) == ['1']
        with hold_draw(wrapped, Draw(0)), torch.no_grad():
            noisy = wrapped(torch.ones(1, 3, 2, 2))
        assert revert_abnn(wrapped) == ['1']
        assert type(model[1]) is nn.BatchNorm2d
        assert not torch.allclose(noisy, model.eval()(torch.ones(1, 3, 2, 2)))
    finally:
        torch.distributed.destroy_process_group()


def test_layer_norm_2d_of_mmpretrain(monkeypatch):
    model = nn.Sequential(LayerNorm2d(4))
    monkeypatch.delitem(sys.modules, 'mmpretrain.models.utils.norm', raising=False)
    with pytest.raises(ValueError, match='LayerNorm2d has no Bayesian form'):
        convert_to_abnn(model)
    install_layer_norm_2d(monkeypatch)
    x = torch.randn(2, 4, 3, 3).contiguous(memory_format=torch.channels_last)
    plain = model(x)
    convert_to_abnn(model, alpha=0.0)
    assert type(model[0]) is BayesLayerNorm2d
    assert torch.equal(model(x), plain)
    assert torch.equal(model[0](x.permute(0, 2, 3, 1), 'channel_last'), plain.permute(0, 2, 3, 1))
    revert_abnn(model)
    assert type(model[0]) is LayerNorm2d


def test_a_compiled_model_is_converted_inside(images):
    model = build_segmentor(**TINY)  # the compiler follows every layer
    compiled = torch.compile(model, backend='eager')
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter('ignore')
        plain = compiled(images[1])
        report = convert_to_abnn(compiled, alpha=0.0)
        assert next(iter(report.converted)) == 'backbone.stem.1'
        assert torch.equal(compiled(images[1]), plain)
        convert_to_abnn(compiled, alpha=0.2)
        for draw in (Draw(0), Draw(1)):
            with hold_draw(model, draw):
                expected = model(images[1])
            with hold_draw(compiled, draw):
                torch.testing.assert_close(compiled(images[1]), expected)
        assert not torch.allclose(compiled(images[1]), plain)


def test_a_moving_average_of_the_converted_model_is_bayesian_too(images):
    model = build_segmentor()
    convert_to_abnn(model, alpha=0.2)
    average = ExponentialMovingAverage(model, momentum=0.5)
    start = model.backbone.stem[1].weight.detach().clone()
    average.update_parameters(model)  # the first time copies
    with torch.no_grad():
        model.backbone.stem[1].weight.add_(1.0)
    average.update_parameters(model)
    assert bayesian_layers(average.module).keys() == bayesian_layers(model).keys()
    torch.testing.assert_close(average.module.backbone.stem[1].weight, start + 0.5)
    with torch.no_grad(), hold_draw(average.module, Draw(0)):
        assert not torch.allclose(average(images[0]), model(images[0]))


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
        (dict(trainable=[]), ValueError, '`trainable` is an empty list'),
        (dict(alpha={}), ValueError, '`alpha` must be a number or a mapping'),
        (dict(alpha={'*': -1}), ValueError, '`alpha` must be a finite number >= 0, got -1'),
        (dict(alpha={'head.*': 0.1}), ValueError, "`alpha` has the pattern 'head.*', which matche"),
        (dict(include=['bakbone.*']), ValueError, "`include` has the pattern 'bakbone.*', which"),
        (dict(exclude=['bakbone.*']), ValueError, "`exclude` has the pattern 'bakbone.*', which"),
    ],
)
def test_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        convert_to_abnn(build_segmentor(), **arguments)
