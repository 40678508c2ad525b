"""The command line of the renderer."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from mmengine.utils import ProgressBar

from .formats import FORMATS
from .writer import Settings, open_folder, write_images


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Render MiniStreets, in its own format (that of MUAD) or a benchmark's.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument('out', type=Path, help='folder to write to')
    parser.add_argument(
        '--format',
        choices=list(FORMATS),
        default='mini_streets',
        help='folders, file names and ids; in that of a benchmark everything that reads the '
        'benchmark can be tried before it is downloaded',
    )
    parser.add_argument(
        '--size',
        type=int,
        nargs=2,
        default=(128, 256),
        metavar=('H', 'W'),
        help='image size, at least 64 128',
    )
    parser.add_argument('--seed', type=int, default=0, help='another seed gives other images')
    parser.add_argument('--train', type=int, default=600, help='number of training images')
    parser.add_argument('--val', type=int, default=40, help='number of validation images')
    parser.add_argument(
        '--test-id', type=int, default=60, help='number of test images without OOD objects'
    )
    parser.add_argument(
        '--test-ood', type=int, default=60, help='number of test images with OOD objects'
    )
    parser.add_argument(
        '--workers', type=int, default=os.cpu_count() or 1, help='number of processes'
    )
    return parser.parse_args()


def main() -> int:
    """Render what is missing; returns the exit status."""
    args = parse_args()
    try:
        settings = Settings(
            seed=args.seed,
            size=tuple(args.size),
            counts={
                'train': args.train,
                'val': args.val,
                'test_id': args.test_id,
                'test_ood': args.test_ood,
            },
            format=args.format,
        )
        if args.workers < 1:
            raise ValueError(f'`workers` must be >= 1, got {args.workers}')
        missing = open_folder(args.out, settings)
    except (ValueError, OSError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    if not missing:
        print(f'already there: {args.out}')
        return 0
    bar = ProgressBar(len(missing))
    for _ in write_images(args.out, settings, missing, args.workers):
        bar.update()
    print(f'\nwrote {len(missing)} images to {args.out}')
    return 0
