"""The test of one method with one seed, by tools/test.py in a process of its own."""

import argparse
import json
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS

from mmseg_abnn.apis import add_common_arguments, load_config, read_metrics
from mmseg_abnn.apis.config_parts import type_name, type_names
from mmseg_abnn.apis.stamps import Stamp, is_current, stamped
from mmseg_abnn.evaluation.functional.scores import OF_DRAWS, OF_LOGITS, OF_PROBABILITIES
from mmseg_abnn.models.segmentors import MonteCarloSegmentor

from .methods import Method
from .stamps import make_stamp

STAMP_FILE = 'compare_stamp.json'
_SCORES_OF_LOGITS = (*OF_PROBABILITIES, *OF_LOGITS)


@dataclass(frozen=True)
class Run:
    """A test that is ready to run.

    Attributes:
        method: The method with the seed filled in.
        seed: The seed.
        work_dir: Where the test writes.
        arguments: Of tools/test.py.
        cfg: The config that these arguments give.
        prefix: What the metric puts in front of its names.
    """

    method: Method
    seed: int
    work_dir: Path
    arguments: tuple[str, ...]
    cfg: Config
    prefix: str


def plan_run(
    method: Method,
    seed: int,
    out: Path,
    folder: str | None = None,
    read: Callable[[str], Config] = Config.fromfile,
) -> Run:
    """Prepare a test and check what its config tells.

    Args:
        method: A method as the list has it.
        seed: The seed to fill in.
        out: The folder of the comparison; the test will write to ``<folder>/<seed>`` in it.
        folder: The method's name by default.
        read: Reads a config file.

    Raises:
        ValueError: If the config has no ``UncertaintyMetric``, or its model no such score.
    """
    method, work_dir = method.of_seed(seed), out / (folder or method.folder) / str(seed)
    options = [f'{key}={text}' for key, text in method.options.items()]
    paths = [method.config, method.checkpoint, '--work-dir', str(work_dir)]
    where = f'method {method.name!r}'
    try:
        cfg = read_config([*paths, *(['--cfg-options', *options] if options else [])], read)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f'{where}: {method.config}: {error}') from error
    evaluators: Any = cfg.get('test_evaluator') or []
    several = isinstance(evaluators, (list, tuple))
    metrics = list(evaluators) if several else [evaluators]
    places = [i for i, metric in enumerate(metrics) if type_name(metric) == 'UncertaintyMetric']
    if len(places) != 1:
        raise ValueError(
            f'{where}: `test_evaluator` of {method.config} must hold one UncertaintyMetric, got '
            f'{type_names(metrics)}'
        )
    allowed = available_scores(cfg)
    unknown = [score for score in method.scores if allowed is not None and score not in allowed]
    if unknown:
        raise ValueError(
            f'{where}: the `scores` of {type_name(cfg.model)} are {list(allowed or ())}, '
            f'got {unknown}'
        )
    key = f'test_evaluator.{places[0]}.scores' if several else 'test_evaluator.scores'
    arguments = (*paths, '--cfg-options', *options, f'{key}=[{",".join(method.scores)}]')
    cfg.merge_from_dict({key: list(method.scores)})
    prefix = metrics[places[0]].get('prefix')
    return Run(method, seed, work_dir, arguments, cfg, f'{prefix}/' if prefix else '')


def read_config(
    arguments: Sequence[str], read: Callable[[str], Config] = Config.fromfile
) -> Config:
    """Return the config that arguments give, as tools/test.py reads them.

    Args:
        arguments: The command line.
        read: Reads a config file.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument('config')
    parser.add_argument('checkpoint')
    add_common_arguments(parser)
    args = parser.parse_args(arguments)
    cfg = load_config(args, read)
    cfg.load_from = args.checkpoint
    return cfg


def available_scores(cfg: Config) -> tuple[str, ...] | None:
    """Return the scores that a config's model has; None if that cannot be told.

    Models of other packages may give maps of their own.
    """
    init_default_scope(cfg.get('default_scope') or 'mmseg')
    kind = cfg.model.type
    model = kind if isinstance(kind, type) else MODELS.get(kind)
    if isinstance(model, type) and issubclass(model, MonteCarloSegmentor):
        return (*_SCORES_OF_LOGITS, *OF_DRAWS)
    of_mmseg = isinstance(model, type) and model.__module__.startswith('mmseg.')
    return _SCORES_OF_LOGITS if of_mmseg else None


def finished_metrics(run: Run) -> dict[str, float] | None:
    """Return the numbers of a test that was finished before with the same inputs, or None."""
    try:
        metrics = read_metrics(run.work_dir)
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    finished = is_current(run.work_dir / STAMP_FILE, _stamp(run))
    return _without_prefix(metrics, run.prefix) if finished else None


def carry_out(run: Run, tool: Path) -> dict[str, float]:
    """Test in a new process, with its output shown.

    Args:
        run: The test.
        tool: The file tools/test.py.

    Returns:
        The numbers of ``UncertaintyMetric``.

    Raises:
        RuntimeError: If the test fails.
    """
    what = f'the test of method {run.method.name!r} with seed {run.seed}'
    with stamped(run.work_dir / STAMP_FILE, _stamp(run)):
        call_tool(tool, run.arguments, what)
    metrics = read_metrics(run.work_dir)
    return _without_prefix(metrics, run.prefix)


def call_tool(tool: Path, arguments: Sequence[str], what: str) -> None:
    """Run a tool in a new process, with its output shown.

    Args:
        tool: Its file.
        arguments: Of its command line.
        what: Says in an error what it was to do.

    Raises:
        RuntimeError: If it fails.
    """
    print(f'$ python {shlex.join([str(tool), *arguments])}', flush=True)
    code = subprocess.run([sys.executable, str(tool), *arguments], check=False).returncode
    if code:
        raise RuntimeError(f'{what} failed with exit status {code}: see above')


def _stamp(run: Run) -> Stamp:
    return make_stamp(run.arguments, run.cfg, run.method.checkpoint)


def _without_prefix(metrics: Mapping[str, float], prefix: str) -> dict[str, float]:
    return {
        name.removeprefix(prefix): value
        for name, value in metrics.items()
        if name.startswith(prefix)
    }
