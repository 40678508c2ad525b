"""Test a deterministic network or an ABNN: quality, calibration and OOD detection."""

import argparse
import json
import os

from mmengine.config import Config
from mmengine.dist import is_main_process

import mmseg_abnn  # noqa: F401  registers what configs name
from mmseg_abnn.apis import (
    add_common_arguments,
    build_test_runner,
    check_segmentor,
    enable_tta,
    is_classifier,
    load_config,
)

METRICS_FILE = 'metrics.json'
REPORT_FOLDER = 'report'
METRICS = ('UncertaintyMetric', 'ClassificationUncertaintyMetric')


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='the config file')
    parser.add_argument('checkpoint', help='the checkpoint file; of an ABNN its abnn.pth')
    add_common_arguments(parser)
    parser.add_argument('--out', help='the folder to save predictions and score maps to')
    parser.add_argument('--show', action='store_true', help='show the predictions in a window')
    parser.add_argument('--show-dir', help='the folder to save pictures of the predictions to')
    parser.add_argument(
        '--wait-time', type=float, default=2, help='how long --show shows a picture, in seconds'
    )
    parser.add_argument('--tta', action='store_true', help='test-time augmentation')
    return parser.parse_args()


def enable_pictures(cfg: Config, args: argparse.Namespace) -> None:
    """Switch the config's visualization hook on, in place."""
    hook = cfg.get('default_hooks', {}).get('visualization')
    if hook is None:
        raise ValueError(
            '--show and --show-dir need a visualization hook in `default_hooks`, for instance '
            "visualization=dict(type='UncertaintyVisualizationHook')"
        )
    classifier = is_classifier(cfg)  # with MMPretrain's hook
    hook['enable' if classifier else 'draw'] = True
    if classifier:
        hook.setdefault('interval', 1)
    if args.show:
        hook.show = True
        hook.wait_time = args.wait_time
    if args.show_dir and classifier:
        hook.out_dir = args.show_dir
    elif args.show_dir:
        cfg.visualizer.save_dir = args.show_dir


def direct_output(cfg: Config, predictions: str | None) -> None:
    """Tell the config's uncertainty metrics where to write, in place."""
    evaluators = cfg.test_evaluator
    metrics = evaluators if isinstance(evaluators, list) else [evaluators]
    named = {kind: [m for m in metrics if m.get('type') == kind] for kind in METRICS}
    if predictions is not None:
        check_segmentor(cfg, '--out')
    if predictions is not None and not named['UncertaintyMetric']:
        raise ValueError("--out needs dict(type='UncertaintyMetric') in `test_evaluator`")
    for metric in named['UncertaintyMetric']:
        if predictions is not None:
            metric.output_dir = predictions
    ours = [metric for found in named.values() for metric in found]
    for index, metric in enumerate(ours):
        if metric.get('report_dir') is None:
            name = REPORT_FOLDER if len(ours) == 1 else f'{REPORT_FOLDER}_{index}'
            metric.report_dir = os.path.join(cfg.work_dir, name)


def main() -> None:
    """Test."""
    args = parse_args()
    cfg = load_config(args)
    if args.show or args.show_dir:
        enable_pictures(cfg, args)
    if args.tta:
        enable_tta(cfg)
    direct_output(cfg, args.out)
    runner = build_test_runner(cfg, args.checkpoint)
    metrics = runner.test()
    if is_main_process():
        # to TensorBoard, WandB and whatever else the config's visualizer writes to
        runner.visualizer.add_scalars({f'test/{name}': v for name, v in metrics.items()})
        os.makedirs(cfg.work_dir, exist_ok=True)
        path = os.path.join(cfg.work_dir, METRICS_FILE)
        with open(path, 'w', encoding='utf-8') as file:
            json.dump(metrics, file, indent=2, default=float)  # NumPy numbers of other metrics
        print(f'Metrics: {path}')


if __name__ == '__main__':
    main()
