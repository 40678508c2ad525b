"""The code blocks of a page of the documentation, run as a reader would."""

import re
from pathlib import Path
from typing import NamedTuple

_BLOCK = re.compile(r'^```(\w+)\n(.*?)^```', re.MULTILINE | re.DOTALL)
_NAME = re.compile(r'# (\w+\.py)\n')


class Block(NamedTuple):
    """A fenced block of code: its language and its text."""

    language: str
    text: str


def code_blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page, in their order."""
    return [Block(*found) for found in _BLOCK.findall(page.read_text(encoding='utf-8'))]


def write_files(blocks: list[Block], folder: Path) -> list[str]:
    """Write the blocks that begin with a comment of a file's name; return the names."""
    names = []
    for _, text in blocks:
        name = _NAME.match(text)
        if name:
            (folder / name[1]).write_text(text, encoding='utf-8')
            names.append(name[1])
    return names


def tool_calls(blocks: list[Block]) -> list[list[str]]:
    """Return the tools that the blocks of shell commands call, each with its arguments."""
    lines = [line for language, text in blocks if language == 'bash' for line in text.splitlines()]
    calls = [line.split() for line in lines]
    assert all(call[0] == 'python' and call[1].startswith('tools/') for call in calls), calls
    return [[call[1].removeprefix('tools/'), *call[2:]] for call in calls]
