"""What methods cost to train, and what they reach."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

_MARKERS = 'osD^vP*X<>'
_MARGIN = 1.8  # least factor by which the axis of costs goes beyond the points
_MARKER_SIZE = 8.0  # points
_LEGEND_ROW = 0.22  # inches
_LONG_LABEL = 40  # characters; two longer ones do not fit side by side


@dataclass(frozen=True)
class CostPoint:
    """A method in the figure.

    Attributes:
        label: Its name.
        cost: Training time relative to the reference, > 0.
        aupr: AUPR in percent.
        error: Its standard error, or None.
    """

    label: str
    cost: float
    aupr: float
    error: float | None


def cost_figure(points: Sequence[CostPoint], reference: str, title: str) -> Figure:
    """Draw the AUPR over the training time, which is on a logarithmic axis.

    Markers of about the same cost stand side by side, around where they belong.

    Args:
        points: The methods.
        reference: Name of the method that a training time of 1 is that of.
        title: Title of the figure.

    Returns:
        A figure to save with ``figure.savefig(path)``; its legend names the points in their order.

    Raises:
        ValueError: If there is no point, or a cost is not positive.
    """
    if not points:
        raise ValueError('`points` must hold at least one method')
    wrong = [point for point in points if not point.cost > 0]
    if wrong:
        raise ValueError(f'`points` must have costs > 0, got {wrong[0]}')
    figure = Figure(figsize=(7.0, 4.5), layout='constrained')
    axes = figure.subplots()
    axes.set_xlabel(
        f'training time relative to {reference} (logarithmic; equal ones stand side by side)'
    )
    axes.set_ylabel('AUPR, mean over images (%)')
    axes.set_title(title)
    axes.set_axisbelow(True)
    axes.grid(alpha=0.3)
    _scale(axes, points)
    figure.draw_without_rendering()  # fixes where the axes are
    for index, point in enumerate(_side_by_side(axes, points, figure.dpi)):
        axes.errorbar(
            point.cost,
            point.aupr,
            yerr=point.error or 0.0,
            label=point.label,
            # no two of a hundred points look the same
            fmt=_MARKERS[(index + index // 10) % len(_MARKERS)],
            color=f'C{index % 10}',
            ms=_MARKER_SIZE,
            capsize=3 if point.error else 0,
            zorder=3,
        )
    _add_legend(figure, axes)
    return figure


def _scale(axes: Axes, points: Sequence[CostPoint]) -> None:
    costs = [point.cost for point in points]
    axes.set_xscale('log')
    margin = max(_MARGIN, (max(costs) / min(costs)) ** 0.3)
    axes.set_xlim(min(costs) / margin, max(costs) * margin)
    low = min(point.aupr - (point.error or 0) for point in points)
    high = max(point.aupr + (point.error or 0) for point in points)
    space = 0.15 * (high - low) or 1.0
    axes.set_ylim(low - space, high + space)
    steps = (1, 1.5, 2, 3, 5, 7) if max(costs) < 10 * min(costs) else (1, 2, 5)
    axes.xaxis.set_major_locator(LogLocator(subs=steps))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f'{value:g}'))
    axes.xaxis.set_minor_locator(NullLocator())


def _side_by_side(axes: Axes, points: Sequence[CostPoint], dpi: float) -> list[CostPoint]:
    """Move markers of about the same cost apart, so that their error bars can be told apart."""
    step = 1.6 * _MARKER_SIZE * dpi / 72
    places = {i: axes.transData.transform((p.cost, p.aupr))[0] for i, p in enumerate(points)}
    groups: list[list[int]] = []
    for i in sorted(places, key=lambda i: places[i]):
        if groups and places[i] - places[groups[-1][-1]] < step:
            groups[-1].append(i)
        else:
            groups.append([i])
    moved = list(points)
    for group in groups:
        middle = sum(places[i] for i in group) / len(group)
        for k, i in enumerate(group):
            x = middle + step * (k - (len(group) - 1) / 2)
            cost = axes.transData.inverted().transform((x, 0))[0]
            moved[i] = replace(points[i], cost=float(cost))
    return moved


def _add_legend(figure: Figure, axes: Axes) -> None:
    """Put the legend below the axes, where it hides nothing, and make room for its rows."""
    handles, labels = axes.get_legend_handles_labels()
    columns = 2 if max(map(len, labels)) <= _LONG_LABEL else 1
    rows = -(-len(labels) // columns)
    figure.set_figheight(figure.get_figheight() + _LEGEND_ROW * rows)
    figure.legend(handles, labels, loc='outside lower center', ncols=columns, frameon=False)
