"""The lists of images and labels that hendrycks/anomaly-seg and MUAD come with."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from ..messages import located

_KEYS = ('fpath_img', 'fpath_segm')


def read_odgt(path: Path, *roots: Path) -> list[tuple[Path, Path]]:
    """Read an ``.odgt`` file: one JSON object a line, or one JSON array of them.

    Lists spell their paths relative to different folders: the first of ``roots`` that has the
    image of the first entry holds for all entries.

    Args:
        path: The file. Each object holds ``fpath_img`` and ``fpath_segm``; other keys do not count.
        *roots: Folders that the paths in the file may be relative to.

    Returns:
        ``(image, label)`` paths in the order of the file.

    Raises:
        FileNotFoundError: If the file, or a file that it names, does not exist.
        ValueError: If the file is empty, is no JSON, lacks a key or names an image twice. The
            message names the file and the entry.
    """
    if not path.is_file():
        raise FileNotFoundError(f'the list of images {located(path)} does not exist')
    entries = []
    for number, entry in enumerate(_parse(path), start=1):
        if not isinstance(entry, dict) or any(not isinstance(entry.get(k), str) for k in _KEYS):
            raise ValueError(f'{path}: entry {number} must hold {_KEYS} as strings, got {entry!r}')
        entries.append((Path(entry[_KEYS[0]]), Path(entry[_KEYS[1]])))
    if not entries:
        raise ValueError(f'{path} is empty: it names no image')
    seen: dict[Path, int] = {}
    for number, (image, _) in enumerate(entries, start=1):
        if image in seen:
            raise ValueError(f'{path}: entries {seen[image]} and {number} name the image {image}')
        seen[image] = number
    first = entries[0][0]
    root = next((root for root in roots if (root / first).is_file()), None)
    if root is None:
        tried = ', '.join(dict.fromkeys(located(root) for root in roots))
        raise FileNotFoundError(
            f'the image of entry 1 of {path}, {first}, is not below any of {tried}'
        )
    pairs = [(root / image, root / label) for image, label in entries]
    missing = [file for pair in pairs for file in pair if not file.is_file()]
    if missing:
        raise FileNotFoundError(
            f'{path} names {len(missing)} files that do not exist below {root}, the first is '
            f'{missing[0]}'
        )
    return pairs


def write_odgt(path: Path, pairs: Sequence[tuple[Path, Path]], root: Path) -> None:
    """Write an ``.odgt`` file with one JSON object a line.

    Args:
        path: The file.
        pairs: ``(image, label)`` paths below ``root``.
        root: Folder that the paths in the file are relative to.
    """
    lines = [
        json.dumps(
            {key: file.relative_to(root).as_posix() for key, file in zip(_KEYS, pair, strict=True)}
        )
        for pair in pairs
    ]
    path.write_text(''.join(f'{line}\n' for line in lines), encoding='utf-8')


def _parse(path: Path) -> list:
    text = path.read_text(encoding='utf-8').strip()
    try:
        if text.startswith('['):
            return json.loads(text)
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    except ValueError as error:
        raise ValueError(f'{path}: neither JSON lines nor a JSON array: {error}') from error
