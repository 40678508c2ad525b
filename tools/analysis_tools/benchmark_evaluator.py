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
import ctypes
import gc
import importlib
import json
import math
import multiprocessing
import os
import platform
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from statistics import fmean, median
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from prettytable import PrettyTable
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve
from torch.nn.functional import interpolate

from mmseg_abnn.evaluation.functional import (
    ScoreHistogram,
    detection_metrics,
    expected_calibration_error,
    predictive_entropy,
    top_probability,
)

SIZES = [1, 2, 5, 10, 20, 50, 100, 200]
MANY = 10  # above this number of images there is one round
RECALL = 0.95
METRICS = ('AUROC', 'AUPR', 'FPR95')
ECE_BINS = 15
THRESHOLDS = 200  # of torchmetrics, evenly spaced
PERCENTILES = 1000
NUM_CLASSES = 19
COARSE_GRID = (6, 10)
LOGIT_SCALE = 14.5
OOD_SHARE = 0.02
MB = 2**20
PRELOAD = ['mmseg_abnn', 'matplotlib.figure', 'prettytable', 'sklearn.metrics', 'torchmetrics']
Row = dict[str, Any]


class Maps(NamedTuple):
    """What an evaluator gets of an image, each of shape (H * W,)."""

    scores: np.ndarray  # float32
    positives: np.ndarray  # bool
    confidence: np.ndarray  # float32
    correct: np.ndarray  # bool


def render(index: int, size: tuple[int, int], seed: int, score: str) -> Maps:
    """Render the maps of an image, see the module's text."""
    height, width = size
    generator = torch.Generator().manual_seed(seed * 1_000_003 + index)
    coarse = torch.randn(1, NUM_CLASSES, *COARSE_GRID, generator=generator)
    logits = LOGIT_SCALE * interpolate(coarse, (height // 4, width // 4), mode='bicubic')
    logits += 0.3 * torch.randn(logits.shape, generator=generator)
    count = 1 + index % 3
    places = torch.rand(count, 3, generator=generator).tolist()
    flattened = 0.1 + 0.3 * float(torch.rand(1, generator=generator))

    def ood(rows: int, columns: int) -> torch.Tensor:
        y, x = ((torch.arange(n) + 0.5) / n for n in (rows, columns))
        inside = torch.zeros(rows, columns, dtype=torch.bool)
        for number, (top, left, aspect) in enumerate(places):
            ellipse = (index + number) % 2 == 0
            axis = math.sqrt(OOD_SHARE / count / (math.pi if ellipse else 4))
            dy = (y - 0.2 - 0.6 * top).abs()[:, None] / (axis * (0.5 + aspect))
            dx = (x - 0.2 - 0.6 * left).abs() / (axis / (0.5 + aspect))
            inside |= (dy**2 + dx**2 < 1) if ellipse else (dy < 1) & (dx < 1)
        return inside

    logits = torch.where(ood(height // 4, width // 4), flattened * logits, logits)
    logits = interpolate(logits, (height, width), mode='bilinear')[0]
    confidence = top_probability(logits)
    scores = 1 - confidence if score == 'msp' else predictive_entropy(logits)
    positives = ood(height, width)
    correct = (torch.rand(height, width, generator=generator) < confidence) & ~positives
    arrays = (scores, positives, confidence, correct)
    return Maps(*(array.flatten().numpy() for array in arrays))


class Reader:
    """Reads one image after the other into memory of its own, and notes the time it takes."""

    def __init__(self, folder: Path, images: int) -> None:
        self.folder, self.images, self.seconds = folder, images, 0.0

    def __iter__(self) -> Iterator[Maps]:
        for index in range(self.images):
            start = time.perf_counter()
            maps = Maps(*(np.load(self.folder / f'{index}_{name}.npy') for name in Maps._fields))
            self.seconds += time.perf_counter() - start
            yield maps


def ours_pooled(images: Iterable[Maps]) -> Row:
    """Count in a ScoreHistogram."""
    histogram = ScoreHistogram()
    for maps in images:
        histogram.update(maps.scores, maps.positives)
    return histogram.compute(recall=RECALL)


def first_fpr(fpr: Any, tpr: Any) -> float:
    """Return the false-positive rate at the highest threshold that reaches the recall."""
    return float(fpr[np.argmax(np.asarray(tpr) >= RECALL)])


def sklearn_metrics(scores: np.ndarray, positives: np.ndarray) -> Row:
    """Compute METRICS by scikit-learn."""
    fpr, tpr, _ = roc_curve(positives, scores, drop_intermediate=False)
    return {
        'AUROC': float(roc_auc_score(positives, scores)),
        'AUPR': float(average_precision_score(positives, scores)),
        'FPR95': first_fpr(fpr, tpr),
    }


def sklearn_pooled(images: Iterable[Maps]) -> Row:
    """Keep all pixels, then compute."""
    kept = [(maps.scores, maps.positives) for maps in images]
    scores, positives = (np.concatenate(column) for column in zip(*kept, strict=True))
    kept.clear()
    return sklearn_metrics(scores, positives)


def torchmetrics_pooled(images: Iterable[Maps], thresholds: int | None) -> Row:
    """Update the three metrics of torchmetrics with each image."""
    module: Any = importlib.import_module('torchmetrics.classification')
    collection: Any = importlib.import_module('torchmetrics').MetricCollection
    kinds = {'roc': module.BinaryROC, 'AUROC': module.BinaryAUROC}
    kinds['AUPR'] = module.BinaryAveragePrecision
    made = {name: kind(thresholds=thresholds, validate_args=False) for name, kind in kinds.items()}
    metrics = collection(made, compute_groups=[list(made)])
    for maps in images:
        scores = torch.from_numpy(maps.scores)
        if maps.scores.max() > 1:  # an entropy: a sigmoid would be applied to it
            scores = scores / math.log(NUM_CLASSES)
        metrics.update(scores, torch.from_numpy(maps.positives))
    found = metrics.compute()
    areas = {name: float(found[name]) for name in ('AUROC', 'AUPR')}
    return {**areas, 'FPR95': first_fpr(*found['roc'][:2])}


def percentile_bins(images: Iterable[Maps]) -> Row:
    """Count in bins between the percentiles of the first image, as if a bin's scores were equal."""
    edges, counts = np.empty(0), np.empty((2, 0), np.int64)
    for number, (scores, positives, *_) in enumerate(images):
        if number == 0:
            percentiles = np.percentile(scores, np.linspace(0, 100, PERCENTILES + 1))
            edges = np.unique(percentiles.astype(scores.dtype))
            counts = np.zeros((2, len(edges) + 1), np.int64)  # of all pixels, of positives
        bins = np.searchsorted(edges, scores, side='right')
        found = (np.bincount(kept, minlength=len(edges) + 1) for kept in (bins, bins[positives]))
        counts += np.stack(list(found))
    total, tp = np.cumsum(counts[:, ::-1], axis=1)
    total, tp = total[total > 0], tp[total > 0]
    tpr, fpr = tp / tp[-1], (total - tp) / (total - tp)[-1]
    return {
        'AUROC': float(np.sum(np.diff(fpr, prepend=0) * (tpr + np.append(0, tpr[:-1])) / 2)),
        'AUPR': float(np.sum(np.diff(tpr, prepend=0) * tp / total)),
        'FPR95': first_fpr(fpr, tpr),
    }


def ours_of_an_image(maps: Maps) -> Row:
    """Return METRICS and the calibration error of an image."""
    metrics = detection_metrics(maps.scores, maps.positives, recall=RECALL)
    ece = expected_calibration_error(maps.confidence, maps.correct, ECE_BINS)
    return {**dict(zip(METRICS, metrics, strict=True)), 'ECE': ece}


def sklearn_of_an_image(maps: Maps) -> Row:
    """Do the same with scikit-learn, and a loop over bins for the calibration error."""
    edges, ece = np.linspace(0, 1, ECE_BINS + 1), 0.0
    for low, high in pairwise(edges):
        inside = (maps.confidence > low) & (maps.confidence <= high)
        if inside.any():
            gap = maps.correct[inside].mean() - maps.confidence[inside].mean(dtype=np.float64)
            ece += abs(gap) * inside.mean()
    return {**sklearn_metrics(maps.scores, maps.positives), 'ECE': float(ece)}


def everything(
    images: Iterable[Maps], of_an_image: Callable[[Maps], Row], pooled: Callable[..., Row]
) -> Row:
    """Measure each image, and all pixels; the means over images stand beside the rest."""
    rows: list[Row] = []

    def measured() -> Iterator[Maps]:
        for maps in images:
            rows.append(of_an_image(maps))
            yield maps

    found = pooled(measured())
    return {**found, 'means': {key: fmean(row[key] for row in rows) for key in rows[0]}}


OURS, SKLEARN = 'ours: ScoreHistogram', 'scikit-learn'
EVERYTHING = 'everything: '
CONTENDERS: dict[str, Callable[[Iterable[Maps]], Row]] = {
    OURS: ours_pooled,
    SKLEARN: sklearn_pooled,
    'torchmetrics, exact': partial(torchmetrics_pooled, thresholds=None),
    f'torchmetrics, {THRESHOLDS} thresholds': partial(torchmetrics_pooled, thresholds=THRESHOLDS),
    f'NumPy, {PERCENTILES} percentile bins': percentile_bins,
    EVERYTHING + 'ours': partial(everything, of_an_image=ours_of_an_image, pooled=ours_pooled),
    EVERYTHING + SKLEARN: partial(
        everything, of_an_image=sklearn_of_an_image, pooled=sklearn_pooled
    ),
}


def linux_memory(key: str, file: str = '/proc/self/status') -> float:
    """Return an entry of a file of Linux's /proc in bytes, NaN if there is none."""
    try:
        lines = Path(file).read_text().splitlines()
    except OSError:
        return math.nan
    return next((1024.0 * int(li.split()[1]) for li in lines if li.startswith(f'{key}:')), math.nan)


def measure(name: str, folder: Path, images: int, threads: int) -> Row:
    """Run a contender in this process; return its values, seconds, and growth of memory."""
    torch.set_num_threads(threads)
    contender = CONTENDERS[name]
    first = next(iter(Reader(folder, 1)))
    contender([Maps(*(array[::4].copy() for array in first))])  # the warm-up
    del first
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)  # give freed memory back, else it would come for free
        Path('/proc/self/clear_refs').write_text('5')  # the peak starts anew
        before = linux_memory('VmRSS')
    except (OSError, AttributeError):
        before = math.nan
    reader = Reader(folder, images)
    start = time.perf_counter()
    values = contender(reader)
    seconds = time.perf_counter() - start - reader.seconds
    # at least a page: there are ratios
    peak_mb = max(linux_memory('VmHWM') - before, 4096) / MB
    return {'seconds': seconds, 'peak_mb': peak_mb, 'values': values}


def in_a_fresh_process(name: str, folder: Path, images: int, threads: int) -> Row:
    """Do :func:`measure` in a child; if that dies or lacks memory, say so as 'not_run'."""
    server = 'forkserver' in multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context('forkserver' if server else 'spawn')
    if server:  # a process that has imported everything, and computed nothing, forks the children
        context.set_forkserver_preload(PRELOAD)
    with ProcessPoolExecutor(1, mp_context=context) as executor:
        try:
            return executor.submit(measure, name, folder, images, threads).result()
        except (BrokenProcessPool, MemoryError) as error:
            return {'not_run': f'out of memory? ({type(error).__name__})'}


def forecast(done: list[Row], images: int, max_seconds: float) -> str:
    """Extrapolate from the last two sizes; return why a contender shall not run, else nothing."""
    if not done:
        return ''
    points = [(row['images'], row['median_seconds'], row['median_peak_mb']) for row in done]
    (n0, seconds0, peak0), (n1, seconds1, peak1) = [(0, 0.0, 0.0), *points][-2:]
    steps = (images - n1) / (n1 - n0)
    seconds = seconds1 + steps * max(seconds1 - seconds0, 0)
    peak_mb = peak1 + steps * max(peak1 - peak0, 0)
    if seconds > max_seconds:
        return f'would take about {seconds:.0f} s'
    available = linux_memory('MemAvailable', '/proc/meminfo') / MB
    return f'would need about {peak_mb / 1024:.1f} GB' if peak_mb > 0.9 * available else ''


def run(args: argparse.Namespace, folder: Path) -> list[Row]:
    """Run all contenders at all sizes; what scikit-learn gives at a size is the reference there."""
    rows: list[Row] = []
    done: dict[str, list[Row]] = {name: [] for name in CONTENDERS}
    for images in args.sizes:
        here: dict[str, Row] = {name: {'images': images, 'contender': name} for name in CONTENDERS}
        for name, row in here.items():
            absent = name.startswith('torchmetrics') and find_spec('torchmetrics') is None
            reason = forecast(done[name], images, args.max_seconds)
            row |= {'not_run': 'torchmetrics is not installed' if absent else reason, 'rounds': []}
        for _ in range(args.repeats if images <= MANY else 1):
            for name, row in here.items():
                if not row['not_run']:
                    print(f'{images} images, {name} ...', file=sys.stderr, flush=True)
                    found = in_a_fresh_process(name, folder, images, args.threads)
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
            other = here[EVERYTHING + SKLEARN if name.startswith(EVERYTHING) else SKLEARN]
            if not (row['not_run'] or other['not_run']):
                row |= compare(row, other)
        rows += here.values()
    return rows


def compare(row: Row, other: Row) -> Row:
    """Return how a contender stands to scikit-learn at the same size."""
    values, truth = row['values'], other['values']
    found: Row = {
        'speedup': other['median_seconds'] / row['median_seconds'],
        'memory_ratio': other['median_peak_mb'] / row['median_peak_mb'],
        'errors': {name: abs(values[name] - truth[name]) for name in METRICS},
    }
    if 'gap' in values:
        bounds = {name: values[f'{name}_bounds'] for name in METRICS}
        found['inside'] = all(low <= truth[name] <= high for name, (low, high) in bounds.items())
    if 'means' in values:
        means = truth['means'].items()
        found['mean_errors'] = {key: abs(values['means'][key] - mean) for key, mean in means}
    return found


COLUMNS = ['images', 'contender', 'seconds', 'Mpx/s', 'speed-up', 'peak MB', 'less memory']
COLUMNS += [*(f'{name} error' for name in METRICS), 'distance of bounds']


NOTES = """\
speed-up, less memory: scikit-learn's seconds and peak memory at the same size, divided by those of
the row; for 'everything', those of 'everything: scikit-learn'. Errors: distance to scikit-learn's
values, in [0, 1]; these lie inside the bounds or OUTSIDE. Peak MB: growth of the process' peak
memory, in 2^20 bytes."""


def cells(row: Row) -> list[str]:
    """Return a row of the table as text."""
    start = [str(row['images']), row['contender']]
    if row['not_run']:
        return [start[0], f'{start[1]} (not run: {row["not_run"]})', *['-'] * (len(COLUMNS) - 2)]
    verdict = {None: '', True: ', inside', False: ', OUTSIDE'}[row.get('inside')]
    return [
        *start,
        f'{row["median_seconds"]:.3f}',
        f'{row["megapixels_per_second"]:.2f}',
        f'{row["speedup"]:.2f}x' if 'speedup' in row else '-',
        f'{row["median_peak_mb"]:.0f}',
        f'{row["memory_ratio"]:.2f}x' if 'memory_ratio' in row else '-',
        *(f'{row["errors"][name]:.1e}' if 'errors' in row else '-' for name in METRICS),
        f'{row["values"]["gap"]:.1e}{verdict}' if 'gap' in row['values'] else '-',
    ]


def text_table(rows: list[Row]) -> str:
    """Return the table for a terminal."""
    table = PrettyTable(COLUMNS, align='r')
    table.align['contender'] = 'l'
    for number, row in enumerate(rows, 1):
        table.add_row(cells(row), divider=number % len(CONTENDERS) == 0)
    return table.get_string()


def figure(rows: list[Row]) -> Figure:
    """Draw speed and memory over the number of images."""
    fig = Figure(figsize=(11, 5.2), layout='constrained')
    panels = fig.subplots(1, 2)
    colors = ['red', 'blue', 'green', 'olive', 'gray', 'red', 'blue']
    for name, color in zip(CONTENDERS, colors, strict=True):
        done = [row for row in rows if row['contender'] == name and not row['not_run']]
        style = '--s' if name.startswith(EVERYTHING) else '-o'
        for axes, key in zip(panels, ('megapixels_per_second', 'median_peak_mb'), strict=True):
            x, y = [row['images'] for row in done], [row[key] for row in done]
            axes.plot(x, y, style, color=f'tab:{color}', label=name, markersize=4)
    sizes = sorted({row['images'] for row in rows})
    for axes, title in zip(panels, ('megapixels per second', 'peak memory in MB'), strict=True):
        axes.set(xscale='log', yscale='log', xlabel='images', title=title)
        axes.set_xticks(sizes, [str(size) for size in sizes])
        axes.set_xticks([], minor=True)
        axes.yaxis.set_major_formatter('{x:g}')
        axes.grid(alpha=0.3)
    fig.legend(*panels[0].get_legend_handles_labels(), loc='outside lower center', ncols=4)
    return fig


def environment() -> Row:
    """Return what the figures depend on."""
    packages = ['mmseg_abnn', 'numpy', 'torch', 'scikit-learn']
    packages += ['torchmetrics'] if find_spec('torchmetrics') else []
    return {
        'python': platform.python_version(),
        'platform': platform.platform(),
        'cpus': os.cpu_count(),
        'memory_mb': linux_memory('MemTotal', '/proc/meminfo') / MB,
        'packages': {name: version(name) for name in packages},
    }


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--out', type=Path, default=Path('work_dirs/benchmark_evaluator'))
    parser.add_argument('--sizes', type=int, nargs='+', default=SIZES, help='numbers of images')
    parser.add_argument('--image-size', type=int, nargs=2, default=[720, 1280], metavar=('H', 'W'))
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
            maps = render(index, args.image_size, args.seed, args.score)
            confidence.append(float(np.median(maps.confidence)))
            for kind, array in maps._asdict().items():
                np.save(folder / f'{index}_{kind}.npy', array)
        rows = run(args, folder)
    settings = {**vars(args), 'out': str(args.out), 'median_confidence': median(confidence)}
    facts = {'settings': settings, 'environment': environment()}
    (args.out / 'benchmark.json').write_text(json.dumps({**facts, 'results': rows}, indent=2))
    lines = [COLUMNS, ['---'] * len(COLUMNS), *(cells(row) for row in rows)]
    page = ''.join(f'| {" | ".join(line)} |\n' for line in lines)
    measured = '\n'.join(
        f'{key}: {value}' for part in facts.values() for key, value in part.items()
    )
    text = f'# Evaluation\n\n{page}\n{NOTES}\n\n```\n{measured}\n```\n'
    (args.out / 'benchmark.md').write_text(text)
    figure(rows).savefig(args.out / 'benchmark.png', dpi=130)
    print(f'{text_table(rows)}\n{NOTES}\n\n{measured}\n')
    print(f'written to {args.out}: benchmark.md, benchmark.json, benchmark.png')


if __name__ == '__main__':
    main()
