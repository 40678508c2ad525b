"""Testing a network or an ABNN: quality, calibration and OOD detection."""

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.evaluator import Evaluator
from mmengine.logging import print_log
from mmengine.runner import Runner

from ..datasets.hidden_labels import check_labels_exist, drop_label_loading
from ..datasets.output_names import dataset_output_names
from ..evaluation.metrics import UncertaintyMetric
from ..evaluation.metrics.common.results import NOT_FINITE, WORDS, with_words
from .command_line import check_segmentor, is_classifier
from .config_parts import type_name
from .runner import build_test_runner

METRICS_FILE = 'metrics.json'
REPORT_FOLDER = 'report'
NOT_MEASURED = 'not_measured'
_METRICS = ('UncertaintyMetric', 'ClassificationUncertaintyMetric')


def test(
    cfg: Config,
    checkpoint: str,
    predictions: str | None = None,
    predictions_format: str | None = None,
) -> dict[str, float]:
    """Test a checkpoint, and write what was measured to ``<work_dir>/metrics.json``.

    A test set of a segmentor may have no labels: nothing is measured then, predictions, score maps
    and pictures are written, and ``metrics.json`` says so under ``not_measured``.

    Args:
        cfg: A complete config with ``work_dir``. Its uncertainty metrics write their reports to
            ``<work_dir>/report``, unless it says where.
        checkpoint: The network's checkpoint, or an ABNN's with its members.
        predictions: The folder to save predictions and score maps of a segmentor to; None: they
            are not saved.
        predictions_format: Of the score maps, see ``UncertaintyMetric``; None: as the config says.

    Returns:
        The numbers of all metrics, by name.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        ValueError: If the checkpoint does not fit the model, ``predictions`` is given and the
            config has no ``UncertaintyMetric``, only some images have labels, or none has and a
            metric needs them.
    """
    _direct_output(cfg, predictions, predictions_format)
    runner = build_test_runner(cfg, checkpoint)
    if runner.test_loop is not None and not is_classifier(cfg):
        _prepare_data(runner)
    metrics: dict[str, float] = runner.test()
    if is_main_process():
        save_metrics(cfg.work_dir, metrics, not_measured(runner.test_loop.evaluator))
        _add_scalars(runner, metrics)
    return metrics


def _add_scalars(runner: Runner, metrics: Mapping[str, float]) -> None:
    """Give the numbers to TensorBoard, WandB and what else the visualizer writes to."""
    try:
        runner.visualizer.add_scalars({f'test/{name}': v for name, v in metrics.items()})
    except Exception as error:
        text = f'the visualizer could not store the figures: {type(error).__name__}: {error}'
        print_log(text, 'current', logging.WARNING)


def write_metrics(
    work_dir: str, metrics: Mapping[str, float], not_measured: str | None = None
) -> str:
    """Write the numbers of a test; return the file.

    Args:
        work_dir: Made if it does not exist.
        metrics: Numbers by name. One that is infinite is null in the file, with a word for it under
            ``not_finite``.
        not_measured: What was not measured, and why.
    """
    os.makedirs(work_dir, exist_ok=True)
    path = os.path.join(work_dir, METRICS_FILE)
    with open(path, 'w', encoding='utf-8') as file:
        file.write(_metrics_text(metrics, not_measured))
    return path


def read_metrics(work_dir: str | Path) -> dict[str, float]:
    """Return the numbers that :func:`write_metrics` wrote, the infinite ones too.

    Raises:
        FileNotFoundError: If there is no such file in the folder.
        json.JSONDecodeError: If it is not complete.
    """
    content = json.loads(Path(work_dir, METRICS_FILE).read_text(encoding='utf-8'))
    content.pop(NOT_MEASURED, None)
    words = content.pop(NOT_FINITE, {})
    return content | {name: WORDS[word] for name, word in words.items()}


def save_metrics(
    work_dir: str, metrics: Mapping[str, float], not_measured: str | None = None
) -> None:
    """Write the numbers of a test, see :func:`write_metrics`; print them if that cannot be done."""
    try:
        print(f'Metrics: {write_metrics(work_dir, metrics, not_measured)}')
    except OSError as error:
        text = _metrics_text(metrics, not_measured)
        path = os.path.join(work_dir, METRICS_FILE)
        print_log(f'{path} could not be written: {error}', 'current', logging.WARNING)
        print(f'Metrics:\n{text}')


def not_measured(evaluator: Evaluator) -> str | None:
    """Return what the metrics of a test say that they did not measure."""
    texts = [getattr(metric, 'not_measured', None) for metric in evaluator.metrics]
    return '; '.join(dict.fromkeys(text for text in texts if text)) or None


def _metrics_text(metrics: Mapping[str, float], not_measured: str | None) -> str:
    content: dict[str, Any] = with_words(metrics)
    if not_measured:
        content[NOT_MEASURED] = not_measured
    return json.dumps(content, indent=2, allow_nan=False)


def _direct_output(cfg: Config, predictions: str | None, predictions_format: str | None) -> None:
    """Tell the config's uncertainty metrics where to write, in place."""
    evaluators = cfg.test_evaluator
    metrics = evaluators if isinstance(evaluators, list) else [evaluators]
    ours = [metric for metric in metrics if type_name(metric) in _METRICS]
    if predictions is not None:
        check_segmentor(cfg, '--out')
        if 'UncertaintyMetric' not in map(type_name, ours):
            raise ValueError("--out needs dict(type='UncertaintyMetric') in `test_evaluator`")
    elif predictions_format is not None:
        raise ValueError('--out-format needs --out, the folder to save to')
    for index, metric in enumerate(ours):
        if predictions is not None and type_name(metric) == 'UncertaintyMetric':
            metric.output_dir = predictions
            if predictions_format is not None:
                metric.output_format = predictions_format
        if metric.get('report_dir') is None:
            name = REPORT_FOLDER if len(ours) == 1 else f'{REPORT_FOLDER}_{index}'
            metric.report_dir = os.path.join(cfg.work_dir, name)


def _prepare_data(runner: Runner) -> None:
    """Name the images, and let a test set without labels through, before anything is predicted."""
    dataset, metrics = runner.test_loop.dataloader.dataset, runner.test_loop.evaluator.metrics
    ours = [metric for metric in metrics if isinstance(metric, UncertaintyMetric)]
    if any(metric.output_dir is not None for metric in ours):
        names = dataset_output_names(dataset)
        for metric in ours:
            metric.output_names = names
    if check_labels_exist(dataset):
        return
    for metric in metrics:
        # those of MMSegmentation write predictions without measuring them if they are told so
        if not isinstance(metric, UncertaintyMetric) and not getattr(metric, 'format_only', False):
            raise ValueError(
                f'the test set has no labels, which {type(metric).__name__} needs: take '
                "test_evaluator=dict(type='UncertaintyMetric'), which measures nothing then and "
                'saves predictions and score maps with --out'
            )
    drop_label_loading(dataset)
