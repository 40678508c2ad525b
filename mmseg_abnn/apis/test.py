"""Testing a network or an ABNN: quality, calibration and OOD detection."""

import json
import os
from collections.abc import Mapping

from mmengine.config import Config
from mmengine.dist import is_main_process

from .command_line import check_segmentor, is_classifier
from .config_parts import type_name
from .runner import build_test_runner

METRICS_FILE = 'metrics.json'
REPORT_FOLDER = 'report'
_METRICS = ('UncertaintyMetric', 'ClassificationUncertaintyMetric')


def test(cfg: Config, checkpoint: str, predictions: str | None = None) -> dict[str, float]:
    """Test a checkpoint, and write what was measured to ``<work_dir>/metrics.json``.

    Args:
        cfg: A complete config with ``work_dir``. Its uncertainty metrics write their reports to
            ``<work_dir>/report``, unless it says where.
        checkpoint: The network's checkpoint, or an ABNN's with its members.
        predictions: The folder to save predictions and score maps of a segmentor to; None: they
            are not saved.

    Returns:
        The numbers of all metrics, by name.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        ValueError: If the checkpoint does not fit the model, or ``predictions`` is given and the
            config has no ``UncertaintyMetric``.
    """
    _direct_output(cfg, predictions)
    runner = build_test_runner(cfg, checkpoint)
    metrics: dict[str, float] = runner.test()
    if is_main_process():
        # to TensorBoard, WandB and whatever else the config's visualizer writes to
        runner.visualizer.add_scalars({f'test/{name}': v for name, v in metrics.items()})
        print(f'Metrics: {write_metrics(cfg.work_dir, metrics)}')
    return metrics


def write_metrics(work_dir: str, metrics: Mapping[str, float]) -> str:
    """Write the numbers of a test; return the file."""
    os.makedirs(work_dir, exist_ok=True)
    path = os.path.join(work_dir, METRICS_FILE)
    with open(path, 'w', encoding='utf-8') as file:
        json.dump(metrics, file, indent=2, default=float)  # NumPy numbers of other metrics
    return path


def show_pictures(
    cfg: Config, folder: str | None = None, window: bool = False, wait_time: float = 2
) -> None:
    """Switch the config's visualization hook on, in place.

    Args:
        cfg: A complete config.
        folder: The folder to save the pictures to, in place of that of the visualizer.
        window: Show them in a window.
        wait_time: How long it shows one, in seconds.

    Raises:
        ValueError: If the config has no such hook.
    """
    hook = (cfg.get('default_hooks') or {}).get('visualization')
    if hook is None:
        raise ValueError(
            '--show and --show-dir need a visualization hook in `default_hooks`, for instance '
            "visualization=dict(type='UncertaintyVisualizationHook')"
        )
    classifier = is_classifier(cfg)  # with MMPretrain's hook
    hook['enable' if classifier else 'draw'] = True
    if classifier:
        hook.setdefault('interval', 1)
    if window:
        hook.show = True
        hook.wait_time = wait_time
    if folder and classifier:
        hook.out_dir = folder
    elif folder:
        cfg.visualizer.save_dir = folder


def _direct_output(cfg: Config, predictions: str | None) -> None:
    """Tell the config's uncertainty metrics where to write, in place."""
    evaluators = cfg.test_evaluator
    metrics = evaluators if isinstance(evaluators, list) else [evaluators]
    ours = [metric for metric in metrics if type_name(metric) in _METRICS]
    if predictions is not None:
        check_segmentor(cfg, '--out')
        if 'UncertaintyMetric' not in map(type_name, ours):
            raise ValueError("--out needs dict(type='UncertaintyMetric') in `test_evaluator`")
    for index, metric in enumerate(ours):
        if predictions is not None and type_name(metric) == 'UncertaintyMetric':
            metric.output_dir = predictions
        if metric.get('report_dir') is None:
            name = REPORT_FOLDER if len(ours) == 1 else f'{REPORT_FOLDER}_{index}'
            metric.report_dir = os.path.join(cfg.work_dir, name)
