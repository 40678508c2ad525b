"""Writing what the uncertainty metric found: JSON, rows of images and classes, plots."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..common.detection_figures import (
    precision_recall_figure,
    roc_figure,
    score_distribution_figure,
)
from ..common.error_figures import reliability_figure, risk_coverage_figure
from ..common.results import REPORT_FILE, Row, write_csv, write_json
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
    write_json(folder / REPORT_FILE, content)
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
