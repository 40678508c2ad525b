"""Which layers are converted and which parameters are trained: names and patterns of names."""

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from torch import nn

from ..models.layers import bayesian_layers, check_noise_arguments

Alpha = float | Mapping[str, float] | None
DEFAULT_ALPHA = 0.1
DEFAULT_NOISE_SHAPE = 'channel'
_TRAINED_BEFORE = '_trained_before_abnn'


def matches(names: Iterable[str], patterns: Iterable[str]) -> bool:
    """Tell whether one of the names matches one of the patterns."""
    return any(fnmatchcase(name, pattern) for name in names for pattern in patterns)


def check_conversion_arguments(
    alpha: Alpha,
    noise_shape: str | None,
    trainable: str | Sequence[str],
    include: Sequence[str],
    exclude: Sequence[str],
    prefix: str = '',
) -> None:
    """Raise ValueError or TypeError if arguments of :func:`convert_to_abnn` are unusable.

    ``prefix`` stands before their names in the message.
    """
    if isinstance(alpha, Mapping) and not alpha:
        raise ValueError(
            f'`{prefix}alpha` must be a number or a mapping of name patterns, got an empty one'
        )
    given = DEFAULT_ALPHA if alpha is None else alpha
    for value in given.values() if isinstance(given, Mapping) else [given]:
        check_noise_arguments(value, noise_shape or DEFAULT_NOISE_SHAPE, prefix)
    lists = {'include': include, 'exclude': exclude}
    if isinstance(alpha, Mapping):
        lists['alpha'] = list(alpha)
    if not isinstance(trainable, str):
        lists['trainable'] = trainable
    elif trainable not in ('norm', 'all'):
        raise ValueError(f"`{prefix}trainable` must be 'norm', 'all' or a list, got {trainable!r}")
    if not trainable:
        raise ValueError(f'`{prefix}trainable` is an empty list: nothing would be trained')
    for argument, patterns in lists.items():
        if isinstance(patterns, str) or not all(isinstance(p, str) for p in patterns):
            raise TypeError(
                f"`{prefix}{argument}` must hold name patterns such as 'backbone.*', got "
                f'{patterns!r}'
            )


def _check_used(argument: str, patterns: Iterable[str], names: Iterable[str], what: str) -> None:
    names = list(names)
    for pattern in patterns:
        if pattern != '*' and not matches(names, [pattern]):
            raise ValueError(
                f'`{argument}` has the pattern {pattern!r}, which matches no {what} '
                f'(there are, for instance, {", ".join(names[:3]) or "none"})'
            )


def check_patterns(
    model: nn.Module,
    layers: Mapping[nn.Module, Sequence[str]],
    alpha: Alpha,
    trainable: str | Sequence[str],
    include: Sequence[str],
    exclude: Sequence[str],
) -> None:
    """Raise ValueError if a pattern of :func:`mmseg_abnn.convert_to_abnn` matches nothing.

    ``layers`` are the normalization layers of ``model``, with the names of each.
    """
    names = [name for several in layers.values() for name in several]
    alphas = alpha if isinstance(alpha, Mapping) else ()
    for argument, patterns in (('alpha', alphas), ('include', include), ('exclude', exclude)):
        if names:
            _check_used(argument, patterns, names, 'normalization layer')
    if not isinstance(trainable, str):
        _check_used('trainable', trainable, dict(model.named_parameters()), 'parameter')


def scale_of(names: Sequence[str], alpha: Alpha) -> tuple[bool, float | None]:
    """Return whether a layer of these names is meant by ``alpha``, and the scale it asks for."""
    if not isinstance(alpha, Mapping):
        return True, alpha
    matching = [value for pattern, value in alpha.items() if matches(names, [pattern])]
    return bool(matching), next(iter(matching), None)


def select_trainable(model: nn.Module, trainable: str | Sequence[str]) -> None:
    """Freeze all parameters of a converted model but those that are trained."""
    parameters = dict(model.named_parameters())
    if _TRAINED_BEFORE not in model.__dict__:
        before = {name: p.requires_grad for name, p in parameters.items()}
        model.__dict__[_TRAINED_BEFORE] = before
    if trainable == 'norm':
        of_norms = {
            id(p) for la in bayesian_layers(model).values() for p in la.parameters(recurse=False)
        }
        chosen = {name for name, p in parameters.items() if id(p) in of_norms}
    elif trainable == 'all':
        chosen = set(parameters)
    else:
        chosen = {name for name in parameters if matches([name], trainable)}
    for name, parameter in parameters.items():
        parameter.requires_grad_(name in chosen)


def restore_trainable(model: nn.Module) -> None:
    """Undo :func:`select_trainable`."""
    before = model.__dict__.pop(_TRAINED_BEFORE, {})
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(before.get(name, parameter.requires_grad))
