"""Functions of MMEngine and MMCV that replace or bypass normalization layers."""

import mmcv.cnn
import mmengine.model
import pytest
import torch
from mmcv.cnn import ConvModule
from mmengine.model.efficient_conv_bn_eval import turn_on_efficient_conv_bn_eval
from mmengine.runner import runner as runner_module
from torch import nn

from helpers.networks import build_segmentor
from mmseg_abnn import convert_to_abnn, revert_abnn
from mmseg_abnn.conversion.guards import install_guards
from mmseg_abnn.models.layers import BayesBatchNormXd, BayesSyncBatchNorm, bayesian_layers


@pytest.fixture
def x():
    return torch.randn(2, 3, 32, 48, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize('owner', [mmengine.model, mmengine.model.utils, runner_module])
def test_reverting_sync_batch_norm_keeps_the_noise(owner):
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Sequential(nn.SyncBatchNorm(4), nn.ReLU()))
    convert_to_abnn(model, alpha=0.25, noise_shape='element')
    parameters = {n: id(p) for n, p in model.named_parameters()}
    model = owner.revert_sync_batchnorm(model)
    layer = model[1][0]
    assert isinstance(layer, BayesBatchNormXd)
    assert (layer.alpha, layer.noise_shape, layer.norm_eval) == (0.25, 'element', True)
    assert not model.train()[1][0].training
    assert {n: id(p) for n, p in model.named_parameters()} == parameters


def test_converting_to_sync_batch_norm_keeps_the_noise():
    model = build_segmentor()
    convert_to_abnn(model, alpha={'backbone.*': 0.25, '*': 0.5}, norm_eval=False)
    alphas = {name: layer.alpha for name, layer in bayesian_layers(model).items()}
    model = runner_module.convert_sync_batchnorm(model, 'torch')
    found = bayesian_layers(model)
    assert {name: layer.alpha for name, layer in found.items()} == alphas
    assert {type(layer) for layer in found.values()} == {BayesSyncBatchNorm}
    assert all(not layer.norm_eval for layer in found.values())


def test_a_sync_norm_cfg_is_bayesian_without_a_launcher(x):
    norm = dict(type='BayesSyncBN', alpha=0.25)
    head = dict(type='FCNHead', in_channels=64, in_index=3, channels=8, num_convs=1)
    head.update(num_classes=5, norm_cfg=norm, concat_input=False)
    model = build_segmentor(decode_head=head, auxiliary_head=None)
    assert list(bayesian_layers(model)) == ['decode_head.convs.0.bn']
    model = runner_module.revert_sync_batchnorm(model).eval()
    assert isinstance(model.decode_head.convs[0].bn, BayesBatchNormXd)
    with torch.no_grad():
        assert not torch.equal(model(x), model(x))


def test_plain_models_pass_through():
    model = runner_module.revert_sync_batchnorm(nn.Sequential(nn.SyncBatchNorm(3)))
    assert type(model[0]).__name__ == '_BatchNormXd'
    convolution, norm = nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)
    fused = mmcv.cnn.fuse_conv_bn(nn.Sequential(convolution, norm).eval())
    assert isinstance(fused[1], nn.Identity)


def test_fusing_normalizations_into_convolutions_is_refused():
    model = build_segmentor()
    convert_to_abnn(model)
    with pytest.raises(ValueError, match=r'`fuse_conv_bn` would drop the noise of the .* layers'):
        mmcv.cnn.fuse_conv_bn(model)


def test_one_step_convolution_and_normalization_is_refused_after_conversion():
    model = build_segmentor()
    convert_to_abnn(model)
    with pytest.raises(ValueError, match='`turn_on_efficient_conv_bn_eval` would drop the noise'):
        runner_module.turn_on_efficient_conv_bn_eval(model, ['backbone'])


def test_one_step_convolution_and_normalization_is_refused_before_conversion():
    model = nn.Sequential(nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))).eval()
    turn_on_efficient_conv_bn_eval(model, ['0'])
    with pytest.raises(ValueError, match="the forward pass of the module '0' was traced"):
        convert_to_abnn(model)


def test_conv_modules_call_their_bayesian_norms(x):
    model = ConvModule(3, 4, 1, norm_cfg=dict(type='BN')).eval()
    model.turn_on_efficient_conv_bn_eval()
    plain = model(x)
    convert_to_abnn(model, alpha=0.0)
    torch.testing.assert_close(model(x), plain)
    convert_to_abnn(model, alpha=0.3)
    assert not torch.allclose(model(x), plain)
    revert_abnn(model)
    assert torch.equal(model(x), plain)


def test_installing_twice_changes_nothing():
    before = runner_module.revert_sync_batchnorm
    install_guards()
    assert runner_module.revert_sync_batchnorm is before
