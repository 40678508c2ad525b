"""Figures of right and wrong predictions: calibration and selective prediction."""

from typing import Any

import numpy as np
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from ...functional import ScoreCells, ece_from_counts, reliability_curve
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

_SMALLEST_COVERAGE = 0.01  # risks of fewer pixels may leave the figure


def reliability_figure(counts: np.ndarray) -> Figure:
    """Draw the accuracy over the confidence, and below it the number of pixels in each bin.

    A marker stands at the mean confidence and the accuracy of a bin, and a red line is its distance
    from perfect calibration; the expected calibration error is the mean length of these lines,
    weighted by the numbers of pixels. Empty bins are left out.

    Args:
        counts: Of shape (bins, 3), see ``calibration_counts``: number of values, sum of their
            confidences, number of correct ones.

    Returns:
        A figure to save with ``figure.savefig(path)``.

    Raises:
        ValueError: If ``counts`` has another shape or counts nothing.
    """
    curve = reliability_curve(counts)
    width = 1 / len(counts)
    centers = (np.flatnonzero(counts[:, 0]) + 0.5) * width

    figure = Figure(figsize=(5.5, 6.0), layout='constrained')
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    bars: dict[str, Any] = dict(width=width, color=to_rgba('C0', 0.35), edgecolor='C0', zorder=1)
    upper.bar(centers, curve.accuracy, label='accuracy', **bars)
    upper.plot([0, 1], [0, 1], ls='--', label='perfect calibration', **REFERENCE)
    gap: dict[str, Any] = dict(color='C3', lw=2.5, label='calibration gap')
    upper.vlines(curve.confidence, curve.accuracy, curve.confidence, **gap)
    marker: dict[str, Any] = dict(color='black', ms=4, label='mean confidence')
    upper.plot(curve.confidence, curve.accuracy, 'o', **marker, **CURVE)
    lower.bar(centers, curve.counts, **bars)
    set_log_scale(lower, curve.counts)
    upper.set_title(f'ECE {ece_from_counts(counts):.2%}')
    upper.set_ylabel('accuracy')
    lower.set_ylabel('pixels')
    lower.set_xlabel('confidence')
    for axes in (upper, lower):
        axes.set_axisbelow(True)
        axes.grid(alpha=0.3)
    show_unit_square(upper)
    add_legend(figure, upper)
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
    check_cells('cells', cells)
    wrong = accumulate(cells.positives[::-1])
    accepted = accumulate((cells.positives + cells.negatives)[::-1])
    coverage, risk = accepted / accepted[-1], wrong / accepted
    error_rate = float(risk[-1])
    top = min(1.1 * float(risk[coverage >= _SMALLEST_COVERAGE].max()), 1.02)
    kept = thin(coverage, np.minimum(risk / top, 1))
    best = np.linspace(1 - error_rate, 1, 200)

    figure, axes = make_figure('coverage (share of accepted pixels)', 'risk (error rate)', 4.5)
    # Within the first cell the expected risk is the same at any coverage.
    axes.plot(np.append(0, coverage[kept]), np.append(risk[0], risk[kept]), label=title(name))
    risk_at_best = np.append(0, 1 - (1 - error_rate) / best)
    axes.plot(np.append(0, best), risk_at_best, color='C2', zorder=1.5, label='optimal')
    label = f'overall error rate: {error_rate:.2%}'
    axes.axhline(error_rate, ls='--', label=label, **REFERENCE)
    show_unit_square(axes)
    axes.set_ylim(-0.02 * top, top)  # a line at zero stays off the frame
    add_legend(figure, axes)
    return figure
