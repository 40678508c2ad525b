"""Building Runners from configs."""

import logging
from typing import Any

from mmengine.config import Config
from mmengine.device import get_device
from mmengine.logging import MMLogger, print_log
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from ..engine.hooks import CheckpointMembersHook
from .command_line import check_segmentor
from .config_parts import registered_name, type_name
from .data_checks import DataChecksHook

# beginnings of what the Runner logs at its start: hundreds of lines that hide what matters
_FOR_THE_FILE = ('System environment:', 'Config:', 'Hooks will be executed')


def _is_for_the_screen(record: logging.LogRecord) -> bool:
    if record.levelno != logging.INFO:
        return True
    return not record.getMessage().lstrip('-\n').startswith(_FOR_THE_FILE)


class _Runner(Runner):
    """MMEngine's Runner, which writes environment, config and hooks into the log file only."""

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        """Build the logger."""
        logger = super().build_logger(*args, **kwargs)
        for handler in logger.handlers:
            if type(handler) is logging.StreamHandler:  # no file's, which is of a subclass
                handler.addFilter(_is_for_the_screen)
        return logger


def build_runner(cfg: Config) -> Runner:
    """Build the Runner that ``cfg`` asks for; it checks its data before it works."""
    runner = RUNNERS.build(cfg) if 'runner_type' in cfg else _Runner.from_cfg(cfg)
    runner.register_hook(DataChecksHook())
    return runner


def build_test_runner(cfg: Config, checkpoint: str) -> Runner:
    """Build a Runner that tests a checkpoint, and refuses one that does not fit the model.

    Args:
        cfg: A complete config with ``work_dir``.
        checkpoint: The network's checkpoint, or an ABNN's with its members.
    """
    cfg.load_from = checkpoint
    runner = build_runner(cfg)
    CheckpointMembersHook.register_in(runner)
    return runner


def load_runner(cfg: Config, checkpoint: str) -> Runner:
    """Build a Runner whose model is converted, loaded and in evaluation mode, as for a test.

    Args:
        cfg: A complete config with ``work_dir``.
        checkpoint: The network's checkpoint, or an ABNN's with its members.

    Raises:
        ValueError: If the checkpoint does not fit the model, or several processes were started.
    """
    if cfg.get('launcher', 'none') != 'none':
        raise ValueError(f'this runs in one process, got `launcher`={cfg.launcher!r}')
    runner = build_test_runner(cfg, checkpoint)
    runner.call_hook('before_run')
    runner.load_or_resume()
    runner.model.eval()
    return runner


def enable_amp(cfg: Config) -> None:
    """Switch ``cfg`` to automatic mixed precision, in place: on a GPU or, in bfloat16, on the CPU.

    Raises:
        ValueError: If the config's optimizer wrapper is of a type that has no such form.
    """
    wrapper = cfg.optim_wrapper
    kind = type_name(wrapper) or 'OptimWrapper'
    if kind in ('AmpOptimWrapper', 'CPUAmpOptimWrapper'):
        print_log('Mixed precision is enabled by the config already', logger='current')
    elif kind != 'OptimWrapper':
        raise ValueError(f'--amp needs `optim_wrapper.type` to be OptimWrapper, got {kind!r}')
    elif get_device() == 'cpu':
        wrapper.type = 'CPUAmpOptimWrapper'
    else:
        wrapper.type = 'AmpOptimWrapper'
        wrapper.loss_scale = 'dynamic'


def enable_tta(cfg: Config) -> None:
    """Switch ``cfg`` to test-time augmentation, in place.

    Raises:
        ValueError: If the config has no ``tta_model`` or ``tta_pipeline``, or is a classifier's.
    """
    # a mean over the views of an image would keep the uncertainty of one of them
    check_segmentor(cfg, '--tta')
    for key in ('tta_model', 'tta_pipeline'):
        if key not in cfg:
            raise ValueError(
                f'--tta needs `{key}` in the config, as the files of MMSegmentation in '
                '`_base_/datasets` and `_base_/default_runtime.py` have it'
            )
    datasets = [cfg.test_dataloader.dataset]
    while datasets:
        dataset = datasets.pop()
        datasets += dataset.get('datasets', []) or [d for d in [dataset.get('dataset')] if d]
        if 'pipeline' in dataset:
            dataset.pipeline = cfg.tta_pipeline
    if type_name(cfg.tta_model) == 'SegTTAModel':
        # the same mean, and the uncertainty too
        cfg.tta_model.type = registered_name(cfg, 'mmseg', 'MCSegTTAModel')
    cfg.tta_model.module = cfg.model
    cfg.model = cfg.tta_model
