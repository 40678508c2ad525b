"""Functions that scripts and the tools call."""

from .cli import add_common_arguments, load_config
from .train import build_runner, enable_amp, train, train_members

__all__ = [
    'add_common_arguments',
    'build_runner',
    'enable_amp',
    'load_config',
    'train',
    'train_members',
]
