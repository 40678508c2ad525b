"""PNG files of numbers and of pictures, and files that no other process sees in part."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo


def read_png(file: Path) -> tuple[np.ndarray, dict[str, str]]:
    """Read a PNG file of one channel with 8 or 16 bits.

    Returns:
        Its values, uint8 or uint16 of shape (H, W), and its texts by name.

    Raises:
        ValueError: If the file does not have the form. The message names it.
    """
    try:
        with Image.open(file) as image:
            values, text = np.asarray(image), dict(getattr(image, 'text', {}))
    except (OSError, SyntaxError) as error:
        raise ValueError(f'{file}: cannot be read: {error}') from error
    if values.dtype == np.int32:  # how older versions of Pillow read 16 bits
        values = values.astype(np.uint16)
    if values.ndim != 2 or values.dtype not in (np.uint8, np.uint16):
        raise ValueError(
            f'{file}: must have one channel of 8 or 16 bits, got {values.dtype} {values.shape}'
        )
    return values, text


def write_png(file: Path, values: np.ndarray, text: dict[str, str] | None = None) -> None:
    """Write a PNG file, uint8 or uint16 of shape (H, W) or uint8 of (H, W, 3), with texts."""
    info = PngInfo()
    for name, content in (text or {}).items():
        info.add_text(name, content)
    image = Image.fromarray(values)
    write_whole(file, lambda stream: image.save(stream, format='PNG', pnginfo=info))


def write_whole(file: Path, write: Callable[[IO[bytes]], Any]) -> None:
    """Write a file that no other process ever sees in part.

    Args:
        file: Its folder is made if it does not exist.
        write: Writes the content.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f'.{file.name}.{os.getpid()}.part')
    try:
        with part.open('wb') as stream:
            write(stream)
        os.replace(part, file)
    finally:
        part.unlink(missing_ok=True)
