"""How a network that samples predicts: settings of ``test_cfg`` and of the section ``abnn``."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, TypeVar

_CHOICES = {'draws': ('noise', 'dropout', 'none'), 'labels_from': ('mean', 'base')}
_Self = TypeVar('_Self', bound='PredictionSettings')


@dataclass(frozen=True)
class PredictionSettings:
    """What decides how the mean over members and draws is taken.

    Attributes:
        num_samples: L, draws of each member; with ``draws='none'`` a member is one function, and
            this does not count.
        seed: Determines, with the member, the draw and the layer, all noise.
        draws: What is drawn: ``'noise'`` of the Bayesian layers; ``'dropout'``, which keeps the
            network's dropout on (MC-Dropout, Gal and Ghahramani, ICML 2016) and its noise off;
            ``'none'``, members without noise, which need no Bayesian layer.
        temperature: T > 0, by which the logits of each draw are divided (temperature scaling, Guo
            et al., ICML 2017).
        labels_from: ``'mean'``, the label is the argmax of the mean, or ``'base'``: it is that of
            the network itself, without members and noise, for one more pass. That label does not
            change by the conversion; probabilities and uncertainty stay those of the draws.
        include_base: Count the network itself, without noise, as one more member.
        draw_per_image: Draw anew for each image, determined by its path as the dataset gives it.
            By default a draw is one coherent function for all images.

    Raises:
        ValueError: If a setting is not allowed.
    """

    WHERE: ClassVar[str] = 'test_cfg'

    num_samples: int = 3
    seed: int = 0
    draws: str = 'noise'
    temperature: float = 1.0
    labels_from: str = 'mean'
    include_base: bool = False
    draw_per_image: bool = False

    def __post_init__(self) -> None:
        self.check_int('num_samples', 1)
        self.check_int('seed', 0)
        for key in ('include_base', 'draw_per_image'):
            value = getattr(self, key)
            if not isinstance(value, bool):
                raise ValueError(f'`{self.WHERE}.{key}` must be True or False, got {value!r}')
        for key, choices in _CHOICES.items():
            value = getattr(self, key)
            if value not in choices:
                raise ValueError(f'`{self.WHERE}.{key}` must be one of {choices}, got {value!r}')
        value = self.temperature
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not 0 < value < math.inf:
            raise ValueError(f'`{self.WHERE}.temperature` must be a number > 0, got {value!r}')

    def check_int(self, name: str, lowest: int) -> None:
        """Raise ValueError if a setting is no int from ``lowest`` on."""
        value = getattr(self, name)
        if not isinstance(value, int) or isinstance(value, bool) or value < lowest:
            raise ValueError(f'`{self.WHERE}.{name}` must be an int >= {lowest}, got {value!r}')

    @classmethod
    def names(cls) -> list[str]:
        """Return the names of all settings."""
        return [entry.name for entry in fields(cls)]

    @classmethod
    def among(cls: type[_Self], settings: Mapping[str, Any]) -> _Self:
        """Return the settings that a ``test_cfg`` holds among others."""
        return cls(**{name: settings[name] for name in cls.names() if name in settings})

    def describe(self, members: int) -> str:
        """Say in one line how is predicted.

        Args:
            members: M; 0: the network is the only one.
        """
        kinds = {
            'noise': f' x {self.num_samples} draws',
            'dropout': f' x {self.num_samples} draws of dropout',
            'none': ' without noise',
        }
        count = f'{members} members' if members > 1 else f'{max(members, 1)} member'
        base = ', and the base network' if self.include_base else ''
        image = ', anew for each image' if self.draw_per_image and self.draws != 'none' else ''
        return (
            f'the mean of {count}{kinds[self.draws]}{image}{base}; seed={self.seed}, '
            f'temperature={self.temperature:g}, labels_from={self.labels_from!r}'
        )

    @property
    def draws_per_member(self) -> int:
        """How many functions a member is."""
        return 1 if self.draws == 'none' else self.num_samples
