"""Listing the files of a data set as MMSegmentation does."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..messages import located


def visible_files(
    folder: Path, suffix: str | tuple[str, ...], without: Iterable[str] = ()
) -> Iterator[Path]:
    """Yield the files below a folder whose names end with a suffix, in the order of their names.

    Links to files and folders are followed, as MMSegmentation's own readers do; a link back to a
    folder that it lies in is not, so loops end. What is hidden (its name begins with a dot, as that
    of the ``._x.png`` that macOS writes beside ``x.png``) is left out.

    Args:
        folder: Where to look, sub-folders too.
        suffix: How the name of a file ends, in one or several ways.
        without: Folders, by their real paths, that are left out.

    Raises:
        FileNotFoundError: If a link with such a name leads nowhere.
    """
    yield from _walk(folder, suffix, frozenset(without))


def _walk(folder: Path, suffix: str | tuple[str, ...], above: frozenset[str]) -> Iterator[Path]:
    resolved = os.path.realpath(folder)
    if resolved in above:
        return
    for path in sorted(folder.iterdir()):
        if path.name.startswith('.'):
            continue
        if path.is_dir():
            yield from _walk(path, suffix, above | {resolved})
        elif path.name.endswith(suffix):
            if path.is_symlink() and not path.exists():
                raise FileNotFoundError(
                    f'{located(path)} is a link to {os.readlink(path)}: nothing is there'
                )
            if path.is_file():
                yield path
