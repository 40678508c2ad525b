"""The random class weights 1 + eta of an ABNN member."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ...messages import did_you_mean

# each family with its settings and their defaults; the defaults are ours
_FAMILIES: dict[str, dict[str, Any]] = {
    'sparse': {'num_classes': None, 'weight': 0.5},
    'normal': {'std': 0.5},
    'uniform': {'low': -0.5, 'high': 0.5},
    'none': {},
}
Eta = Mapping[str, Any] | Sequence[float] | None


def check_eta(eta: Eta, prefix: str = '') -> dict[str, Any] | list[float]:
    """Return a specification of eta with its defaults filled in.

    Args:
        eta: See :func:`draw_eta`.
        prefix: Stands before its name in errors.

    Raises:
        ValueError: If it is of no known form, or could make a total weight 1 + eta negative.
        TypeError: If it is neither a dict, a list nor None.
    """
    if eta is None:
        return {'type': 'none'}
    name = f'{prefix}eta'
    if isinstance(eta, Mapping):
        family = eta.get('type')
        if family not in _FAMILIES:
            raise ValueError(
                f'`{name}.type` must be one of {sorted(_FAMILIES)}, got {family!r}'
                f'{did_you_mean(str(family), _FAMILIES)}'
            )
        allowed = sorted(_FAMILIES[family])
        unknown = sorted(map(str, set(eta) - {'type', *allowed}))
        if unknown:
            raise ValueError(
                f'`{name}` of the type {family!r} takes {allowed}, got {unknown}'
                f'{did_you_mean(unknown, allowed)} (what a base file sets goes by `_delete_=True`)'
            )
        full = {**_FAMILIES[family], **eta}
        _check_settings(full, name)
        return full
    if isinstance(eta, str) or not isinstance(eta, Sequence):
        raise TypeError(f'`{name}` must be a dict, a list of numbers or None, got {eta!r}')
    if any(value < -1 for value in eta):
        raise ValueError(
            f'`{name}` must hold numbers >= -1 (a weight 1 + eta >= 0), got {list(eta)}'
        )
    return list(eta)


def _check_settings(eta: Mapping[str, Any], name: str) -> None:
    if eta['type'] == 'sparse':
        count = eta['num_classes']
        if not (count is None or (isinstance(count, int) and count >= 0)):
            raise ValueError(f'`{name}.num_classes` must be None or an int >= 0, got {count!r}')
        if eta['weight'] < 0:
            raise ValueError(f'`{name}.weight` must be >= 0, got {eta["weight"]}')
    elif eta['type'] == 'normal' and eta['std'] < 0:
        raise ValueError(f'`{name}.std` must be >= 0, got {eta["std"]}')
    elif eta['type'] == 'uniform' and not -1 <= eta['low'] <= eta['high']:
        raise ValueError(
            f'`{name}.low` and `{name}.high` must fulfil -1 <= low <= high (a weight 1 + eta >= '
            f'0), got {eta["low"]} and {eta["high"]}'
        )


def draw_eta(eta: Eta, num_classes: int, seed: int) -> Tensor:
    """Draw the class offsets eta of one member.

    Args:
        eta: One of

            - ``dict(type='sparse', num_classes=k, weight=w)``: k random classes (default
              ``int(sqrt(C))``) get the total weight w = 1 + eta, the others keep 1;
            - ``dict(type='normal', std=s)``: N(0, s^2), cut off at -1;
            - ``dict(type='uniform', low=a, high=b)``: uniform between a >= -1 and b;
            - ``dict(type='none')`` or None: 0;
            - a list of C numbers >= -1.
        num_classes: Number of classes C.
        seed: The member's seed; equal seeds give equal offsets.

    Returns:
        Tensor of shape (C,), no entry below -1.

    Raises:
        ValueError: If ``eta`` does not fit ``num_classes``, or is invalid.
    """
    eta = check_eta(eta)
    if isinstance(eta, list):
        if len(eta) != num_classes:
            raise ValueError(
                f'`eta` must have one number for each of the {num_classes} classes, got {len(eta)}'
            )
        return torch.tensor(eta, dtype=torch.float32)
    generator = torch.Generator().manual_seed(seed)
    if eta['type'] == 'normal':
        return (eta['std'] * torch.randn(num_classes, generator=generator)).clamp(min=-1)
    if eta['type'] == 'uniform':
        share = torch.rand(num_classes, generator=generator)
        return eta['low'] + (eta['high'] - eta['low']) * share
    offsets = torch.zeros(num_classes)
    if eta['type'] == 'sparse':
        count = eta['num_classes']
        count = int(num_classes**0.5) if count is None else count
        if count > num_classes:
            raise ValueError(f'`eta.num_classes` must be at most {num_classes}, got {count}')
        chosen = torch.randperm(num_classes, generator=generator)[:count]
        offsets[chosen] = eta['weight'] - 1.0
    return offsets
