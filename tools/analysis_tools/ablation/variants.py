"""What an ablation varies: variants of one ABNN, in groups that each answer a question."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

# what a variant is
DETERMINISTIC = 'deterministic'  # the base network
NOISY = 'noisy'  # the base network with an ABNN's noise
FINE_TUNED = 'fine-tuned'  # an ABNN
# the variants that stand in each table
REFERENCE = 'reference'

Options = Mapping[str, str]
"""Settings that override a config, as texts of a command line."""


@dataclass(frozen=True)
class Variant:
    """One variant, see :mod:`ablation.reading`.

    Attributes:
        key: Its name among all variants, ``<group>/<name>``.
        name: Heads its row.
        kind: ``'deterministic'``, ``'noisy'`` or ``'fine-tuned'``.
        train: Options of its training, and of its test too.
        test: Options of its test.
        members: How many members are tested, the first ones; None: all.
        equal_effect: Noise scale that the scales of the layers have the effect of; None: they are
            what the config says.
        value: The number that is varied, where it is one.
        series: Name of the curve that it is a point of.
    """

    key: str
    name: str
    kind: str = FINE_TUNED
    train: Options = field(default_factory=dict)
    test: Options = field(default_factory=dict)
    members: int | None = None
    equal_effect: float | None = None
    value: float | None = None
    series: str = ''

    def settings(self) -> dict[str, Any]:
        """Return all that its numbers depend on beside the configs, ready for JSON."""
        return {
            'kind': self.kind,
            'train': dict(self.train),
            'test': dict(self.test),
            'members': self.members,
            'equal_effect': self.equal_effect,
        }


DETERMINISTIC_VARIANT = Variant(DETERMINISTIC, DETERMINISTIC, DETERMINISTIC)
REFERENCE_VARIANT = Variant(REFERENCE, REFERENCE)
SHARED_VARIANTS = (DETERMINISTIC_VARIANT, REFERENCE_VARIANT)


@dataclass(frozen=True)
class Group:
    """Variants that answer one question.

    Attributes:
        name: Short name, for the command line and files.
        title: Heads its section.
        question: The question, in a line.
        answer: The answer to it, in a sentence written by hand; may be empty.
        remark: What was found, written by hand; may be empty.
        scores: The scores that its table shows.
        axis: What is varied, where it is a number; else empty.
        variants: In the order of the table.
    """

    name: str
    title: str
    question: str
    answer: str
    remark: str
    scores: tuple[str, ...]
    axis: str
    variants: tuple[Variant, ...]


@dataclass(frozen=True)
class Ablation:
    """A whole list, see :mod:`ablation.reading`.

    Attributes:
        title: Name of the ablation.
        config: Config of the ABNN.
        base: Config of the network that it is made from.
        base_checkpoint: Its checkpoint, with ``{seed}``.
        data_root: Folder of the data that is tested on.
        split: Says what data that is.
        seeds: What ``{seed}`` stands for.
        scores: Uncertainty scores that are measured; the first one heads the tables.
        train: Options of each training.
        test: Options of each test.
        groups: In the order of the page.
    """

    title: str
    config: str
    base: str
    base_checkpoint: str
    data_root: str
    split: str
    seeds: tuple[int, ...]
    scores: tuple[str, ...]
    train: Options
    test: Options
    groups: tuple[Group, ...]

    def choose(self, names: Sequence[str] | None) -> tuple[Group, ...]:
        """Return the groups of these names, all without.

        Raises:
            ValueError: If there is no such group.
        """
        known = [group.name for group in self.groups]
        unknown = [name for name in names or () if name not in known]
        if unknown:
            raise ValueError(f'the groups are {known}, got {unknown}')
        return tuple(group for group in self.groups if names is None or group.name in names)


def variants_of(groups: Iterable[Group]) -> list[Variant]:
    """Return the variants of groups: those that stand in each table, then their own ones."""
    return [*SHARED_VARIANTS, *(variant for group in groups for variant in group.variants)]
