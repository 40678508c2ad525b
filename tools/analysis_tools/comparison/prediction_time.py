"""How long the methods take for an image, measured side by side."""

import copy
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmengine.runner.amp import autocast

from mmseg_abnn.apis import build_runner

_ROUNDS = 5


@dataclass(frozen=True)
class PredictionTimes:
    """How long predictions took.

    Attributes:
        seconds: Median time for an image, by method.
        images: Number of images.
        device: What they were predicted on.
    """

    seconds: Mapping[str, float]
    images: int
    device: str


def measure_prediction_times(
    configs: Mapping[str, Config], images: int, work_dir: Path
) -> PredictionTimes:
    """Measure the median time for an image of each method.

    The networks are built, loaded and prepared as in a test. Each of several rounds predicts every
    image by every method in turn, so that whatever else the machine does hits all of them. A round
    before them warms up and is not counted, and neither is reading the images.

    Args:
        configs: Of each method by its name, with ``load_from``.
        images: How many images, the first ones of the test set; fewer if it is smaller.
        work_dir: Where the Runners write their logs.

    Raises:
        ValueError: If the test sets of the methods begin with different images.
    """
    runners = {name: _prepare(cfg, name, work_dir) for name, cfg in configs.items()}
    batches = {name: _first_batches(runner, images) for name, runner in runners.items()}
    _check_same_images(batches)
    seconds: dict[str, list[float]] = {name: [] for name in runners}
    number = len(next(iter(batches.values())))
    for counted in [False] + [True] * _ROUNDS:
        for index in range(number):
            for name, runner in runners.items():
                passed = _predict(runner, batches[name][index])
                if counted:
                    seconds[name].append(passed)
    medians = {name: float(np.median(values)) for name, values in seconds.items()}
    return PredictionTimes(medians, number, _device())


def _prepare(cfg: Config, name: str, work_dir: Path) -> Runner:
    """Do what ``Runner.test`` does before the first image."""
    cfg = copy.deepcopy(cfg)
    cfg.work_dir = str(work_dir)
    cfg.experiment_name = f'prediction_time_{name}'
    if cfg.get('visualizer') is not None:  # one of each name can be made
        cfg.visualizer.name = cfg.experiment_name
    cfg.log_level = 'WARNING'
    runner = build_runner(cfg)
    runner.test_loop  # noqa: B018  builds it, before the hooks look for it
    runner.call_hook('before_run')
    runner.load_or_resume()
    runner.call_hook('before_test')
    runner.call_hook('before_test_epoch')
    runner.model.eval()
    return runner


def _first_batches(runner: Runner, images: int) -> list[Any]:
    loader = runner.test_loop.dataloader
    number = min(images, len(loader.dataset))
    return [loader.collate_fn([loader.dataset[index]]) for index in range(number)]


def _check_same_images(batches: Mapping[str, Sequence[Any]]) -> None:
    names = {name: [_image(batch) for batch in several] for name, several in batches.items()}
    (first, expected), *others = names.items()
    for name, found in others:
        if found != expected:
            raise ValueError(
                f'the test sets of {first!r} and {name!r} begin with different images: {expected} '
                f'and {found}'
            )


def _image(batch: Mapping[str, Any]) -> str | None:
    return batch['data_samples'][0].metainfo.get('img_path')


def _predict(runner: Runner, batch: Any) -> float:
    """Predict a batch as ``TestLoop`` does; return the seconds."""
    batch = copy.deepcopy(batch)  # predictions are put into its data samples
    fp16 = getattr(runner.test_loop, 'fp16', False)
    _wait()
    start = time.perf_counter()
    with torch.no_grad(), autocast(enabled=fp16):
        runner.model.test_step(batch)
    _wait()
    return time.perf_counter() - start


def _device() -> str:
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f'CPU, {torch.get_num_threads()} threads'


def _wait() -> None:
    """Let the GPU finish what it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
