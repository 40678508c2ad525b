"""Shortcuts that compute past normalization layers, and so past their noise.

Some modules have a fast form of their forward pass that reads the weights of a normalization layer
and does not call it. In a converted model these shortcuts are switched off.
"""

from mmcv.cnn import ConvModule
from torch import nn
from torch.fx import GraphModule

from ..models.layers import BayesianNorm

_RECORD = '_bypasses_before_abnn'


def check_forward_passes(model: nn.Module) -> None:
    """Raise ValueError if a forward pass of ``model`` was traced, and calls no layers any more."""
    for name, module in model.named_modules():
        forward = module.__dict__.get('forward')
        if isinstance(getattr(forward, '__self__', None), GraphModule):
            raise ValueError(
                f'the forward pass of the module {name!r} was traced (by '
                '`turn_on_efficient_conv_bn_eval`?) and would not call its normalization layers: '
                'convert a model before, or without, that'
            )


def _shortcut(module: nn.Module) -> tuple[str, object] | None:
    # convolution and normalization in one step
    if isinstance(module, ConvModule) and isinstance(module.norm, BayesianNorm):
        return 'efficient_conv_bn_eval_forward', None
    # PyTorch's fused layer, taken in evaluation without gradients; it checks this number first
    if isinstance(module, nn.TransformerEncoderLayer):
        norms = (module.norm1, module.norm2)
        if any(isinstance(norm, BayesianNorm) for norm in norms):
            return 'activation_relu_or_gelu', 0
    return None


def switch_off_bypasses(model: nn.Module) -> None:
    """Make all modules of ``model`` call their Bayesian layers."""
    record = model.__dict__.setdefault(_RECORD, [])
    for module in model.modules():
        attribute, off = _shortcut(module) or ('', None)
        if attribute and getattr(module, attribute, off) != off:
            record.append((module, attribute, getattr(module, attribute)))
            setattr(module, attribute, off)


def restore_bypasses(model: nn.Module) -> None:
    """Undo :func:`switch_off_bypasses`."""
    for module, attribute, value in model.__dict__.pop(_RECORD, []):
        setattr(module, attribute, value)
