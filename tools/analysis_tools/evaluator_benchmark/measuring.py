"""Time and memory of a contender, in a process of its own."""

import ctypes
import gc
import math
import multiprocessing
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import torch

from .contenders import CONTENDERS, Row
from .score_maps import Maps

MB = 2**20
PRELOAD = ['mmseg_abnn', 'matplotlib.figure', 'prettytable', 'sklearn.metrics', 'torchmetrics']


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
            del maps  # before the next one is read


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
