"""Writing the files of a plan: each one whole, or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from mmseg_abnn.datasets.file_checks import decode_label

from .plan import Entry, Plan


def write_files(plan: Plan) -> Iterator[str]:
    """Write what is not there yet, each archive in one pass.

    Args:
        plan: The plan.

    Yields:
        The target of each file after it is written.

    Raises:
        ValueError: If a source is damaged.
        OSError: If the files cannot be written.
    """
    waiting: dict[int, dict[str, str]] = {}  # by source: path in there -> target
    for target in plan.to_write:
        entry = plan.entries[target]
        waiting.setdefault(id(entry.source), {})[entry.path] = target
    for targets in waiting.values():
        source = plan.entries[next(iter(targets.values()))].source
        to_read = []
        for path, target in targets.items():
            if _link(plan.entries[target], plan.out):
                yield target
            else:
                to_read.append(path)
        for path, pieces in source.contents(to_read):
            entry = plan.entries[targets[path]]
            with whole_file(plan.out / targets[path]) as part, part.open('wb') as file:
                for piece in _converted(pieces, entry.match.place.id_shift, entry.converted):
                    file.write(piece)
            yield targets[path]


def check_space(plan: Plan) -> None:
    """Raise OSError if the disk has no room for what is to be written."""
    folder = plan.out.resolve()
    while not folder.exists():
        folder = folder.parent
    device = folder.stat().st_dev
    needed = 0
    for target in plan.to_write:
        entry = plan.entries[target]
        if entry.original is None or entry.converted or entry.original.stat().st_dev != device:
            needed += entry.size
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise OSError(f'{plan.out} needs {needed} bytes more, but only {free} bytes are free')


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give another path to write to, which becomes ``path`` if nothing goes wrong."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f'{path.name}.part')
    part.unlink(missing_ok=True)
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def add_to_ids(data: bytes, shift: int) -> bytes:
    """Return a label file with a number added to all ids, modulo 256.

    A file that is no label stays as it is; the check of all files says what is wrong with it.

    Args:
        data: An image of one 8-bit channel.
        shift: The number.
    """
    try:
        label = decode_label(data)
    except ValueError:
        return data
    file = BytesIO()
    Image.fromarray(label + np.uint8(shift)).save(file, 'PNG')
    return file.getvalue()


def _converted(pieces: Iterator[bytes], shift: int, converted: bool) -> Iterator[bytes]:
    if converted:
        yield add_to_ids(b''.join(pieces), shift)
    else:
        yield from pieces


def _link(entry: Entry, out: Path) -> bool:
    """Make a hard link if that is possible."""
    original = entry.original
    if original is None or entry.converted:
        return False
    with suppress(OSError), whole_file(out / entry.match.target) as part:
        os.link(original.resolve(), part)
        return True
    return False
