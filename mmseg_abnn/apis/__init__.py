"""Functions that scripts and the tools call."""

from .cli import add_common_arguments, load_config
from .members import train_members
from .runner import build_runner, enable_amp, enable_tta
from .train import train

__all__ = [
    'add_common_arguments',
    'build_runner',
    'enable_amp',
    'enable_tta',
    'load_config',
    'train',
    'train_members',
]
