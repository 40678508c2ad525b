"""What is written down about prepared data: the lists of splits by content, and the manifest."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmseg_abnn import __version__
from mmseg_abnn.datasets.odgt import write_odgt

from .checking import CheckedPair, describe_broken
from .description import Benchmark, ContentSplit
from .plan import Plan
from .writing import whole_file

MANIFEST = 'manifest.json'

Lists = Mapping[tuple[str, str], Sequence[CheckedPair]]
"""Pairs by protocol and split."""


def split_by_content(benchmark: Benchmark, pairs: Sequence[CheckedPair]) -> Lists:
    """Sort pairs into the splits of each protocol.

    A pair whose label holds an OOD id is a test pair; the others keep the split of their folder.

    Args:
        benchmark: The benchmark.
        pairs: The right pairs.
    """
    lists: dict[tuple[str, str], list[CheckedPair]] = {}
    for content in benchmark.content_splits:
        for split in content.published:
            lists[content.name, split] = []
        for pair in sorted(pairs, key=lambda pair: pair.image):
            is_test = any(stored in pair.facts.pixels for stored in content.ood)
            lists[content.name, 'test' if is_test else pair.split].append(pair)
    return lists


def find_list_problems(contents: Sequence[ContentSplit], lists: Lists) -> list[str]:
    """Return which lists have another length than was published."""
    return [
        f'{content.name}_{split}: {len(lists[content.name, split])} images, but {published} were '
        'published (--partial allows that)'
        for content in contents
        for split, published in content.published.items()
        if len(lists[content.name, split]) != published
    ]


def write_lists(out: Path, lists: Lists) -> None:
    """Write the lists that are not empty, and say which they are."""
    for (protocol, split), pairs in lists.items():
        path = out / f'{protocol}_{split}.odgt'
        if pairs:
            with whole_file(path) as part:
                write_odgt(part, [(out / pair.image, out / pair.label) for pair in pairs], out)
            print(f'{path}: {len(pairs)} images')
        else:
            path.unlink(missing_ok=True)
            print(f'{path} is not written: there is no such image')


def write_manifest(
    plan: Plan, right: Sequence[CheckedPair], wrong: Sequence[CheckedPair], lists: Lists
) -> None:
    """Write what the prepared folder holds; the same data gives the same bytes.

    Args:
        plan: The plan.
        right: The right pairs.
        wrong: The pairs that were set aside.
        lists: The splits by content.
    """
    manifest: dict[str, Any] = {
        'dataset': plan.benchmark.name,
        'mmseg_abnn': __version__,
        'sources': _sources(plan),
        'splits': {
            split.name: _statistics([pair for pair in right if pair.split == split.name])
            for split in plan.benchmark.splits
        },
        'broken': sorted(describe_broken(pair) for pair in wrong),
    }
    if lists:
        manifest['lists'] = {
            f'{protocol}_{split}.odgt': len(pairs)
            for (protocol, split), pairs in lists.items()
            if pairs
        }
    with whole_file(plan.out / MANIFEST) as part:
        part.write_text(json.dumps(manifest, indent=1) + '\n', encoding='utf-8')


def _sources(plan: Plan) -> list[dict[str, Any]]:
    """Name and size of the archives, and of the files taken from each folder."""
    taken: Counter[Path] = Counter()
    for entry in plan.entries.values():
        taken[entry.source.path] += entry.size
    found = [
        (path.resolve().name, path.stat().st_size if path.is_file() else size)
        for path, size in taken.items()
    ]
    return [{'name': name, 'bytes': size} for name, size in sorted(found)]


def _statistics(pairs: Sequence[CheckedPair]) -> dict[str, Any]:
    pixels: Counter[int] = Counter()
    images: Counter[int] = Counter()
    for pair in pairs:
        pixels.update(pair.facts.pixels)
        images.update(pair.facts.pixels.keys())
    return {
        'pairs': len(pairs),
        'image_sizes': sorted({pair.facts.size for pair in pairs}),
        'pixels': {str(stored): pixels[stored] for stored in sorted(pixels)},
        'images': {str(stored): images[stored] for stored in sorted(images)},
    }
