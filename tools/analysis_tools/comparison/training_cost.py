"""What a training has cost, from what MMEngine wrote into its work dir.

``LocalVisBackend`` writes a line for each logged iteration into
``<work dir>/<time stamp>/vis_data/scalars.json``, a folder for each run. Its ``time`` is the mean
over the last ``log_processor.window_size`` iterations (fewer at the start), in seconds.
"""

import glob
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS

from mmseg_abnn.apis.member_files import load_member

_SCALARS = 'scalars.json'
_CONFIG = 'config.py'
# what a member's file may hold beside trained parameters
_STATISTICS = ('running_mean', 'running_var', 'num_batches_tracked')
_Number = TypeVar('_Number', int, float)


class UnknownCostError(ValueError):
    """A cost cannot be told; the message says why."""


@dataclass(frozen=True)
class TrainingCost:
    """What the training in one work dir has cost.

    Attributes:
        seconds: Sum of the iteration times; None if it is not known.
        parameters: Number of trained parameters; None if it is not known.
        problems: Why something is not known.
    """

    seconds: float | None
    parameters: int | None
    problems: tuple[str, ...]


def training_cost(work_dir: str) -> TrainingCost:
    """Return what the training in a work dir has cost: of one network, or of an ABNN's members."""
    problems: list[str] = []

    def known(measure: Callable[[str], _Number]) -> _Number | None:
        try:
            return measure(work_dir)
        except UnknownCostError as error:
            problems.append(str(error))
            return None

    seconds, parameters = known(training_seconds), known(trained_parameters)
    return TrainingCost(seconds, parameters, tuple(dict.fromkeys(problems)))


def training_seconds(work_dir: str) -> float:
    """Return the sum of the iteration times, of all members if the work dir is an ABNN's.

    Raises:
        UnknownCostError: If logs are missing.
    """
    members = [os.path.splitext(path)[0] for path in _member_files(work_dir)]
    return sum(_seconds_of_one(folder) for folder in members or [work_dir])


def trained_parameters(work_dir: str) -> int:
    """Return the number of trained parameters, of all members if the work dir is an ABNN's.

    Of a plain network these are the parameters that require a gradient in the model of the config
    that the training has written.

    Raises:
        UnknownCostError: If there are neither members nor a config.
    """
    members = _member_files(work_dir)
    if members:
        return sum(
            tensor.numel()
            for path in members
            for name, tensor in load_member(path)[0].items()
            if not name.endswith(_STATISTICS)
        )
    cfg = _config_of(_training_runs(work_dir)[-1])
    init_default_scope(cfg.get('default_scope') or 'mmseg')
    model = MODELS.build(cfg.model)
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def sum_of_times(
    records: Mapping[int, float], window: int, interval: int, max_iters: int | None
) -> float:
    """Sum up iteration times that were logged as means over a window.

    From the last record backwards the records are chosen whose windows do not overlap; each stands
    for the iterations since the one before it. Where a window covers these the sum is exact,
    where it covers less (a window of 10, logged every 50) they are taken to be like it.

    Args:
        records: Number of finished iterations to the mean time of the last ``window`` ones, or of
            all where there were fewer.
        window: Iterations that a mean is over.
        interval: Iterations from one record to the next.
        max_iters: Iterations of the whole training. The rest after the last record, which is not
            logged, counts as the record does; None: the training ends with the last record.

    Returns:
        Seconds.

    Raises:
        ValueError: If there is no record.
    """
    if not records:
        raise ValueError('`records` must hold at least one record')
    last = max(records)
    # an interrupted training lacks more than the rest that is never logged
    end = max_iters if max_iters is not None and 0 < max_iters - last < interval else last
    seconds, covered = 0.0, end
    upper = last
    while True:
        below = [iteration for iteration in records if iteration <= upper - window]
        lower = max(below, default=0)
        seconds += (covered - lower) * records[upper]
        if not lower:
            return seconds
        upper = covered = lower


def merge_runs(runs: Sequence[Mapping[int, float]]) -> dict[int, float]:
    """Merge the records of runs that continued each other: no iteration counts twice.

    Args:
        runs: Records as of :func:`sum_of_times`, the earliest run first.

    Returns:
        The records; from its first one on, a run replaces what ran before it.
    """
    merged: dict[int, float] = {}
    for records in runs:
        start = min(records)
        merged = {n: time for n, time in merged.items() if n < start} | dict(records)
    return merged


def _seconds_of_one(work_dir: str) -> float:
    runs = _training_runs(work_dir)
    cfg = _config_of(runs[-1])
    processor = cfg.get('log_processor') or {}
    own = processor.get('custom_cfg') or []
    if any(entry.get('log_name', entry.get('data_src')) == 'time' for entry in own):
        raise UnknownCostError(f'{work_dir}: the `log_processor` logs `time` in a way of its own')
    loop = cfg.get('train_cfg') or {}
    return sum_of_times(
        merge_runs([_read_records(run) for run in runs]),
        window=processor.get('window_size', 10),
        interval=((cfg.get('default_hooks') or {}).get('logger') or {}).get('interval', 10),
        max_iters=loop.get('max_iters'),
    )


def _training_runs(work_dir: str) -> list[Path]:
    """Return the folders of the runs that trained, the earliest first."""
    found = glob.glob(os.path.join(glob.escape(work_dir), '*', 'vis_data', _SCALARS))
    folders = [Path(path).parent for path in sorted(found)]  # named by time stamps
    runs = [folder for folder in folders if _read_records(folder)]
    if not runs:
        raise UnknownCostError(
            f'{work_dir}: no training time is logged (<time stamp>/vis_data/{_SCALARS})'
        )
    return runs


def _read_records(folder: Path) -> dict[int, float]:
    records = {}
    for line in (folder / _SCALARS).read_text(encoding='utf-8').splitlines():
        try:
            entry: dict[str, Any] = json.loads(line)
        except json.JSONDecodeError:  # the process was killed while it wrote
            continue
        # validation logs a `time` too, but no `iter`
        if 'iter' in entry and 'time' in entry:
            records[int(entry['iter'])] = float(entry['time'])
    return records


def _config_of(run: Path) -> Config:
    path = run / _CONFIG
    if not path.is_file():
        raise UnknownCostError(f'{path} is missing, which the training writes')
    return Config.fromfile(path)


def _member_files(work_dir: str) -> list[str]:
    return sorted(glob.glob(os.path.join(glob.escape(work_dir), 'member_*.safetensors')))
