"""Functions that scripts and the tools call."""

from ..parsers import CommandParser, add_common_arguments
from .abnn_section import expand_abnn_section
from .abnn_settings import ABNNSettings
from .command_line import check_segmentor, is_classifier, load_config
from .export import Exported, export_network, export_segmentor
from .inference import inference_model, init_model
from .inferencer import ABNNInferencer
from .mean_prediction import BatchPrediction, predict_mean
from .member_training import train_members
from .pictures import show_pictures
from .runner import build_runner, build_test_runner, enable_amp, enable_tta, load_runner
from .test import METRICS_FILE, read_metrics, save_metrics, test, write_metrics
from .train import train

__all__ = [
    'METRICS_FILE',
    'ABNNInferencer',
    'ABNNSettings',
    'BatchPrediction',
    'CommandParser',
    'Exported',
    'add_common_arguments',
    'build_runner',
    'build_test_runner',
    'check_segmentor',
    'enable_amp',
    'enable_tta',
    'expand_abnn_section',
    'export_network',
    'export_segmentor',
    'inference_model',
    'init_model',
    'is_classifier',
    'load_config',
    'load_runner',
    'predict_mean',
    'read_metrics',
    'save_metrics',
    'show_pictures',
    'test',
    'train',
    'train_members',
    'write_metrics',
]
