"""Writing a comparison: JSON, CSV, Markdown and the picture."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .cost_figure import CostPoint, cost_figure
from .methods import Comparison
from .prediction_time import PredictionTimes
from .summary import Measured, Row
from .tables import csv_table, markdown_tables

FIGURE_FILE = 'cost_vs_aupr.png'


def write_comparison(
    folder: Path,
    comparison: Comparison,
    measured: Mapping[str, Measured],
    rows: Sequence[Row],
    times: PredictionTimes,
) -> list[str]:
    """Write ``compare.json``, ``compare.csv``, ``compare.md`` and ``cost_vs_aupr.png``.

    The picture is left out where no method has both a training time and an AUPR.

    Args:
        folder: An existing folder; files of these names are replaced.
        comparison: The list.
        measured: What was measured, by name of the method.
        rows: What :func:`~comparison.summary.summarize` made of it.
        times: The prediction times.

    Returns:
        What could not be told, and why.
    """
    notes = list_problems(comparison, measured)
    points = cost_points(comparison, rows)
    if not points:
        notes.append(f'{FIGURE_FILE}: no method has both a training time and an AUPR')
    content = {
        **asdict(comparison),
        'prediction_times': asdict(times),
        'measured': {name: asdict(found) for name, found in measured.items()},
        'rows': [asdict(row) for row in rows],
        'notes': notes,
    }
    text = json.dumps(without_nan(content), indent=2, allow_nan=False)
    (folder / 'compare.json').write_text(f'{text}\n', encoding='utf-8')
    (folder / 'compare.csv').write_text(csv_table(rows), encoding='utf-8')
    parts = [f'# {comparison.title}', markdown_tables(rows), explain(comparison, times)]
    parts += ['\n'.join(f'- {note}' for note in notes)] if notes else []
    text = '\n\n'.join(parts)
    (folder / 'compare.md').write_text(f'{text}\n', encoding='utf-8')
    # last: what fails here costs no number
    figure = folder / FIGURE_FILE
    figure.unlink(missing_ok=True)
    if points:
        cost_figure(points, comparison.reference, comparison.title).savefig(figure, dpi=150)
    return notes


def explain(comparison: Comparison, times: PredictionTimes) -> str:
    """Say what the numbers of the tables are."""
    number, reference = len(comparison.seeds), comparison.reference
    seeds = ', '.join(map(str, comparison.seeds))
    spread = f'Mean ± standard error of {number} seeds ({seeds})' if number > 1 else f'Seed {seeds}'
    return (
        f'{spread}. Training and prediction time are relative to {reference}, storage is what a '
        'method needs beyond it. In brackets: what was trained after the training that both share, '
        f'and the storage as a share of that of {reference}. Prediction time: {times.images} '
        f'images, one at a time, seed {comparison.seeds[0]}, {times.device}.'
    )


def list_problems(comparison: Comparison, measured: Mapping[str, Measured]) -> list[str]:
    """Say which costs could not be told, and why."""
    notes = [
        f'{method.name}: no training cost, as the list names no `trained_in`'
        for method in comparison.methods
        if not method.trained_in
    ]
    for found in measured.values():
        for costs in found.training.values():
            notes += [problem for cost in costs.values() for problem in cost.problems]
    return list(dict.fromkeys(notes))


def cost_points(comparison: Comparison, rows: Sequence[Row]) -> list[CostPoint]:
    """Return what the picture shows: of each method its first score, where both are known."""
    first = {method.name: method.scores[0] for method in comparison.methods}
    points = []
    for row in rows:
        cost, aupr = row.values['training_time'], row.values['AUPR']
        if row.score == first[row.method] and cost is not None and cost.mean and aupr is not None:
            label = f'{row.method}, {row.score}'
            points.append(CostPoint(label, cost.mean, aupr.mean, aupr.standard_error))
    return points


def without_nan(value: Any) -> Any:
    """Replace what JSON cannot say by None, and keys by texts."""
    if isinstance(value, Mapping):
        return {str(key): without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
