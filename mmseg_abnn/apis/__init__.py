"""Functions that scripts and the tools call."""

from .abnn_section import ABNNSettings, expand_abnn_section
from .cli import add_common_arguments, check_segmentor, is_classifier, load_config
from .members import train_members
from .runner import build_runner, build_test_runner, enable_amp, enable_tta, load_runner
from .stages import Stages
from .train import train

__all__ = [
    'ABNNSettings',
    'Stages',
    'add_common_arguments',
    'build_runner',
    'build_test_runner',
    'check_segmentor',
    'enable_amp',
    'enable_tta',
    'expand_abnn_section',
    'is_classifier',
    'load_config',
    'load_runner',
    'train',
    'train_members',
]
