"""Stamps: what a finished result was made with, so that it is made again only if that changes."""

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

Stamp = dict[str, Any]


def make_stamp(arguments: Sequence[str], cfg: Config, checkpoint: str) -> Stamp:
    """Describe what a result depends on.

    Args:
        arguments: Of the tool that makes it.
        cfg: The config that these arguments give.
        checkpoint: An existing file; its size and time count, not what is in it.
    """
    file = os.stat(checkpoint)
    return {
        'arguments': list(arguments),
        'config': settings_hash(cfg.to_dict()),
        'checkpoint': {'bytes': file.st_size, 'modified': file.st_mtime_ns},
    }


def settings_hash(settings: Any) -> str:
    """Return a SHA-256 over settings, whatever the order of their keys."""
    text = json.dumps(settings, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def read_stamp(path: Path) -> Stamp | None:
    """Return the stamp in a file; None if there is none, or not a whole one."""
    try:
        return json.loads(path.read_text(encoding='utf-8'))
    except (FileNotFoundError, json.JSONDecodeError):
        return None


def write_stamp(path: Path, stamp: Stamp) -> None:
    """Write a stamp; the file appears whole or not at all."""
    partial = path.with_suffix('.part')
    partial.write_text(json.dumps(stamp, indent=2), encoding='utf-8')
    os.replace(partial, path)
