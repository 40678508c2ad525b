"""Which file of which source becomes which file, found out before anything is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath

from .description import IMAGE, LABEL, Benchmark, Match, Split
from .sources import Folder, Member, Source

ASIDE = 'broken'
"""Folder, in the one that is prepared, of pairs that were set aside."""
_SHOWN = 5  # how many paths show what a source holds, if it is nothing that was expected


@dataclass(frozen=True)
class Entry:
    """A file to be prepared.

    Attributes:
        source: Where it comes from.
        path: Its path in there.
        size: Its size in bytes.
        match: What it is.
    """

    source: Source
    path: str
    size: int
    match: Match

    def __str__(self) -> str:
        return f'{self.path} in {self.source.path}'

    @property
    def original(self) -> Path | None:
        """Where it lies on disk, or None if it is packed."""
        return self.source.original(self.path)

    @property
    def converted(self) -> bool:
        """Whether it becomes another file, not a copy."""
        return self.match.kind == LABEL and self.match.place.id_shift != 0


@dataclass
class Plan:
    """What there is, and what is to be done.

    Attributes:
        benchmark: The benchmark.
        out: The folder that is prepared.
        entries: What is prepared, by target: the path in ``out``; sorted.
        aside: Pairs that earlier runs set aside: the target of either kind of file, by split and
            name.
        unlabeled: Number of images that are not taken because they have no label.
        unused: Archives that hold nothing of the benchmark.
        to_write: Targets that are not there yet.
    """

    benchmark: Benchmark
    out: Path
    entries: dict[str, Entry]
    aside: dict[tuple[str, str], dict[str, str]]
    unlabeled: int
    unused: list[Path]
    to_write: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.to_write = [target for target in self.entries if not self._is_there(target)]

    def targets(self, split: Split, kind: str) -> dict[str, str]:
        """Return the targets of a split's images or labels, by name."""
        return {
            entry.match.name: target
            for target, entry in self.entries.items()
            if entry.match.split is split and entry.match.kind == kind
        }

    def pairs(self, split: Split) -> list[tuple[str, str]]:
        """Return the targets of a split's images and of their labels, sorted."""
        images, labels = self.targets(split, IMAGE), self.targets(split, LABEL)
        return sorted((images[name], labels[name]) for name in images.keys() & labels.keys())

    def number_aside(self, split: Split) -> int:
        """Return how many pairs of a split earlier runs set aside."""
        return sum(name == split.name for name, _ in self.aside)

    def is_in_place(self, target: str) -> bool:
        """Tell whether a target is its own source, not made from another file."""
        original = self.entries[target].original
        return original is not None and original.resolve() == (self.out / target).resolve()

    def _is_there(self, target: str) -> bool:
        path, entry = self.out / target, self.entries[target]
        if not path.is_file():
            return False
        # the size of a converted label is unknown before it is made; but files are written whole
        return entry.converted or path.stat().st_size == entry.size


def make_plan(benchmark: Benchmark, sources: Sequence[Source], out: Path) -> Plan:
    """List the sources and decide what becomes of their files.

    What lies in ``out`` where it belongs is part of the plan too, so archives may be prepared one
    after the other.

    Args:
        benchmark: The benchmark.
        sources: Folders and archives.
        out: The folder to prepare.

    Raises:
        ValueError: If an archive is damaged or holds paths that lead out of it, if a file that
            is wanted is a link or comes twice, or if there is no file of the benchmark.
    """
    taken: dict[str, Entry] = {}
    in_place: dict[str, Entry] = {}
    others: list[str] = []
    unused: list[Path] = []
    for source in sources:
        before = len(taken) + len(in_place)
        for member, path in _visible(source):
            match = benchmark.match(path)
            if match is None:
                if member.problem is None and len(others) < _SHOWN:
                    others.append(path)
                continue
            if member.problem:
                raise ValueError(f'{source.path}: {member.path} {member.problem}; nothing is taken')
            entry = Entry(source, member.path, member.size, match)
            if _is_same_file(entry.original, out / match.target):
                in_place[match.target] = entry
            elif not _is_same_file(entry.original, _original(taken.get(match.target))):
                _refuse_duplicate(taken.get(match.target), entry)
                taken[match.target] = entry
        if len(taken) + len(in_place) == before and not isinstance(source, Folder):
            unused.append(source.path)
    if not taken and not in_place:
        raise ValueError(_nothing(benchmark, 'no file', sources, others))
    aside = _set_aside(benchmark, out)
    entries = {
        target: entry
        for target, entry in sorted({**_prepared(benchmark, out), **in_place, **taken}.items())
        if entry.match.pair not in aside
    }
    labeled = {entry.match.pair for entry in entries.values() if entry.match.kind == LABEL}
    kept = {
        target: entry
        for target, entry in entries.items()
        if not benchmark.unlabeled_images or entry.match.pair in labeled
    }
    unlabeled = len(entries) - len(kept)
    if not kept and not aside:
        raise ValueError(_nothing(benchmark, f'only {unlabeled} images, no label', sources, others))
    return Plan(benchmark, out, kept, aside, unlabeled, unused)


def _visible(source: Source) -> Iterator[tuple[Member, str]]:
    """List the members with their paths made plain, without what is hidden."""
    for member in source.members():
        path = PureWindowsPath(member.path)  # it knows both separators, and drives
        packed = source.original(member.path) is None
        if packed and (path.anchor or '..' in path.parts):
            raise ValueError(f'{source.path}: {member.path} leads out of it; nothing is taken')
        if not any(part.startswith('.') or part == '__MACOSX' for part in path.parts):
            yield member, path.as_posix()


def _prepared(benchmark: Benchmark, out: Path) -> dict[str, Entry]:
    """List the files that lie in the prepared folder where they belong."""
    found: dict[str, Entry] = {}
    if out.is_dir():
        folder = Folder(out, without=out / ASIDE)
        for member, path in _visible(folder):
            match = benchmark.match(path)
            if match and match.target == path:
                found[path] = Entry(folder, member.path, member.size, match)
    return found


def _set_aside(benchmark: Benchmark, out: Path) -> dict[tuple[str, str], dict[str, str]]:
    """List the pairs that were set aside, see :attr:`Plan.aside`."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for target, entry in _prepared(benchmark, out / ASIDE).items():
        found.setdefault(entry.match.pair, {})[entry.match.kind] = target
    return {pair: found[pair] for pair in sorted(found) if len(found[pair]) == 2}


def _is_same_file(path: Path | None, other: Path | None) -> bool:
    return bool(path and other and other.exists() and path.samefile(other))


def _original(entry: Entry | None) -> Path | None:
    return entry.original if entry else None


def _refuse_duplicate(first: Entry | None, second: Entry) -> None:
    if first is None:
        return
    what = f'duplicate: {second.match.target} would come from {first} and from {second}'
    folders = (first.match.place.folder, second.match.place.folder)
    if folders[0] != folders[1]:
        what += f'; {folders[0]} and {folders[1]} are two layouts of the same files, leave one out'
    raise ValueError(what)


def _nothing(
    benchmark: Benchmark, found: str, sources: Sequence[Source], others: Sequence[str]
) -> str:
    names = ', '.join(str(source.path) for source in sources)
    return (
        f'{found} of {benchmark.title} in {names}; expected, at any depth: {benchmark.expected()}; '
        f'found: {", ".join(others) or "nothing else"}'
    )
