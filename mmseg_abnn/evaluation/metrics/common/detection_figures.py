"""Figures of OOD detection: ROC and precision-recall curves, distributions of scores."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from ...functional import ScoreCells
from .drawing import (
    CURVE,
    REFERENCE,
    accumulate,
    add_legend,
    check_cells,
    make_figure,
    set_log_scale,
    show_unit_square,
    thin,
    title,
)

_MAX_BINS = 80  # of a score distribution
_RECALL = 0.95


def roc_figure(curves: Mapping[str, ScoreCells]) -> Figure:
    """Draw ROC curves, the line of 95 % recall and the diagonal of a random score.

    The legend tells the AUROC, with the cells as thresholds.

    Args:
        curves: Name of a score to its cells, see ``ScoreHistogram.cells``; OOD is positive.

    Returns:
        A figure to save with ``figure.savefig(path)``; the curves are the first lines of its axes.

    Raises:
        ValueError: If there is no curve, or a curve has no positive or no negative.
    """
    _check_curves(curves)
    figure, axes = make_figure('false-positive rate', 'true-positive rate (recall)', 5.0)
    for name, cells in curves.items():
        tp, fp = accumulate(cells.positives), accumulate(cells.negatives)
        area = np.dot(cells.negatives, tp - cells.positives / 2) / (tp[-1] * fp[-1])
        tpr, fpr = tp / tp[-1], fp / fp[-1]
        kept = thin(fpr, tpr)
        label = f'{title(name)}: AUROC {area:.2%}'
        axes.plot(np.append(0, fpr[kept]), np.append(0, tpr[kept]), label=label, **CURVE)
    axes.axhline(_RECALL, ls='--', label=f'recall {_RECALL:.0%}', **REFERENCE)
    axes.plot([0, 1], [0, 1], ls=':', label='random score', **REFERENCE)
    show_unit_square(axes)
    add_legend(figure, axes)
    return figure


def precision_recall_figure(curves: Mapping[str, ScoreCells]) -> Figure:
    """Draw precision-recall curves as steps, and the share of positives, which chance reaches.

    The area under the steps is the average precision that the legend tells as AUPR.

    Args:
        curves: Name of a score to its cells, see ``ScoreHistogram.cells``; OOD is positive.

    Returns:
        A figure to save with ``figure.savefig(path)``; the curves are the first lines of its axes.

    Raises:
        ValueError: If there is no curve, or a curve has no positive or no negative.
    """
    _check_curves(curves)
    figure, axes = make_figure('recall', 'precision', 5.0)
    shares = set()
    for name, cells in curves.items():
        tp, fp = accumulate(cells.positives), accumulate(cells.negatives)
        precision, recall = tp / (tp + fp), tp / tp[-1]
        area = np.dot(cells.positives, precision) / tp[-1]
        kept = thin(recall, precision)
        x, y = np.append(0, recall[kept]), np.append(precision[0], precision[kept])
        label = f'{title(name)}: AUPR {area:.2%}'
        axes.plot(x, y, drawstyle='steps-pre', label=label, **CURVE)
        shares.add(float(precision[-1]))
    for share in sorted(shares):
        axes.axhline(share, ls='--', label=f'share of positives: {share:.2%}', **REFERENCE)
    show_unit_square(axes)
    add_legend(figure, axes)
    return figure


def score_distribution_figure(cells: ScoreCells, name: str) -> Figure:
    """Draw histograms of a score over the in-distribution pixels and over the OOD pixels.

    Each histogram has an area of 1, so a rare class is as visible as a frequent one. A cell counts
    where its end nearer to zero lies.

    Args:
        cells: The cells of the score, see ``ScoreHistogram.cells``; OOD is positive.
        name: Name of the score.

    Returns:
        A figure to save with ``figure.savefig(path)``.

    Raises:
        ValueError: If there is no positive or no negative.
    """
    check_cells('cells', cells)
    figure, axes = make_figure(title(name), 'density (area 1 per class)', 4.0)
    bins = min(_MAX_BINS, len(cells.edges))
    limits = (float(cells.edges[-1]), float(cells.edges[0]))
    heights = []
    for color, label, counts in (
        ('C0', 'in-distribution', cells.negatives),
        ('C1', 'OOD', cells.positives),
    ):
        density, edges = np.histogram(cells.edges, bins, limits, weights=counts, density=True)
        style: dict[str, Any] = dict(facecolor=to_rgba(color, 0.2), edgecolor=color, lw=1.5)
        label = f'{label} ({counts.sum():,} pixels)'
        axes.stairs(density, edges, fill=True, label=label, **style)
        heights.append(density[density > 0])
    set_log_scale(axes, np.concatenate(heights))
    axes.set_xlim(edges[0], edges[-1])
    add_legend(figure, axes)
    return figure


def _check_curves(curves: Mapping[str, ScoreCells]) -> None:
    if not curves:
        raise ValueError('`curves` must hold at least one score')
    for name, cells in curves.items():
        check_cells(f'curves[{name!r}]', cells)
