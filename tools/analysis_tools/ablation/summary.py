"""From stored numbers of each seed to the rows of a table."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from comparison.summary import Estimate, estimate

from .results import Entry, Results
from .variants import DETERMINISTIC_VARIANT, REFERENCE_VARIANT, SHARED_VARIANTS, Group, Variant

Values = Mapping[str, Estimate | None]


@dataclass(frozen=True)
class ResultRow:
    """A variant with one of its scores.

    Attributes:
        variant: The variant.
        score: Name of the score.
        seeds: The seeds that it was measured with.
        values: Means over them by name; None where a number is undefined.
        differences: Means of the differences to the deterministic network with the same score, of
            the seeds that both were measured with; empty if there are none.
    """

    variant: Variant
    score: str
    seeds: tuple[int, ...]
    values: Values
    differences: Values


def summarize_group(group: Group, results: Results) -> tuple[list[ResultRow], list[str]]:
    """Summarize what is stored of a group.

    Returns:
        A row for each variant and score that is stored, with the same settings as in the list; and
        the names of the variants that nothing is stored of. Of the variants that stand in every
        table the seeds count that the group was measured with.
    """
    own = [_stored(variant, results) for variant in group.variants]
    seeds = {seed for entry in own if entry for seed in entry.numbers}
    shared = [_of_seeds(_stored(variant, results), seeds) for variant in SHARED_VARIANTS]
    base = _of_seeds(_stored(DETERMINISTIC_VARIANT, results), seeds)
    rows, missing = [], []
    variants = (*SHARED_VARIANTS, *group.variants)
    for variant, entry in zip(variants, [*shared, *own], strict=True):
        if entry is None:
            missing.append(variant.name)
            continue
        other = None if variant is DETERMINISTIC_VARIANT else base
        for score in group.scores:
            row = _summarize(variant, score, entry, other)
            rows += [] if row is None else [row]
    return rows, missing


def extreme_rows(group: Group, rows: Sequence[ResultRow]) -> list[ResultRow]:
    """Return the rows between which the variants of a group lie.

    Compared are the group's variants and the reference, with the group's first score, by how much
    their AUPR exceeds that of the deterministic network.

    Args:
        group: The group.
        rows: As :func:`summarize_group` returns them.

    Returns:
        The best row, then the worst if it is another one; none if no variant of the group has
        such a difference.
    """
    found = [
        (gain.mean, row)
        for row in rows
        if row.score == group.scores[0] and (gain := row.differences.get('AUPR'))
    ]
    own = [entry for entry in found if entry[1].variant in group.variants]
    if not own:
        return []
    reference = [entry for entry in found if entry[1].variant is REFERENCE_VARIANT]
    ordered = sorted([*own, *reference], key=lambda entry: entry[0], reverse=True)
    return [row for _, row in (ordered[0], *ordered[1:][-1:])]


def _stored(variant: Variant, results: Results) -> Entry | None:
    entry = results.entries.get(variant.key)
    return entry if entry is not None and entry.fits(variant) and entry.numbers else None


def _of_seeds(entry: Entry | None, seeds: Collection[int]) -> Entry | None:
    """Return an entry with these seeds alone; as it is if there are none of them."""
    if entry is None:
        return None
    numbers = {seed: entry.numbers[seed] for seed in entry.numbers if seed in seeds}
    return replace(entry, numbers=numbers) if numbers else entry


def _summarize(variant: Variant, score: str, entry: Entry, base: Entry | None) -> ResultRow | None:
    own = _of_score(entry, score)
    if not own:
        return None
    other = {} if base is None else _of_score(base, score)
    names = next(iter(own.values()))
    common = [seed for seed in own if seed in other]
    return ResultRow(
        variant,
        score,
        tuple(own),
        {name: estimate([numbers[name] for numbers in own.values()]) for name in names},
        {
            name: estimate([_difference(own[s][name], other[s][name]) for s in common])
            for name in (names if common else ())
        },
    )


def _of_score(entry: Entry, score: str) -> dict[int, dict[str, float | None]]:
    return {s: entry.numbers[s][score] for s in sorted(entry.numbers) if score in entry.numbers[s]}


def _difference(own: float | None, other: float | None) -> float | None:
    return None if own is None or other is None else own - other
