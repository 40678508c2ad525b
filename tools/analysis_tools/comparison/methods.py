"""What is compared: methods, seeds, and the method that costs are relative to."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

SEED = '{seed}'


def fill_seed(text: str, seed: int) -> str:
    """Return a text with ``{seed}`` filled in."""
    return text.replace(SEED, str(seed))


@dataclass(frozen=True)
class Method:
    """One method of a list, see :mod:`comparison.reading`.

    Attributes:
        name: Heads its rows.
        config: Config file.
        checkpoint: Checkpoint file.
        scores: Uncertainty scores to measure.
        trained_in: Work dirs whose training is the method's cost.
        options: Settings that override the config, as texts of a command line.
    """

    name: str
    config: str
    checkpoint: str
    scores: tuple[str, ...]
    trained_in: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        """The name as that of a folder."""
        return re.sub(r'[^\w.-]+', '_', self.name).strip('_.')

    def of_seed(self, seed: int) -> 'Method':
        """Return the method with ``{seed}`` filled in everywhere."""
        return replace(
            self,
            config=fill_seed(self.config, seed),
            checkpoint=fill_seed(self.checkpoint, seed),
            trained_in=tuple(fill_seed(path, seed) for path in self.trained_in),
            options={key: fill_seed(text, seed) for key, text in self.options.items()},
        )


@dataclass(frozen=True)
class Comparison:
    """A whole list, see :mod:`comparison.reading`.

    Attributes:
        title: Name of the comparison.
        seeds: What ``{seed}`` stands for.
        reference: Name of the method that costs are relative to.
        methods: In the order of the table.
    """

    title: str
    seeds: tuple[int, ...]
    reference: str
    methods: tuple[Method, ...]
