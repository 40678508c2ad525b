"""What the result of a tool depends on."""

import os
from collections.abc import Sequence

from mmengine.config import Config

from mmseg_abnn.apis.stamps import Stamp, settings_hash


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
