"""Pixels per second and peak memory of pixel-level OOD evaluation, beside other libraries.

AUROC, average precision (AUPR) and FPR95, pooled over a growing number of images; and 'everything':
beside that the same metrics of each image, exactly, and its calibration error.

The maps are synthetic and depend on the seed alone. Random logits of 19 classes on a coarse grid
are upsampled bicubically to a quarter of the image's size, get a little noise and are upsampled
bilinearly, as a segmentation network does; their scale gives a median confidence of about 0.99.
One to three ellipses or rectangles, 2 % of the pixels, are OOD: the logits are flattened there.
A prediction is right with the probability of its confidence, and wrong in OOD regions. Every image
is rendered, none is used twice; the maps lie in files below --out, 10 bytes per pixel, that are
removed at the end.

The contenders take turns, each in a fresh process that gets one image after the other. The time is
that of the contender, without reading and rendering. The memory is the growth of the process' peak
over its level after imports and a warm-up on a quarter of an image. torchmetrics runs with
validate_args=False and one state for its three metrics, which is its faster setting. Up to 10
images the medians of --repeats rounds are reported; above there is one round. A contender is left
out where, by its last two sizes, it would take more than --max-seconds or the memory available.
PyTorch's threads wait for each other: on a machine that does other work its times are useless,
unless there is one of them (--threads 1).
"""

import argparse
import json
import math
import os
import platform
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import torch

from evaluator_benchmark import contenders, measuring, report, score_maps
from mmseg_abnn import __version__

SIZES = [1, 2, 5, 10, 20, 50, 100, 200]
MANY = 10  # above this number of images there is one round


def run(args: argparse.Namespace, folder: Path) -> list[contenders.Row]:
    """Run all contenders at all sizes; what scikit-learn gives at a size is the reference there."""
    rows: list[contenders.Row] = []
    done: dict[str, list[contenders.Row]] = {name: [] for name in args.contenders}
    for images in args.sizes:
        here: dict[str, contenders.Row] = {
            name: {'images': images, 'contender': name} for name in args.contenders
        }
        for name, row in here.items():
            absent = name.startswith('torchmetrics') and find_spec('torchmetrics') is None
            reason = measuring.forecast(done[name], images, args.max_seconds)
            row |= {'not_run': 'torchmetrics is not installed' if absent else reason, 'rounds': []}
        for _ in range(args.repeats if images <= MANY else 1):
            for name, row in here.items():
                if not row['not_run']:
                    print(f'{images} images, {name} ...', file=sys.stderr, flush=True)
                    found = measuring.in_a_fresh_process(name, folder, images, args.threads)
                    row |= {key: found[key] for key in found.keys() & {'values', 'not_run'}}
                    row['rounds'].append(found)
        for name, row in here.items():
            if not row['not_run']:
                for key in ('seconds', 'peak_mb'):
                    row[key] = [found[key] for found in row['rounds']]
                    row[f'median_{key}'] = median(row[key])
                megapixels = images * math.prod(args.image_size) / 1e6
                row['megapixels_per_second'] = megapixels / row['median_seconds']
                done[name].append(row)
            del row['rounds']
        for name, row in here.items():
            other = here.get(contenders.reference(name))
            if other and not (row['not_run'] or other['not_run']):
                row |= report.compare(row, other)
        rows += here.values()
    return rows


def environment() -> contenders.Row:
    """Return what the figures depend on."""
    packages = ['numpy', 'torch', 'scikit-learn']
    packages += ['torchmetrics'] if find_spec('torchmetrics') else []
    return {
        'python': platform.python_version(),
        'platform': platform.platform(),
        'cpus': os.cpu_count(),
        'memory_mb': measuring.linux_memory('MemTotal', '/proc/meminfo') / measuring.MB,
        'packages': {'mmseg_abnn': __version__, **{name: version(name) for name in packages}},
    }


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--out', type=Path, default=Path('work_dirs/benchmark_evaluator'))
    parser.add_argument('--sizes', type=int, nargs='+', default=SIZES, help='numbers of images')
    parser.add_argument('--image-size', type=int, nargs=2, default=[720, 1280], metavar=('H', 'W'))
    names = list(contenders.CONTENDERS)
    parser.add_argument(
        '--contenders', nargs='+', choices=names, default=names, help='run these only'
    )
    parser.add_argument('--score', choices=['msp', 'entropy'], default='msp')
    parser.add_argument('--repeats', type=int, default=3, help=f'rounds, up to {MANY} images')
    threads = torch.get_num_threads()
    parser.add_argument('--threads', type=int, default=threads, help='of PyTorch')
    parser.add_argument('--seed', type=int, default=0, help='of the maps')
    parser.add_argument(
        '--max-seconds', type=float, default=150, help='leave out what would take longer'
    )
    parser.add_argument('--quick', action='store_true', help='a test: small, one round')
    args = parser.parse_args()
    if args.quick:
        args.sizes, args.image_size, args.repeats = [1, 2], [180, 320], 1
    for name, values, low in (
        ('--sizes', args.sizes, 1),
        ('--image-size', args.image_size, 64),
        ('--repeats', [args.repeats], 1),
        ('--threads', [args.threads], 1),
        ('--seed', [args.seed], 0),
    ):
        if min(values) < low:
            parser.error(f'{name} must be at least {low}, got {min(values)}')
    args.sizes = sorted(set(args.sizes))
    return args


def main() -> None:
    """Render, measure, write."""
    args = parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=args.out) as name:
        folder, confidence = Path(name), []
        for index in range(max(args.sizes)):
            maps = score_maps.render(index, args.image_size, args.seed, args.score)
            confidence.append(float(np.median(maps.confidence)))
            for kind, array in maps._asdict().items():
                np.save(folder / f'{index}_{kind}.npy', array)
        rows = run(args, folder)
    settings = {**vars(args), 'out': str(args.out), 'median_confidence': median(confidence)}
    facts = {'settings': settings, 'environment': environment()}
    (args.out / 'benchmark.json').write_text(json.dumps({**facts, 'results': rows}, indent=2))
    lines = [report.COLUMNS, ['---'] * len(report.COLUMNS), *(report.cells(row) for row in rows)]
    page = ''.join(f'| {" | ".join(line)} |\n' for line in lines)
    measured = '\n'.join(
        f'{key}: {value}' for part in facts.values() for key, value in part.items()
    )
    text = f'# Evaluation\n\n{page}\n{report.NOTES}\n\n```\n{measured}\n```\n'
    (args.out / 'benchmark.md').write_text(text)
    report.figure(rows).savefig(args.out / 'benchmark.png', dpi=130)
    print(f'{report.text_table(rows)}\n{report.NOTES}\n\n{measured}\n')
    print(f'written to {args.out}: benchmark.md, benchmark.json, benchmark.png')


if __name__ == '__main__':
    main()
