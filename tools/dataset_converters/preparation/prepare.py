"""All steps of preparing a benchmark, in their order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mmengine.utils import ProgressBar

from .checking import check_files, settle_broken
from .description import Benchmark
from .plan import ASIDE, make_plan
from .report import describe, find_problems, missing_splits
from .sources import find_sources
from .summary import (
    MANIFEST,
    find_list_problems,
    split_by_content,
    write_lists,
    write_manifest,
)
from .writing import check_space, write_files


def prepare(
    benchmark: Benchmark,
    sources: Sequence[Path],
    out: Path,
    *,
    dry_run: bool = False,
    skip_broken: bool = False,
    partial: bool = False,
    workers: int | None = None,
) -> None:
    """Bring a downloaded benchmark into the form that its dataset class reads.

    Args:
        benchmark: Which one.
        sources: Archives, and folders of archives or of unpacked files.
        out: Folder to write to; may be one of the sources.
        dry_run: Only say what would be done.
        skip_broken: Set broken pairs aside instead of raising.
        partial: Whether a split may hold another number of images than was published.
        workers: Number of threads that open files; None lets Python choose.

    Raises:
        ValueError: If an argument is not allowed, or the data are damaged or do not fit together.
        OSError: If files cannot be found or written.
    """
    if workers is not None and workers < 1:
        raise ValueError(f'`workers` must be >= 1, got {workers}')
    if out.exists() and not out.is_dir():
        raise FileExistsError(f'{out} is a file')
    plan = make_plan(benchmark, find_sources(sources, without=out / ASIDE), out)
    print(describe(plan))
    problems = find_problems(plan, partial)
    if problems:
        raise ValueError('; '.join(problems))
    check_space(plan)
    if dry_run:
        return

    # it says that all is well, so it goes first and comes last
    (out / MANIFEST).unlink(missing_ok=True)
    if plan.to_write:
        out.mkdir(parents=True, exist_ok=True)
        bar = ProgressBar(len(plan.to_write))
        for _ in write_files(plan):
            bar.update()
        print()
    print('opening every file:')
    right, wrong = check_files(plan, workers)
    settle_broken(plan, wrong, skip_broken)
    if not right:
        raise ValueError(f'no pair in {out} is right')

    lists = split_by_content(benchmark, right)
    if not (partial or wrong or missing_splits(plan)):
        problems = find_list_problems(benchmark.content_splits, lists)
        if problems:
            raise ValueError('; '.join(problems))
    write_lists(out, lists)
    write_manifest(plan, right, wrong, lists)
    aside = f'; {len(wrong)} broken pairs are set aside in {out / ASIDE}' if wrong else ''
    print(f'{len(right)} pairs are ready in {out}{aside}')
