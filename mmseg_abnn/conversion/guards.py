"""Keeps the noise where functions of MMEngine and MMCV replace or bypass normalization layers.

Those functions know a layer by its base class, so they would take a Bayesian layer for the plain
one and drop its noise without a word. :func:`install_guards` puts a function of the same name in
their places that carries the noise over, or raises where it cannot be.
"""

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

from torch import nn

from ..models.layers import bayesian_layers
from .convert import convert_layer

_KEEPS = {'revert_sync_batchnorm', 'convert_sync_batchnorm'}
# where the functions are looked up: Runner calls the first two and the last by their global names
_PLACES = {
    'revert_sync_batchnorm': ('mmengine.runner.runner', 'mmengine.model', 'mmengine.model.utils'),
    'convert_sync_batchnorm': ('mmengine.runner.runner', 'mmengine.model', 'mmengine.model.utils'),
    'fuse_conv_bn': ('mmcv.cnn', 'mmcv.cnn.utils', 'mmcv.cnn.utils.fuse_conv_bn'),
    'turn_on_efficient_conv_bn_eval': (
        'mmengine.runner.runner',
        'mmengine.model.efficient_conv_bn_eval',
    ),
}


def _keeping_noise(function: Callable[..., nn.Module]) -> Callable[..., nn.Module]:
    @wraps(function)
    def guarded(module: nn.Module, *args: Any, **kwargs: Any) -> nn.Module:
        before = bayesian_layers(module)
        result = function(module, *args, **kwargs)
        for name, layer in before.items():
            replaced = result.get_submodule(name)
            if replaced is not layer:
                replaced.training = layer.asked_mode
                convert_layer(replaced, layer.alpha, layer.noise_shape, layer.norm_eval)
        return result

    return guarded


def _refusing(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def guarded(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
        layers = bayesian_layers(module)
        if layers:
            raise ValueError(
                f'`{function.__name__}` would drop the noise of the {len(layers)} Bayesian layers '
                f'of {type(module).__name__} (first: {next(iter(layers))}): use it on the plain '
                'network, or not at all'
            )
        return function(module, *args, **kwargs)

    return guarded


def install_guards() -> None:
    """Put the guarded functions into their places; a second call changes nothing."""
    for name, places in _PLACES.items():
        guard = _keeping_noise if name in _KEEPS else _refusing
        for place in places:
            module = sys.modules.get(place)
            function = getattr(module, name, None)
            if callable(function) and not hasattr(function, '__wrapped__'):
                setattr(module, name, guard(function))
