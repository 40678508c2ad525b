"""The stored numbers of an ablation."""

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .bench import Numbers
from .variants import Variant


@dataclass(frozen=True)
class Entry:
    """What is stored of one variant.

    Attributes:
        settings: What it was made with: :meth:`Variant.settings`, and ``fingerprint``.
        numbers: What was measured, by seed.
    """

    settings: Mapping[str, Any]
    numbers: dict[int, Numbers] = field(default_factory=dict)

    def fits(self, variant: Variant) -> bool:
        """Tell whether it is of this variant, as the list has it now."""
        own = {key: value for key, value in self.settings.items() if key != 'fingerprint'}
        return own == variant.settings()


@dataclass
class Results:
    """All that is stored.

    Attributes:
        facts: What is the same for all: the data, the configs, the settings of the reference.
        entries: By key of the variant.
    """

    facts: dict[str, Any] = field(default_factory=dict)
    entries: dict[str, Entry] = field(default_factory=dict)

    def drop_outdated(self, wanted: Mapping[str, Mapping[str, Any]]) -> list[str]:
        """Drop what was made with other settings than now.

        Args:
            wanted: The settings of all variants of the list, by key.

        Returns:
            The keys of what was dropped.
        """
        outdated = [key for key, entry in self.entries.items() if entry.settings != wanted.get(key)]
        for key in outdated:
            del self.entries[key]
        return outdated

    def add(self, key: str, settings: Mapping[str, Any], seed: int, numbers: Numbers) -> None:
        """Put in the numbers of a variant and seed, in place of what is there."""
        self.entries.setdefault(key, Entry(settings)).numbers[seed] = numbers


def load_results(path: Path) -> Results:
    """Read stored numbers; none if there is no such file.

    Raises:
        ValueError: If the file holds something else.
    """
    if not path.is_file():
        return Results()
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
        entries = {
            key: Entry(entry['settings'], {int(s): n for s, n in entry['numbers'].items()})
            for key, entry in content['results'].items()
        }
        return Results(dict(content['facts']), entries)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f'{path} does not hold the results of an ablation: {error}') from error


def save_results(path: Path, results: Results) -> None:
    """Write numbers in full precision; the file appears whole or not at all."""
    content = {
        'facts': results.facts,
        'results': {
            key: {
                'settings': entry.settings,
                'numbers': {
                    str(seed): _finite(entry.numbers[seed]) for seed in sorted(entry.numbers)
                },
            }
            for key, entry in results.entries.items()
        },
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix('.part')
    partial.write_text(f'{json.dumps(content, indent=1, allow_nan=False)}\n', encoding='utf-8')
    os.replace(partial, path)


def _finite(numbers: Numbers) -> Numbers:
    return {
        score: {n: v if v is not None and math.isfinite(v) else None for n, v in values.items()}
        for score, values in numbers.items()
    }
