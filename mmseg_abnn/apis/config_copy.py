"""Copying a config of this package to where a user changes it."""

import ast
import os
import posixpath
import tempfile

from mmengine.config import Config

from ..messages import located
from ..package_configs import find_config

_PREFIX = 'mmseg_abnn::'


def copy_config(name: str, out: str) -> str:
    """Copy a config such that it works where it lands.

    The files that it inherits from by a relative path are named by ``mmseg_abnn::...`` in the copy.

    Args:
        name: One of ``compat.own_configs()``, with or without ``mmseg_abnn::``.
        out: The file to write, or an existing folder, in which it gets the name that it has.

    Returns:
        The file.

    Raises:
        FileNotFoundError: If there is no such config.
        FileExistsError: If there is such a file already.
        ValueError: If ``name`` is no config of this package, ``out`` no Python file, or the copy
            would say something else than the config.
    """
    if '::' in name and not name.startswith(_PREFIX):
        raise ValueError(
            f'`name` must be a config of this package, got {name!r}: of another package, inherit '
            f'it by _base_ = {name!r}'
        )
    name = _PREFIX + name.removeprefix(_PREFIX)
    original = find_config(name)
    if os.path.isdir(out):
        out = os.path.join(out, os.path.basename(original))
    if not out.endswith('.py'):
        raise ValueError(f'`out` must be a folder, or end in .py, got {located(out)}')
    if os.path.lexists(out):
        raise FileExistsError(f'{located(out)} is there already, and is not overwritten')
    with open(original, encoding='utf-8') as file:
        text = with_named_bases(file.read(), name)
    _check_same(original, text)
    os.makedirs(os.path.dirname(os.path.abspath(out)), exist_ok=True)
    with open(out, 'x', encoding='utf-8') as file:
        file.write(text)
    return out


def with_named_bases(text: str, name: str) -> str:
    """Return the text of a config with its relative ``_base_`` replaced by names.

    Args:
        text: The text of the file.
        name: Its name, ``mmseg_abnn::...``.
    """
    lines = text.encode().splitlines(keepends=True)  # the parser counts bytes
    folder = posixpath.dirname(name.removeprefix(_PREFIX))
    for base in reversed(_bases(text)):
        path = str(base.value)
        if '::' in path:
            continue
        full = posixpath.normpath(posixpath.join(folder, path))
        line, end = base.lineno - 1, base.end_col_offset or 0
        new = repr(_PREFIX + full).encode()
        lines[line] = lines[line][: base.col_offset] + new + lines[line][end:]
    return b''.join(lines).decode()


def _bases(text: str) -> list[ast.Constant]:
    """Return the texts in the assignment to ``_base_``, in their order."""
    for statement in ast.parse(text).body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == '_base_':
            nodes = ast.walk(statement.value)
            texts = [n for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)]
            return sorted(texts, key=lambda node: (node.lineno, node.col_offset))
    return []


def _check_same(original: str, text: str) -> None:
    """Raise ValueError if a text does not give the config that a file gives."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, os.path.basename(original))
        with open(path, 'w', encoding='utf-8') as file:
            file.write(text)
        if Config.fromfile(path).to_dict() != Config.fromfile(original).to_dict():
            raise ValueError(
                f'{original} depends on where it lies: inherit it, in place of copying it'
            )
