"""Converting a trained network to an ABNN and back."""

import logging
from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from typing import cast

from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from prettytable import PrettyTable
from torch import nn

from ..models.layers import BayesianNorm, bayesian_forms, bayesian_layers, plain_form
from ..models.wrappers import unwrapped
from .bypasses import check_forward_passes, restore_bypasses, switch_off_bypasses
from .selection import (
    DEFAULT_ALPHA,
    DEFAULT_NOISE_SHAPE,
    Alpha,
    check_conversion_arguments,
    check_patterns,
    matches,
    restore_trainable,
    scale_of,
    select_trainable,
)

# what normalization layers are built on; a subclass of any package is one, whatever its name
_PLAIN_BASES = (
    nn.modules.batchnorm._NormBase,  # batch and instance normalization
    nn.LayerNorm,
    nn.GroupNorm,
    nn.LocalResponseNorm,
)


@dataclass
class ConversionReport:
    """What :func:`convert_to_abnn` did.

    Attributes:
        converted: Names of the Bayesian layers, with the class name of each.
        alphas: Their noise scales.
        noise_shapes: Their noise shapes.
        left_alone: Names of the normalization layers that were not converted, with the reason.
        num_parameters: Number of parameters of the model.
        num_trainable: Number of parameters that will be trained.
    """

    converted: dict[str, str] = field(default_factory=dict)
    alphas: dict[str, float] = field(default_factory=dict)
    noise_shapes: dict[str, str] = field(default_factory=dict)
    left_alone: dict[str, str] = field(default_factory=dict)
    num_parameters: int = 0
    num_trainable: int = 0

    def __str__(self) -> str:
        table = PrettyTable(['layer', 'count', 'remark'])
        table.align = 'l'
        rows = Counter((k, self.alphas[n], self.noise_shapes[n]) for n, k in self.converted.items())
        for (kind, alpha, noise_shape), count in rows.items():
            table.add_row([kind, count, f'alpha={alpha}, noise per {noise_shape}'])
        for reason, count in Counter(self.left_alone.values()).items():
            first = next(name for name, text in self.left_alone.items() if text == reason)
            table.add_row(['left alone', count, f'{reason} (first: {first})'])
        share = 100 * self.num_trainable / max(self.num_parameters, 1)
        return (
            f'{table.get_string()}\n{self.num_trainable:,} of {self.num_parameters:,} parameters '
            f'are trained ({share:.2f}%)'
        )

    def count_parameters(self, model: nn.Module) -> None:
        """Count the parameters of ``model``, and those that are trained."""
        self.num_parameters = sum(p.numel() for p in model.parameters())
        self.num_trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)


def convert_to_abnn(
    model: nn.Module,
    alpha: Alpha = None,
    noise_shape: str | None = None,
    trainable: str | Sequence[str] = 'norm',
    include: Sequence[str] = ('*',),
    exclude: Sequence[str] = (),
    norm_eval: bool = True,
) -> ConversionReport:
    """Make the normalization layers of ``model`` Bayesian, in place.

    Each layer keeps its identity: the module object, its parameters, buffers and hooks stay the
    same, only its class changes to the Bayesian subclass. So optimizers, checkpoints and
    references held elsewhere stay valid, and with ``alpha=0`` every output is unchanged, bit for
    bit (freezing alone, without conversion, can move the last bits: PyTorch chooses some matrix
    products by ``requires_grad``; among MMSegmentation's models MaskFormer shows it). Converting
    again renews the settings; layers that are not selected any more become plain again.
    :func:`revert_abnn` is the way back.

    Args:
        model: Any module; one that ``torch.compile`` or DistributedDataParallel wraps is
            converted inside. Converted are batch normalizations (1d, 2d, 3d, synchronized), layer
            normalizations (``LayerNorm2d`` of MMPretrain, torchvision and timm too), group and
            instance normalizations, and timm's with an activation inside (``BatchNormAct2d``),
            where they have an affine part; others are named in the report with the reason.
        alpha: Standard deviation of eps in ``gamma * (1 + eps)``, >= 0. Or a mapping of
            shell-style patterns of layer names to such numbers, of which the first that matches
            counts; layers that none matches are left alone. None keeps what layers that are
            Bayesian already have (by ``norm_cfg``, for instance), and gives the others 0.1.
        noise_shape: ``'channel'`` (one eps per sample and feature) or ``'element'``; None keeps
            what layers that are Bayesian already have, and gives the others ``'channel'``.
        trainable: ``'norm'`` trains the weights and biases of the Bayesian layers and freezes the
            rest; ``'all'`` trains everything; a list of patterns trains the parameters whose
            names match.
        include: Patterns of the layer names to convert.
        exclude: Patterns of layer names to leave alone; they win over ``include``.
        norm_eval: Keep the running statistics of the Bayesian layers fixed while training.

    Returns:
        What was converted, what was left alone and why, and how much is trained.

    Raises:
        ValueError: If no layer could be converted, a pattern matches nothing, or an argument is
            out of range.
        TypeError: If an argument has the wrong type.
    """
    check_conversion_arguments(alpha, noise_shape, trainable, include, exclude)
    wrapper, model = model, unwrapped(model)
    trained_before = [p.requires_grad for p in model.parameters()]
    layers = _normalizations(model)
    check_patterns(model, layers, alpha, trainable, include, exclude)
    check_forward_passes(model)
    report = ConversionReport()
    chosen: dict[nn.Module, float | None] = {}
    for module, names in layers.items():
        meant, scale = scale_of(names, alpha)
        if not matches(names, include) or matches(names, exclude):
            report.left_alone[names[0]] = 'not selected by `include` and `exclude`'
        elif not meant:
            report.left_alone[names[0]] = 'no pattern of `alpha` matches'
        elif _bayesian_form(module) is None:
            report.left_alone[names[0]] = _why_plain(module)
        elif module.weight is None:
            report.left_alone[names[0]] = 'affine=False: there is no gain to multiply'
        else:
            chosen[module] = scale
    if not chosen:
        found = '; '.join(f'{n}: {r}' for n, r in list(report.left_alone.items())[:5])
        raise ValueError(
            f'no normalization layer of {type(model).__name__} can be converted to an ABNN '
            f'({found or "it has none"}); supported are '
            f'{", ".join(sorted({c.__name__ for c in bayesian_forms()}))}'
        )
    for module, names in layers.items():
        if module in chosen:
            layer = convert_layer(module, chosen[module], noise_shape, norm_eval)
            report.converted[names[0]] = type(layer).__name__
            report.alphas[names[0]] = layer.alpha
            report.noise_shapes[names[0]] = layer.noise_shape
        elif isinstance(module, BayesianNorm):
            _revert_layer(module)
    switch_off_bypasses(model)
    select_trainable(model, trainable)
    report.count_parameters(model)
    changed = trained_before != [p.requires_grad for p in model.parameters()]
    if changed and is_model_wrapper(wrapper):
        print_log(
            'Conversion changed which parameters are trained. DistributedDataParallel noted that '
            'when it wrapped the model: wrap the model again before training it.',
            logger='current',
            level=logging.WARNING,
        )
    return report


def revert_abnn(model: nn.Module) -> list[str]:
    """Undo :func:`convert_to_abnn`: the plain network again, in place.

    The weights stay what they are now; the classes of the layers, their training mode, and which
    parameters are trained become what they were before the conversion.

    Args:
        model: A converted model, wrapped or not.

    Returns:
        The names of the layers that were reverted.

    Raises:
        ValueError: If the model holds no Bayesian layer, or one without a plain counterpart.
    """
    model = unwrapped(model)
    layers = bayesian_layers(model)
    if not layers:
        raise ValueError(f'{type(model).__name__} holds no Bayesian normalization layer to revert')
    for layer in layers.values():
        plain_form(layer)  # raises before anything is changed
    for layer in layers.values():
        _revert_layer(layer)
    restore_bypasses(model)
    restore_trainable(model)
    return list(layers)


def _is_normalization(module: nn.Module, forms: Container[type[nn.Module]]) -> bool:
    if isinstance(module, (BayesianNorm, *_PLAIN_BASES)) or type(module) in forms:
        return True
    # others, of whatever package, are named in the report; a block that holds a normalization
    # beside other layers has no gain of its own
    own = {
        name
        for name, _ in (
            *module.named_parameters(recurse=False),
            *module.named_buffers(recurse=False),
        )
    }
    if 'running_mean' in own:
        return True
    named = 'norm' in type(module).__name__.lower()
    return named and ('weight' in own or next(module.children(), None) is None)


def _normalizations(model: nn.Module) -> dict[nn.Module, list[str]]:
    # modules that are registered under several names appear once, with all of them
    names: dict[nn.Module, list[str]] = {}
    forms = bayesian_forms()
    for name, module in model.named_modules(remove_duplicate=False):
        if _is_normalization(module, forms):
            names.setdefault(module, []).append(name)
    return names


def _bayesian_form(module: nn.Module) -> type[BayesianNorm] | None:
    if isinstance(module, BayesianNorm):
        return type(module)
    if getattr(module, '_fast_norm', False):  # of timm, after `set_fast_norm`
        return None
    return bayesian_forms().get(type(module))


def _why_plain(module: nn.Module) -> str:
    """Say why a normalization layer has no Bayesian form."""
    name = type(module).__name__
    if getattr(module, '_fast_norm', False):
        return f"{name} with timm's fast norm has no Bayesian form (`set_fast_norm(False)` ends it)"
    base = next((b.__name__ for b in type(module).__mro__[1:] if b in bayesian_forms()), None)
    if base is not None:
        return f'{name} has no Bayesian form: it may compute something else than {base}'
    return f'{name} has no Bayesian form'


def convert_layer(
    module: nn.Module, alpha: float | None, noise_shape: str | None, norm_eval: bool
) -> BayesianNorm:
    """Make one normalization layer Bayesian, in place; renew the settings of one that is.

    ``None`` keeps a setting of a Bayesian layer, and is the default for a plain one.

    Raises:
        ValueError: If there is no Bayesian form of the layer, or it has no affine part.
    """
    form = _bayesian_form(module)
    if form is None:
        raise ValueError(_why_plain(module))
    plain_class = None if isinstance(module, BayesianNorm) else type(module)
    module.__class__ = form
    layer = cast(BayesianNorm, module)
    if plain_class is not None:
        layer.plain_class = plain_class
        layer.asked_mode = layer.training
        alpha = DEFAULT_ALPHA if alpha is None else alpha
        noise_shape = noise_shape or DEFAULT_NOISE_SHAPE
    layer.set_noise(layer.alpha if alpha is None else alpha, noise_shape or layer.noise_shape)
    layer.norm_eval = norm_eval
    layer.train(layer.asked_mode)
    return layer


def _revert_layer(layer: BayesianNorm) -> None:
    plain = plain_form(layer)
    layer.training = layer.asked_mode
    for attribute in BayesianNorm.SETTINGS:
        layer.__dict__.pop(attribute, None)
    module: nn.Module = layer
    module.__class__ = plain
