"""What the section ``abnn`` of a config may hold."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from inspect import Parameter, signature
from typing import Any, ClassVar

from mmengine.config import ConfigDict
from mmengine.registry import OPTIMIZERS

from ..conversion import DEFAULT_ALPHA, DEFAULT_NOISE_SHAPE, Alpha, check_conversion_arguments
from ..messages import did_you_mean
from ..models.losses.class_weights import Eta, check_eta
from ..models.prediction_settings import PredictionSettings
from .config_parts import type_name

SECTION = 'abnn'


def _sgd() -> dict[str, Any]:
    return dict(type='SGD', lr=0.01, momentum=0.9, nesterov=True, weight_decay=1e-4)


def _sparse() -> dict[str, Any]:
    return dict(type='sparse', weight=0.5)


def _merged(default: Mapping[str, Any], given: Mapping[str, Any]) -> ConfigDict:
    """Change parts of a default as MMEngine does; another ``type`` or ``_delete_`` replaces it."""
    # by copies and updates: a class that the config has imported stays a name, see ConfigDict
    changes = copy.copy(given) if isinstance(given, ConfigDict) else ConfigDict(given)
    replaces = changes.pop('_delete_', False)
    if replaces or ('type' in changes and type_name(changes) != default['type']):
        return changes
    merged = ConfigDict(default)
    merged.update(changes)
    return merged


def _check_optimizer(optimizer: Any) -> None:
    if not isinstance(optimizer, Mapping) or 'type' not in optimizer:
        raise ValueError(
            f'`{SECTION}.optimizer` must be a dict with a `type`, or with those settings of '
            f'{_sgd()} that are to change, got {optimizer!r}'
        )
    kind = optimizer['type']
    kind = OPTIMIZERS.module_dict.get(kind) if isinstance(kind, str) else kind
    if kind is None:
        return  # of another package, or a name that the Runner will refuse
    taken = signature(kind).parameters
    unknown = sorted(set(optimizer) - {'type', *taken})
    if unknown and all(p.kind is not Parameter.VAR_KEYWORD for p in taken.values()):
        raise ValueError(
            f'`{SECTION}.optimizer` has {unknown}, which {type_name(optimizer)} does not take'
            f'{did_you_mean(unknown, taken)}: if '
            'a base file sets them for another optimizer, write optimizer=dict(_delete_=True, '
            f'type={type_name(optimizer)!r}, ...)'
        )


@dataclass(frozen=True)
class ABNNSettings(PredictionSettings):
    """What the section ``abnn`` of a config may hold, and its defaults.

    The settings of :class:`~mmseg_abnn.models.prediction_settings.PredictionSettings`, which say
    how the ABNN predicts, and those of its conversion and fine-tuning. All defaults but
    ``num_members`` and ``num_samples``, which public code uses for classification, are ours.

    Attributes:
        num_members: M, members that are fine-tuned.
        alpha, noise_shape, trainable, include, exclude: See ``convert_to_abnn``.
        eta: Class offsets of the loss, see ``ABNNLoss``.
        max_iters: Iterations of each member's fine-tuning.
        max_epochs: Its epochs; if they are given, ``max_iters`` does not count.
        optimizer: Its optimizer; the learning rate falls to 0 by a polynomial of power 0.9.
    """

    WHERE: ClassVar[str] = SECTION

    num_members: int = 3
    alpha: Alpha = DEFAULT_ALPHA
    noise_shape: str = DEFAULT_NOISE_SHAPE
    trainable: str | Sequence[str] = 'norm'
    include: Sequence[str] = ('backbone.*',)
    exclude: Sequence[str] = ()
    eta: Eta = field(default_factory=_sparse)
    max_iters: int = 4000
    max_epochs: int | None = None
    optimizer: Mapping[str, Any] = field(default_factory=_sgd)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_int('num_members', 1)
        self.check_int('max_iters', 1)
        if self.max_epochs is not None:
            self.check_int('max_epochs', 1)
        arguments = (self.alpha, self.noise_shape, self.trainable, self.include, self.exclude)
        check_conversion_arguments(*arguments, prefix=f'{SECTION}.')
        check_eta(self.eta, prefix=f'{SECTION}.')
        _check_optimizer(self.optimizer)

    @classmethod
    def read(cls, section: Any) -> 'ABNNSettings':
        """Read the section.

        A part of ``optimizer`` or ``eta`` changes that part of the default, another ``type``, or
        ``_delete_=True``, replaces it, as everywhere in MMEngine.

        Raises:
            ValueError: If it holds an unknown or unusable setting.
            TypeError: If it is no dict, or a setting is of another type.
        """
        if not isinstance(section, Mapping):
            raise TypeError(f'`{SECTION}` must be a dict, got {section!r}')
        unknown = sorted(map(str, set(section) - set(cls.names())))
        if unknown:
            raise ValueError(
                f'`{SECTION}` may hold {cls.names()}, got {unknown}'
                f'{did_you_mean(unknown, cls.names())}'
            )
        parts = {
            name: _merged(default(), section[name])
            for name, default in (('optimizer', _sgd), ('eta', _sparse))
            if isinstance(section.get(name), Mapping)
        }
        return cls(**{**section, **parts})

    def test_cfg(self) -> dict[str, Any]:
        """Return what ``test_cfg`` says of the prediction: L, the seed, and what is no default."""
        default = PredictionSettings()
        return {
            name: getattr(self, name)
            for name in PredictionSettings.names()
            if name in ('num_samples', 'seed') or getattr(self, name) != getattr(default, name)
        }

    def hook(self) -> dict[str, Any]:
        """Return the config of the hook that converts."""
        names = ('alpha', 'noise_shape', 'trainable', 'include', 'exclude')
        return dict(type='ABNNConversionHook', **{name: getattr(self, name) for name in names})
