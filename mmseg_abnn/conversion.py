"""Converting a trained network to an ABNN: what is converted, and what is trained."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import cast

from prettytable import PrettyTable
from torch import nn

from .models.layers import BAYESIAN_FORMS, BayesianNorm, check_noise_arguments

# Normalization layers of torch that have no Bayesian form here are named in the report.
_NORMALIZATIONS = (
    nn.modules.batchnorm._NormBase,
    nn.LayerNorm,
    nn.GroupNorm,
    nn.LocalResponseNorm,
)


@dataclass
class ConversionReport:
    """What :func:`convert_to_abnn` did.

    Attributes:
        converted: Names of the Bayesian layers, with the class name of each.
        left_alone: Names of the normalization layers that were not converted, with the reason.
        num_parameters: Number of parameters of the model.
        num_trainable: Number of parameters that will be trained.
        alpha: The noise scale.
        noise_shape: The noise shape.
    """

    converted: dict[str, str] = field(default_factory=dict)
    left_alone: dict[str, str] = field(default_factory=dict)
    num_parameters: int = 0
    num_trainable: int = 0
    alpha: float = 0.0
    noise_shape: str = 'channel'

    def __str__(self) -> str:
        table = PrettyTable(['layer', 'count', 'remark'])
        table.align = 'l'
        for name, count in Counter(self.converted.values()).items():
            table.add_row([name, count, f'alpha={self.alpha}, noise per {self.noise_shape}'])
        for reason, count in Counter(self.left_alone.values()).items():
            first = next(name for name, text in self.left_alone.items() if text == reason)
            table.add_row(['left alone', count, f'{reason} (first: {first})'])
        share = 100 * self.num_trainable / max(self.num_parameters, 1)
        return (
            f'{table.get_string()}\n{self.num_trainable:,} of {self.num_parameters:,} parameters '
            f'are trained ({share:.2f}%)'
        )


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _check_patterns(argument: str, patterns: Sequence[str]) -> None:
    if isinstance(patterns, str) or not all(isinstance(p, str) for p in patterns):
        raise TypeError(
            f"`{argument}` must be a list of name patterns such as ['backbone.*'], got {patterns!r}"
        )


def convert_to_abnn(
    model: nn.Module,
    alpha: float = 0.1,
    noise_shape: str = 'channel',
    trainable: str | Sequence[str] = 'norm',
    include: Sequence[str] = ('*',),
    exclude: Sequence[str] = (),
    norm_eval: bool = True,
) -> ConversionReport:
    """Make the normalization layers of ``model`` Bayesian, in place.

    Each layer keeps its identity: the module object, its parameters, buffers and hooks stay the
    same, only its class changes to the Bayesian subclass. So optimizers, checkpoints and
    references held elsewhere stay valid, and with ``alpha=0`` every output is unchanged, bit for
    bit. Converting again only renews the settings.

    Args:
        model: Any module. Converted are ``BatchNorm1d/2d/3d``, ``SyncBatchNorm`` and MMEngine's
            non-distributed form of it, where they have an affine part.
        alpha: Standard deviation of eps in ``gamma * (1 + eps)``, >= 0.
        noise_shape: ``'channel'`` (one eps per sample and feature) or ``'element'``.
        trainable: ``'norm'`` trains the weights and biases of the Bayesian layers and freezes the
            rest; ``'all'`` trains everything; a list of patterns trains the parameters whose
            names match.
        include: Shell-style patterns of the module names to convert.
        exclude: Patterns of module names to leave alone; they win over ``include``.
        norm_eval: Keep the running statistics of the Bayesian layers fixed while training.

    Returns:
        What was converted, what was left alone and why, and how much is trained.

    Raises:
        ValueError: If no layer could be converted or no parameter would be trained, or an
            argument is out of range.
        TypeError: If an argument has the wrong type.
    """
    check_noise_arguments(alpha, noise_shape)
    _check_patterns('include', include)
    _check_patterns('exclude', exclude)
    if isinstance(trainable, str) and trainable not in ('norm', 'all'):
        raise ValueError(f"`trainable` must be 'norm', 'all' or a list, got {trainable!r}")
    report = ConversionReport(alpha=float(alpha), noise_shape=noise_shape)
    for name, module in model.named_modules():
        if not isinstance(module, (*_NORMALIZATIONS, BayesianNorm)):
            continue
        already = isinstance(module, BayesianNorm)
        bayesian_form = type(module) if already else BAYESIAN_FORMS.get(type(module))
        if not _matches(name, include) or _matches(name, exclude):
            report.left_alone[name] = 'not selected by `include` and `exclude`'
        elif bayesian_form is None:
            report.left_alone[name] = f'{type(module).__name__} has no Bayesian form'
        elif module.weight is None:
            report.left_alone[name] = 'affine=False: there is no gain to multiply'
        else:
            module.__class__ = bayesian_form
            layer = cast(BayesianNorm, module)
            layer.set_noise(alpha, noise_shape)
            layer.norm_eval = norm_eval
            layer.train(layer.training)
            report.converted[name] = bayesian_form.__name__
    if not report.converted:
        found = '; '.join(f'{n}: {r}' for n, r in list(report.left_alone.items())[:5])
        raise ValueError(
            f'no normalization layer of {type(model).__name__} can be converted to an ABNN '
            f'({found or "it has none"}); supported are '
            f'{", ".join(sorted(c.__name__ for c in BAYESIAN_FORMS))}'
        )
    _select_trainable(model, trainable, report)
    return report


def _select_trainable(
    model: nn.Module, trainable: str | Sequence[str], report: ConversionReport
) -> None:
    if not isinstance(trainable, str):
        _check_patterns('trainable', trainable)
    of_norms = {
        id(parameter)
        for module in model.modules()
        if isinstance(module, BayesianNorm)
        for parameter in module.parameters(recurse=False)
    }
    for name, parameter in model.named_parameters():
        if trainable == 'norm':
            parameter.requires_grad_(id(parameter) in of_norms)
        else:
            parameter.requires_grad_(trainable == 'all' or _matches(name, trainable))
        report.num_parameters += parameter.numel()
        report.num_trainable += parameter.numel() * parameter.requires_grad
    if report.num_trainable == 0:
        raise ValueError(f'`trainable` matches no parameter, got {trainable!r}')
