"""What files about an image are called: its path below the folder of the data, without suffix.

Predictions, score maps and pictures of all tools and hooks take their names from here, so no two
images share one, and a tool finds what another one wrote.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmseg_abnn.datasets.parts import dataset_parts


def output_names(paths: Sequence[str], root: str | None = None) -> dict[str, str]:
    """Name images by their paths below a folder.

    Args:
        paths: Files. One that is given twice counts once.
        root: A folder that all files lie below; None: the smallest one.

    Returns:
        Path to name, with ``/`` between folders. No two files have the same name: suffixes are left
        out, unless files would then share a name; all files keep theirs in this case.

    Raises:
        ValueError: If a file does not lie below ``root``.
    """
    whole = {path: os.path.abspath(path) for path in paths}
    if not whole:
        return {}
    if root is None:
        folder = os.path.commonpath([os.path.dirname(path) for path in whole.values()])
    else:
        folder = os.path.abspath(root)
    names = {}
    for path, file in whole.items():
        name = Path(os.path.relpath(file, folder))
        if '..' in name.parts:
            raise ValueError(f'`paths` must lie below `root` {root!r}, got {path!r}')
        names[path] = name
    short = {path: name.with_suffix('') for path, name in names.items()}
    # one file may be spelt in two ways, and has one name then
    chosen = short if len(set(short.values())) == len(set(names.values())) else names
    return {path: name.as_posix() for path, name in chosen.items()}


def dataset_output_names(dataset: Any) -> dict[str, str]:
    """Name the images of a data set: below its ``data_root``, else below the folder of its images.

    Several data sets in one have their names below the folder that holds the roots of all.

    Args:
        dataset: A data set; wrappers around one or several are opened.

    Returns:
        The ``img_path`` of each image to its name, see :func:`output_names`; without images that
        have no path.
    """
    paths: list[str] = []
    roots: list[str] = []
    for part in dataset_parts(dataset, '').values():
        own = [path for path in image_paths(part) if path is not None]
        if own:
            roots.append(_root(part, own))
            paths += own
    return output_names(paths, os.path.commonpath(roots)) if paths else {}


def image_paths(part: Any) -> list[str | None]:
    """Return the ``img_path`` of each image of a data set that is no wrapper, None without one."""
    if not hasattr(part, 'get_data_info'):
        return [None] * len(part)
    return [part.get_data_info(index).get('img_path') for index in range(len(part))]


def default_name(path: str) -> str:
    """Return the name of an image whose data set is not known.

    Returns:
        Its path below the working directory, else its absolute path without the leading slash; in
        both cases without suffix.
    """
    name = Path(os.path.relpath(path))
    if '..' in name.parts:
        whole = Path(os.path.abspath(path))
        name = whole.relative_to(whole.anchor)
    return name.with_suffix('').as_posix()


def name_of(names: Mapping[str, str] | None, path: str) -> str:
    """Return the name of an image among the known ones, else its :func:`default_name`."""
    return (names or {}).get(path) or default_name(path)


def _root(part: Any, paths: Iterable[str]) -> str:
    """Return the folder, as an absolute path, that a data set says its images lie in."""
    whole = [os.path.abspath(path) for path in paths]
    prefix = getattr(part, 'data_prefix', None) or {}
    for folder in (getattr(part, 'data_root', None), prefix.get('img_path')):
        if folder and isinstance(folder, str):
            root = os.path.abspath(folder)
            if all(path.startswith(os.path.join(root, '')) for path in whole):
                return root
    return os.path.commonpath([os.path.dirname(path) for path in whole])
