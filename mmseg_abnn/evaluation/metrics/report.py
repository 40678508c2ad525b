"""Writing what the uncertainty metric found: JSON, rows of images and classes, plots."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ...visualization.curves import (
    precision_recall_figure,
    reliability_figure,
    risk_coverage_figure,
    roc_figure,
    score_distribution_figure,
)
from .measure import Row
from .pooled import PooledCounts
from .summary import Settings

REPORT_FILE = 'report.json'
_PLOT_BITS = 14  # finer than a picture shows


def write_report(
    folder: Path,
    metrics: Mapping[str, float],
    bounds: Mapping[str, Any],
    rows: Sequence[Row],
    classes: Sequence[Row],
    settings: Settings,
) -> None:
    """Write ``report.json``, ``per_image.csv``, ``per_image.jsonl`` and ``per_class.csv``.

    Args:
        folder: Made if it does not exist; files of the same names are replaced.
        metrics: The numbers of the data set.
        bounds: Pairs (lower, upper) for some of them, by the same names.
        rows: One per image, as the dataset orders them.
        classes: One per class.
        settings: What the numbers mean.
    """
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        'metrics': dict(metrics),
        'bounds': dict(bounds),
        'classes': list(classes),
        'settings': asdict(settings),
    }
    text = json.dumps(content, indent=2, allow_nan=False)
    (folder / REPORT_FILE).write_text(text + '\n', encoding='utf-8')
    lines = [json.dumps(row, allow_nan=False) + '\n' for row in rows]
    (folder / 'per_image.jsonl').write_text(''.join(lines), encoding='utf-8')
    write_csv(folder / 'per_image.csv', rows)
    write_csv(folder / 'per_class.csv', classes)


def write_plots(folder: Path, counts: PooledCounts, settings: Settings) -> None:
    """Write the curves of OOD detection, the reliability diagram and the risk-coverage curve.

    A plot is left out where what it shows is undefined.

    Args:
        folder: An existing folder; files of the same names are replaced.
        counts: The pooled counts.
        settings: The scores and the scope of the calibration.
    """
    cells = {
        name: histogram.cells(min(histogram.bits, _PLOT_BITS))
        for name, histogram in counts.histograms.items()
    }
    cells = {name: c for name, c in cells.items() if c.positives.any() and c.negatives.any()}
    figures = {}
    if cells:
        figures['roc'] = roc_figure(cells)
        figures['precision_recall'] = precision_recall_figure(cells)
    for name, of_score in cells.items():
        figures[f'scores_{name}'] = score_distribution_figure(of_score, name)
    table = counts.calibration.table(settings.ece_scope)
    if table[:, 0].any():
        figures['reliability'] = reliability_figure(table)
    wrong = counts.selective.cells()
    if wrong.positives.any() and wrong.negatives.any():
        figures['risk_coverage'] = risk_coverage_figure(wrong, '1 - confidence')
    for name, figure in figures.items():
        figure.savefig(folder / f'{name}.png', dpi=120)


def write_csv(path: Path, rows: Sequence[Row]) -> None:
    """Write rows of the same or of different columns; an undefined number is an empty cell."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with path.open('w', newline='', encoding='utf-8') as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
