"""What is compared: methods, seeds, and the method that costs are relative to."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

SEED = '{seed}'


@dataclass(frozen=True)
class Method:
    """One method of a list, see :mod:`mmseg_abnn.comparison.reading`.

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

        def fill(text: str) -> str:
            return text.replace(SEED, str(seed))

        return replace(
            self,
            config=fill(self.config),
            checkpoint=fill(self.checkpoint),
            trained_in=tuple(map(fill, self.trained_in)),
            options={key: fill(text) for key, text in self.options.items()},
        )


@dataclass(frozen=True)
class Comparison:
    """A whole list, see :mod:`mmseg_abnn.comparison.reading`.

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
