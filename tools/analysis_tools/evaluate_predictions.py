"""Measure predictions that were saved to files, with the labels of a config's test set.

The folder holds, for each image, what the MUAD challenge takes (<image>.pth with 'conf' and
'pred'), what `tools/test.py --out` writes (<image>_pred.png and <image>_<score>.npy or .png), or
score maps alone (<image>.npy or <image>.png). <image> is the path of the image below its data set,
without suffix; or [<split>/][<folder of the image>/]<image>, if no two images have it in common.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.utils import track_iter_progress
from mmseg.registry import DATASETS, METRICS

import mmseg_abnn  # noqa: F401  registers what configs name
from mmseg_abnn.apis import CommandParser, add_common_arguments, load_config, save_metrics
from mmseg_abnn.apis.config_parts import type_name
from mmseg_abnn.apis.data_checks import check_test_data
from mmseg_abnn.datasets.hidden_labels import check_labels_exist
from mmseg_abnn.datasets.output_names import dataset_output_names
from mmseg_abnn.evaluation.saved_predictions import find_predictions, read_saved
from mmseg_abnn.messages import located


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = CommandParser(description=__doc__)
    parser.add_argument('config', help='the config file, for its test set and its metric')
    parser.add_argument('predictions', help='the folder of the predictions')
    parser.add_argument(
        '--scores', nargs='+', default=['msp'], help='the scores to measure, high where OOD'
    )
    add_common_arguments(parser)
    return parser.parse_args()


def keep_annotations_only(dataset: Any) -> None:
    """Leave out of a dataset's pipelines whatever does not load labels, in place."""
    if 'datasets' in dataset or 'dataset' in dataset:  # a wrapper
        for part in dataset.get('datasets', [dataset.get('dataset')]):
            keep_annotations_only(part)
        return
    kept = [step for step in dataset.get('pipeline', []) if 'Annotations' in type_name(step)]
    if not kept:
        raise ValueError("the pipeline of the config's test set loads no annotations")
    dataset['pipeline'] = kept


def build_metric(cfg: Config, args: argparse.Namespace) -> Any:
    """Build the config's UncertaintyMetric, or one with default settings."""
    evaluators = cfg.get('test_evaluator') or []
    evaluators = evaluators if isinstance(evaluators, list) else [evaluators]
    found = [metric for metric in evaluators if type_name(metric) == 'UncertaintyMetric']
    settings = dict(found[0]) if found else dict(type='UncertaintyMetric')
    settings |= dict(scores=args.scores, report_dir=cfg.work_dir, output_dir=None)
    return METRICS.build(settings)


def find_all(dataset: Any, folder: Path, scores: Sequence[str]) -> list[Path]:
    """Find the files of every image, before any is read."""
    infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    images = [(info['img_path'], info.get('split')) for info in infos]
    return find_predictions(folder, images, dataset_output_names(dataset), scores)


def main() -> None:
    """Measure."""
    args = parse_args()
    cfg = load_config(args, analysis='evaluate_predictions')
    folder = Path(args.predictions)
    if not folder.is_dir():
        raise FileNotFoundError(f'there is no folder {located(folder)}')
    init_default_scope('mmseg')
    keep_annotations_only(cfg.test_dataloader.dataset)
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    check_test_data(dataset)
    metric = build_metric(cfg, args)
    metric.dataset_meta = dataset.metainfo
    if not check_labels_exist(dataset):
        raise ValueError("the config's test set has no labels to measure predictions with")
    paths = find_all(dataset, folder, args.scores)
    for index in track_iter_progress(range(len(dataset))):
        info = dataset[index]
        if 'gt_seg_map' not in info:
            raise ValueError(f'{info["img_path"]} has no label to measure its prediction with')
        sample = read_saved(paths[index], args.scores)
        sample['gt_sem_seg'] = {'data': torch.as_tensor(info['gt_seg_map'])}
        sample |= {key: info[key] for key in ('img_path', 'seg_map_path', 'split') if key in info}
        metric.process(None, [sample])
    metrics = metric.evaluate(len(dataset))
    print()
    save_metrics(cfg.work_dir, metrics)


if __name__ == '__main__':
    main()
