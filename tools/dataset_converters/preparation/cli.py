"""The command line of the tools that prepare benchmarks."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from .description import Benchmark
from .plan import ASIDE
from .prepare import prepare


def main(benchmark: Benchmark, arguments: Sequence[str] | None = None) -> int:
    """Prepare a benchmark as the command line says.

    Args:
        benchmark: Which one.
        arguments: The arguments; default: those of the process.

    Returns:
        The exit status.
    """
    args = _parse(benchmark, arguments)
    try:
        prepare(
            benchmark,
            args.sources,
            args.out,
            dry_run=args.dry_run,
            skip_broken=args.skip_broken,
            partial=args.partial,
            workers=args.workers,
        )
    except (ValueError, OSError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    return 0


def _parse(benchmark: Benchmark, arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=f'Unpack and check {benchmark.title}. Files that are there already are kept: '
        'after an interruption, run it again.',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        'sources',
        type=Path,
        nargs='+',
        metavar='SOURCE',
        help='an archive (.tar, .tar.gz, .tgz, .tar.bz2, .tar.xz, .zip), or a folder with '
        'archives or unpacked files',
    )
    parser.add_argument(
        '--out', type=Path, default=Path('data', benchmark.name), help='folder to write to'
    )
    parser.add_argument('--dry-run', action='store_true', help='only say what would be done')
    parser.add_argument(
        '--skip-broken',
        action='store_true',
        help=f'move broken images and labels to OUT/{ASIDE} instead of giving up',
    )
    parser.add_argument(
        '--partial',
        action='store_true',
        help='accept other numbers of images than were published',
    )
    parser.add_argument(
        '--workers', type=int, default=os.cpu_count() or 1, help='threads that open files'
    )
    return parser.parse_args(arguments)
