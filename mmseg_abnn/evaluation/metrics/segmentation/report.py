"""Writing what the uncertainty metric found: JSON, rows of images and classes, plots."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from ..common.results import (
    REPORT_FILE,
    Row,
    with_words,
    write_csv,
    write_files,
    write_json,
)
from .counts import PooledCounts
from .settings import Settings

_PLOT_BITS = 14  # finer than a picture shows


def write_report(
    folder: Path,
    metrics: Mapping[str, float],
    bounds: Mapping[str, Any],
    rows: Sequence[Row],
    classes: Sequence[Row],
    settings: Settings,
    not_measured: str | None = None,
) -> None:
    """Write ``report.json``, ``per_image.csv``, ``per_image.jsonl`` and ``per_class.csv``.

    A number that is infinite is null in JSON, with a word for it under ``not_finite``, and ``inf``
    in CSV. What cannot be written is named in a warning.

    Args:
        folder: Made if it does not exist; files of the same names are replaced.
        metrics: The numbers of the data set.
        bounds: Pairs (lower, upper) for some of them, by the same names.
        rows: One per image, as the dataset orders them.
        classes: One per class.
        settings: What the numbers mean.
        not_measured: What was not measured, and why.
    """
    content = {
        'metrics': with_words(metrics),
        **({'not_measured': not_measured} if not_measured else {}),
        'bounds': dict(bounds),
        'classes': list(classes),
        'settings': asdict(settings),
    }
    writers: dict[str, Callable[[Path], Any]] = {
        REPORT_FILE: lambda file: write_json(file, content),
        'per_image.jsonl': lambda file: _write_lines(file, rows),
        'per_image.csv': lambda file: write_csv(file, rows),
        'per_class.csv': lambda file: write_csv(file, classes),
    }
    write_files(folder, writers)


def write_plots(folder: Path, counts: PooledCounts, settings: Settings) -> None:
    """Write the curves of OOD detection, the reliability diagram and the risk-coverage curve.

    A plot is left out where what it shows is undefined. What cannot be drawn or written is named in
    a warning.

    Args:
        folder: Made if it does not exist; files of the same names are replaced.
        counts: The pooled counts.
        settings: The scores and the scope of the calibration.
    """
    write_files(folder, {'*.png': lambda _: _write_plots(folder, counts, settings)})


def _write_lines(file: Path, rows: Sequence[Row]) -> None:
    lines = [json.dumps(with_words(row), allow_nan=False) + '\n' for row in rows]
    file.write_text(''.join(lines), encoding='utf-8')


def _write_plots(folder: Path, counts: PooledCounts, settings: Settings) -> None:
    # here, so that a Matplotlib that is missing or broken costs nothing but the plots
    from ..common.detection_figures import (
        precision_recall_figure,
        roc_figure,
        score_distribution_figure,
    )
    from ..common.error_figures import reliability_figure, risk_coverage_figure

    cells = {
        name: histogram.cells(min(histogram.bits, _PLOT_BITS))
        for name, histogram in counts.histograms.items()
    }
    cells = {name: c for name, c in cells.items() if c.positives.any() and c.negatives.any()}
    figures: dict[str, Callable[[], Any]] = {}
    if cells:
        figures['roc'] = partial(roc_figure, cells)
        figures['precision_recall'] = partial(precision_recall_figure, cells)
    for name, of_score in cells.items():
        figures[f'scores_{name}'] = partial(score_distribution_figure, of_score, name)
    table = counts.calibration.table(settings.ece_scope)
    if table[:, 0].any():
        figures['reliability'] = partial(reliability_figure, table)
    wrong = counts.selective.cells()
    if wrong.positives.any() and wrong.negatives.any():
        figures['risk_coverage'] = partial(risk_coverage_figure, wrong, '1 - confidence')
    write_files(folder, {f'{name}.png': partial(_save, draw) for name, draw in figures.items()})


def _save(draw: Callable[[], Any], file: Path) -> None:
    draw().savefig(file, dpi=120)
