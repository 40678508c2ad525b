"""The tools as a user runs them, with the real configs made small."""

import os
import subprocess
import sys
from pathlib import Path

from helpers.in_process import run_script

ROOT = Path(__file__).resolve().parents[2]
BASE_CONFIG = ROOT / 'configs/deeplabv3plus/deeplabv3plus_r18-d8_mini_streets.py'
ABNN_CONFIG = ROOT / 'configs/abnn/deeplabv3plus_mini_streets.py'
# the real configs, merely shrunk: fewer channels, fewer and smaller images, fewer iterations
SMALL = {
    'model.backbone.base_channels': 8,
    'model.backbone.stem_channels': 8,
    'model.decode_head.in_channels': 64,
    'model.decode_head.channels': 16,
    'model.decode_head.c1_in_channels': 8,
    'model.decode_head.c1_channels': 4,
    'model.auxiliary_head.in_channels': 32,
    'model.auxiliary_head.channels': 8,
    'model.test_cfg.num_samples': 3,
    'train_dataloader.batch_size': 2,
    'train_dataloader.num_workers': 0,
    'train_dataloader.persistent_workers': False,
    'val_dataloader.num_workers': 0,
    'val_evaluator.histogram_bits': 10,
    'val_dataloader.persistent_workers': False,
    'test_dataloader.num_workers': 0,
    'test_dataloader.persistent_workers': False,
    'train_cfg.max_iters': 3,
    'train_cfg.val_interval': 3,
    'default_hooks.logger.interval': 1,
    'default_hooks.checkpoint.interval': 1,
}


def data_options(data: Path) -> dict[str, str]:
    """Return the config options that make all loaders read from ``data``."""
    keys = (
        'train_dataloader.dataset',
        'val_dataloader.dataset',
        'test_dataloader.dataset.datasets.0',
        'test_dataloader.dataset.datasets.1',
    )
    return {f'{key}.data_root': str(data) for key in keys}


def run(command, cwd=ROOT, **env) -> subprocess.CompletedProcess:
    """Run a command with its output captured; the caller looks at the return code."""
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=process_environment(**env),
        capture_output=True,
        text=True,
    )


def process_environment(**env) -> dict[str, str]:
    """Return the environment variables of a process on the CPU."""
    # the shell scripts call the `python` of the active environment
    path = f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}'
    return {**os.environ, 'PATH': path, 'CUDA_VISIBLE_DEVICES': '', **env}


def tool_command(name, *arguments, options=None) -> list[str]:
    """Return the file and the arguments of a tool, with the small settings and ``options``."""
    settings = [f'{key}={value}' for key, value in {**SMALL, **(options or {})}.items()]
    return [str(ROOT / 'tools' / name), *map(str, arguments), '--cfg-options', *settings]


def run_tool(name, *arguments, options=None, cwd=ROOT) -> subprocess.CompletedProcess:
    """Run a Python tool in this process, see :func:`tool_command` and :func:`run_script`."""
    return run_script(*tool_command(name, *arguments, options=options), cwd=cwd)


def start_tool(name, *arguments, options=None, cwd=ROOT, **env) -> subprocess.CompletedProcess:
    """Run a Python tool in a process of its own, as a user does."""
    command = [sys.executable, *tool_command(name, *arguments, options=options)]
    return run(command, cwd=cwd, **env)


def succeeded(result: subprocess.CompletedProcess) -> subprocess.CompletedProcess:
    """Return ``result`` if the command ended well; else show what it printed."""
    assert result.returncode == 0, f'{result.stdout[-3000:]}\n{result.stderr[-3000:]}'
    return result
