"""How fast the dataset classes read, beside MMSegmentation's plain BaseSegDataset.

Renders a small MUAD, StreetHazards and BDD-Anomaly, reads every sample of the training split by
both classes in turns (image and label, decoded, mapped and packed), and prints the median times.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS
from prettytable import PrettyTable

from mmseg_abnn.datasets import BDDAnomalyDataset, MUADDataset, OODSegDataset, StreetHazardsDataset
from mmseg_abnn.datasets.file_checks import pair_files
from mmseg_abnn.datasets.odgt import write_odgt

RENDERER = Path(__file__).resolve().parents[1] / 'dataset_converters' / 'mini_streets.py'
CLASSES: dict[str, Callable[..., OODSegDataset]] = {
    'muad': MUADDataset,
    'street_hazards': StreetHazardsDataset,
    'bdd_anomaly': BDDAnomalyDataset,
}


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument('--images', type=int, default=8, help='number of images of each dataset')
    parser.add_argument('--rounds', type=int, default=7, help='how often each class reads all')
    parser.add_argument(
        '--size', type=int, nargs=2, default=(720, 1280), metavar=('H', 'W'), help='image size'
    )
    args = parser.parse_args()
    if args.images < 1 or args.rounds < 1:
        parser.error('--images and --rounds must be at least 1')
    return args


def render(root: Path, name: str, images: int, size: tuple[int, int]) -> None:
    """Render the training split of a benchmark."""
    arguments = ['--format', name, '--train', images, '--val', 0, '--test-id', 0, '--test-ood', 0]
    command = [sys.executable, RENDERER, root, *arguments, '--size', *size]
    subprocess.run([str(part) for part in command], check=True)
    if name == 'bdd_anomaly':
        folder, labels = (root / f'seg/{kind}/train' for kind in ('images', 'train_labels'))
        pairs = pair_files(folder, labels, '.jpg', '_train_id.png')
        write_odgt(root / 'lpbnn_train.odgt', pairs, root)


def both_readers(root: Path, name: str) -> tuple[Any, OODSegDataset]:
    """Return MMSegmentation's dataset and ours of the same files."""

    def pipeline(load_labels: str) -> list[dict]:
        return [dict(type='LoadImageFromFile'), dict(type=load_labels), dict(type='PackSegInputs')]

    ours = CLASSES[name](
        data_root=str(root), split='train', pipeline=pipeline('LoadOODAnnotations')
    )
    prefix = dict(ours.data_prefix)
    if name == 'bdd_anomaly':
        prefix = dict(
            img_path=str(root / 'seg/images/train'),
            seg_map_path=str(root / 'seg/train_labels/train'),
        )
    plain = DATASETS.get('BaseSegDataset')(
        data_prefix=prefix,
        img_suffix=ours.img_suffix,
        seg_map_suffix=ours.seg_map_suffix,
        metainfo=dict(classes=('any',)),
        reduce_zero_label=False,
        pipeline=pipeline('LoadAnnotations'),
    )
    return plain, ours


def main() -> None:
    """Measure."""
    args = parse_args()
    init_default_scope('mmseg')
    table = PrettyTable(['dataset', 'BaseSegDataset', 'ours', 'images/s, ours / BaseSegDataset'])
    for name in CLASSES:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder) / name
            render(root, name, args.images, tuple(args.size))
            readers = both_readers(root, name)
            seconds: list[list[float]] = [[], []]
            for _ in range(args.rounds):
                for reader, times in zip(readers, seconds, strict=True):
                    if len(reader) != args.images:
                        raise RuntimeError(f'{len(reader)} samples, expected {args.images}')
                    start = time.perf_counter()
                    for index in range(args.images):
                        reader[index]
                    times.append((time.perf_counter() - start) / args.images)
        plain, ours = map(median, seconds)
        row = [f'{1e3 * plain:.1f} ms', f'{1e3 * ours:.1f} ms', f'{plain / ours:.2f}']
        table.add_row([name, *row])
    height, width = args.size
    print(f'median time per image of {width}x{height} pixels, {args.rounds} rounds\n{table}')


if __name__ == '__main__':
    main()
