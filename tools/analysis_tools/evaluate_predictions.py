"""Measure predictions that were saved to files, with the labels of a config's test set.

The folder holds, for each image, what the MUAD challenge takes (<image>.pth with 'conf' and
'pred'), what `tools/test.py --out` writes (<image>_pred.png and <image>_<score>.npy), or score maps
alone (<image>.npy or <image>.png). Sub-folders as tools/test.py makes them are found.
"""

import argparse
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.utils import track_iter_progress
from mmseg.registry import DATASETS, METRICS

import mmseg_abnn  # noqa: F401  registers what configs name
from mmseg_abnn.apis import add_common_arguments, load_config, write_metrics
from mmseg_abnn.apis.config_parts import type_name
from mmseg_abnn.evaluation.saved_predictions import find_saved, read_saved

_NAMED = 3  # images that an error names


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
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


def find_all(dataset: Any, folder: Path) -> list[Path]:
    """Find the files of every image, before any is read."""
    paths, missing = [], []
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        path = find_saved(folder, info['img_path'], info.get('split'))
        if path is None:
            missing.append(info['img_path'])
        else:
            paths.append(path)
    if missing:
        raise FileNotFoundError(
            f'{folder} holds no prediction of {len(missing)} of {len(dataset)} images: '
            f'{", ".join(missing[:_NAMED])}' + (', ...' if len(missing) > _NAMED else '')
        )
    return paths


def main() -> None:
    """Measure."""
    args = parse_args()
    cfg = load_config(args)
    folder = Path(args.predictions)
    if not folder.is_dir():
        raise FileNotFoundError(f'there is no folder {folder}')
    init_default_scope('mmseg')
    keep_annotations_only(cfg.test_dataloader.dataset)
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    metric = build_metric(cfg, args)
    metric.dataset_meta = dataset.metainfo
    paths = find_all(dataset, folder)
    for index in track_iter_progress(range(len(dataset))):
        info = dataset[index]
        sample = read_saved(paths[index], args.scores)
        sample['gt_sem_seg'] = {'data': torch.as_tensor(info['gt_seg_map'])}
        sample |= {key: info[key] for key in ('img_path', 'split') if key in info}
        metric.process(None, [sample])
    metrics = metric.evaluate(len(dataset))
    print(f'\nMetrics: {write_metrics(cfg.work_dir, metrics)}')


if __name__ == '__main__':
    main()
