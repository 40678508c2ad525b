"""How the figures of metrics are drawn: their axes, lines and legends.

A curve of millions of thresholds is thinned to what can be seen. Rates are in [0, 1] in the data of
the lines, and in percent on the axes.
"""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from ...functional import ScoreCells

_MAX_POINTS = 2000  # of a drawn curve
REFERENCE: dict[str, Any] = dict(color='0.45', lw=1, zorder=1)
CURVE: dict[str, Any] = dict(zorder=3, clip_on=False)  # above the frame, where rates are 0 or 1


def accumulate(counts: np.ndarray) -> np.ndarray:
    """Return the running sums of counts as float64, whose products do not overflow."""
    return np.cumsum(counts, dtype=np.float64)


def thin(x: np.ndarray, y: np.ndarray) -> np.ndarray:
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


def make_figure(x_label: str, y_label: str, height: float) -> tuple[Figure, Axes]:
    """Make a figure of one plot, ``height`` inches high without its legend."""
    figure = Figure(figsize=(5.5, height), layout='constrained')
    axes = figure.subplots()
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.set_axisbelow(True)
    axes.grid(alpha=0.3)
    return figure, axes


def show_unit_square(axes: Axes) -> None:
    """Let both axes go from 0 to 1, in percent."""
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    axes.yaxis.set_major_formatter(PercentFormatter(1))


def set_log_scale(axes: Axes, heights: np.ndarray) -> None:
    """Show bars of positive heights from below one power of ten to another one."""
    axes.set_yscale('log')
    low, high = np.floor(np.log10(heights.min())), np.ceil(np.log10(2 * heights.max()))
    axes.set_ylim(0.5 * 10**low, 10**high)


def add_legend(figure: Figure, axes: Axes) -> None:
    """Put the legend below the axes, where it hides nothing, and make room for its rows."""
    handles, labels = axes.get_legend_handles_labels()
    columns = 2 if max(map(len, labels)) <= 26 else 1
    figure.set_figheight(figure.get_figheight() + 0.22 * -(-len(labels) // columns))
    figure.legend(handles, labels, loc='outside lower center', ncols=columns, frameon=False)


def title(name: str) -> str:
    """Return the name of a score as it is shown."""
    return name.replace('_', ' ')


def check_cells(argument: str, cells: ScoreCells) -> None:
    """Raise ValueError, naming the argument, if there is no positive or no negative."""
    positives, negatives = int(cells.positives.sum()), int(cells.negatives.sum())
    if positives == 0 or negatives == 0:
        raise ValueError(
            f'`{argument}` must hold positives and negatives, got {positives} positives and '
            f'{negatives} negatives'
        )
