"""Figures of OOD detection, calibration and selective prediction, from counts of pixels.

A curve of millions of thresholds is thinned to what can be seen. Rates are in [0, 1] in the data of
the lines, and in percent on the axes.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from ..evaluation.functional import ScoreCells, ece_from_counts

_MAX_POINTS = 2000  # of a drawn curve
_MAX_BINS = 80  # of a score distribution
_RECALL = 0.95
_SMALLEST_COVERAGE = 0.01  # risks of fewer pixels may leave the figure
_REFERENCE: dict[str, Any] = dict(color='0.45', lw=1, zorder=1)
_CURVE: dict[str, Any] = dict(zorder=3, clip_on=False)  # above the frame, where rates are 0 or 1


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
    figure, axes = _make_figure('false-positive rate', 'true-positive rate (recall)', 5.0)
    for name, cells in curves.items():
        tp, fp = _accumulate(cells.positives), _accumulate(cells.negatives)
        area = np.dot(cells.negatives, tp - cells.positives / 2) / (tp[-1] * fp[-1])
        tpr, fpr = tp / tp[-1], fp / fp[-1]
        kept = _thin(fpr, tpr)
        label = f'{_title(name)}: AUROC {area:.2%}'
        axes.plot(np.append(0, fpr[kept]), np.append(0, tpr[kept]), label=label, **_CURVE)
    axes.axhline(_RECALL, ls='--', label=f'recall {_RECALL:.0%}', **_REFERENCE)
    axes.plot([0, 1], [0, 1], ls=':', label='random score', **_REFERENCE)
    _show_unit_square(axes)
    _add_legend(figure, axes)
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
    figure, axes = _make_figure('recall', 'precision', 5.0)
    shares = set()
    for name, cells in curves.items():
        tp, fp = _accumulate(cells.positives), _accumulate(cells.negatives)
        precision, recall = tp / (tp + fp), tp / tp[-1]
        area = np.dot(cells.positives, precision) / tp[-1]
        kept = _thin(recall, precision)
        x, y = np.append(0, recall[kept]), np.append(precision[0], precision[kept])
        label = f'{_title(name)}: AUPR {area:.2%}'
        axes.plot(x, y, drawstyle='steps-pre', label=label, **_CURVE)
        shares.add(float(precision[-1]))
    for share in sorted(shares):
        axes.axhline(share, ls='--', label=f'share of positives: {share:.2%}', **_REFERENCE)
    _show_unit_square(axes)
    _add_legend(figure, axes)
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
    _check_cells('cells', cells)
    figure, axes = _make_figure(_title(name), 'density (area 1 per class)', 4.0)
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
    _set_log_scale(axes, np.concatenate(heights))
    axes.set_xlim(edges[0], edges[-1])
    _add_legend(figure, axes)
    return figure


def reliability_figure(table: np.ndarray) -> Figure:
    """Draw the accuracy over the confidence, and below it the number of pixels in each bin.

    A marker stands at the mean confidence and the accuracy of a bin, and a red line is its distance
    from perfect calibration; the expected calibration error is the mean length of these lines,
    weighted by the numbers of pixels. Empty bins are left out.

    Args:
        table: Of shape (bins, 3), see ``calibration_counts``: number of values, sum of their
            confidences, number of correct ones.

    Returns:
        A figure to save with ``figure.savefig(path)``.

    Raises:
        ValueError: If the table has another shape or counts nothing.
    """
    if table.ndim != 2 or table.shape[1] != 3:
        raise ValueError(f'`table` must have shape (bins, 3), got {table.shape}')
    if not table[:, 0].sum() > 0:
        raise ValueError(f'`table` must count at least one value, got {table[:, 0].sum()}')
    filled = table[:, 0] > 0
    counts, confidences, correct = table[filled].T
    accuracy, confidence = correct / counts, confidences / counts
    width = 1 / len(table)
    centers = (np.flatnonzero(filled) + 0.5) * width

    figure = Figure(figsize=(5.5, 6.0), layout='constrained')
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    bars: dict[str, Any] = dict(width=width, color=to_rgba('C0', 0.35), edgecolor='C0', zorder=1)
    upper.bar(centers, accuracy, label='accuracy', **bars)
    upper.plot([0, 1], [0, 1], ls='--', label='perfect calibration', **_REFERENCE)
    upper.vlines(confidence, accuracy, confidence, color='C3', lw=2.5, label='calibration gap')
    upper.plot(confidence, accuracy, 'o', color='black', ms=4, label='mean confidence', **_CURVE)
    lower.bar(centers, counts, **bars)
    _set_log_scale(lower, counts)
    upper.set_title(f'ECE {ece_from_counts(table):.2%}')
    upper.set_ylabel('accuracy')
    lower.set_ylabel('pixels')
    lower.set_xlabel('confidence')
    for axes in (upper, lower):
        axes.set_axisbelow(True)
        axes.grid(alpha=0.3)
    _show_unit_square(upper)
    _add_legend(figure, upper)
    return figure


def risk_coverage_figure(cells: ScoreCells, name: str) -> Figure:
    """Draw the error rate among the accepted pixels over their share.

    Pixels are accepted from the least uncertain upwards. The best order has all errors last, and
    an order that knows nothing has the overall error rate throughout.

    Args:
        cells: The cells of an uncertainty, see ``ScoreHistogram.cells``; positives are the wrong
            pixels, negatives the right ones.
        name: Name of the uncertainty.

    Returns:
        A figure to save with ``figure.savefig(path)``; the lines of its axes are the curve, the
        best one and the overall error rate.

    Raises:
        ValueError: If there is no wrong or no right pixel.
    """
    _check_cells('cells', cells)
    wrong = _accumulate(cells.positives[::-1])
    accepted = _accumulate((cells.positives + cells.negatives)[::-1])
    coverage, risk = accepted / accepted[-1], wrong / accepted
    error_rate = float(risk[-1])
    top = min(1.1 * float(risk[coverage >= _SMALLEST_COVERAGE].max()), 1.02)
    kept = _thin(coverage, np.minimum(risk / top, 1))
    best = np.linspace(1 - error_rate, 1, 200)

    figure, axes = _make_figure('coverage (share of accepted pixels)', 'risk (error rate)', 4.5)
    # Within the first cell the expected risk is the same at any coverage.
    axes.plot(np.append(0, coverage[kept]), np.append(risk[0], risk[kept]), label=_title(name))
    risk_at_best = np.append(0, 1 - (1 - error_rate) / best)
    axes.plot(np.append(0, best), risk_at_best, color='C2', zorder=1.5, label='optimal')
    label = f'overall error rate: {error_rate:.2%}'
    axes.axhline(error_rate, ls='--', label=label, **_REFERENCE)
    _show_unit_square(axes)
    axes.set_ylim(-0.02 * top, top)  # a line at zero stays off the frame
    _add_legend(figure, axes)
    return figure


def _accumulate(counts: np.ndarray) -> np.ndarray:
    return np.cumsum(counts, dtype=np.float64)


def _thin(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Choose points of a curve at even distances along it; both axes are drawn from 0 to 1.

    Returns:
        At most ``_MAX_POINTS`` sorted indices, with the first and the last one. A point that is
        left out is no farther from a kept one than that share of the length of the curve.
    """
    if len(x) <= _MAX_POINTS:
        return np.arange(len(x))
    length = np.abs(np.diff(x))
    length += np.abs(np.diff(y))
    np.cumsum(length, out=length)
    marks = np.linspace(0, length[-1], _MAX_POINTS - 1)[1:]
    return np.unique(np.concatenate([[0], np.searchsorted(length, marks) + 1, [len(x) - 1]]))


def _make_figure(x_label: str, y_label: str, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(5.5, height), layout='constrained')
    axes = figure.subplots()
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.set_axisbelow(True)
    axes.grid(alpha=0.3)
    return figure, axes


def _show_unit_square(axes: Axes) -> None:
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    axes.yaxis.set_major_formatter(PercentFormatter(1))


def _set_log_scale(axes: Axes, heights: np.ndarray) -> None:
    """Show bars of positive heights from below one power of ten to another one."""
    axes.set_yscale('log')
    low, high = np.floor(np.log10(heights.min())), np.ceil(np.log10(2 * heights.max()))
    axes.set_ylim(0.5 * 10**low, 10**high)


def _add_legend(figure: Figure, axes: Axes) -> None:
    """Put the legend below the axes, where it hides nothing, and make room for its rows."""
    handles, labels = axes.get_legend_handles_labels()
    columns = 2 if max(map(len, labels)) <= 26 else 1
    figure.set_figheight(figure.get_figheight() + 0.22 * -(-len(labels) // columns))
    figure.legend(handles, labels, loc='outside lower center', ncols=columns, frameon=False)


def _title(name: str) -> str:
    return name.replace('_', ' ')


def _check_curves(curves: Mapping[str, ScoreCells]) -> None:
    if not curves:
        raise ValueError('`curves` must hold at least one score')
    for name, cells in curves.items():
        _check_cells(f'curves[{name!r}]', cells)


def _check_cells(argument: str, cells: ScoreCells) -> None:
    positives, negatives = int(cells.positives.sum()), int(cells.negatives.sum())
    if positives == 0 or negatives == 0:
        raise ValueError(
            f'`{argument}` must hold positives and negatives, got {positives} positives and '
            f'{negatives} negatives'
        )
