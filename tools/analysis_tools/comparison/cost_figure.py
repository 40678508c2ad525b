"""What methods cost to train, and what they reach."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from matplotlib.transforms import Bbox

_MARKERS = 'osD^vP*X<>'
_MARGIN = 1.8  # least factor by which the axis of costs goes beyond the points
_MARKER_SIZE = 8.0  # points
# where a label may stand: direction from its marker, as (x, y) of {-1, 0, 1}, best first
_DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1))
_DISTANCES = (9.0, 20.0, 34.0, 50.0, 68.0)  # points
_Place = tuple[float, tuple[int, int]]


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
        A figure to save with ``figure.savefig(path)``; the texts of its axes that are not empty are
        the labels, in the order of the points.

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
    pixels = figure.dpi / 72
    drawn = _side_by_side(axes, points, pixels)
    for index, point in enumerate(drawn):
        axes.errorbar(
            point.cost,
            point.aupr,
            yerr=point.error or 0.0,
            fmt=_MARKERS[index % len(_MARKERS)],
            color=f'C{index % 10}',
            ms=_MARKER_SIZE,
            capsize=3 if point.error else 0,
            zorder=3,
        )
    _label(axes, drawn, pixels)
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


def _side_by_side(axes: Axes, points: Sequence[CostPoint], pixels: float) -> list[CostPoint]:
    """Move markers of about the same cost apart, so that their error bars can be told apart."""
    step = 1.6 * _MARKER_SIZE * pixels
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


def _label(axes: Axes, points: Sequence[CostPoint], pixels: float) -> None:
    """Write the labels where they cover no marker, error bar or other label, as far as possible."""
    taken = [_extent(axes, point, pixels) for point in points]
    for index, point in enumerate(points):
        style: dict[str, Any] = dict(
            xy=(point.cost, point.aupr), textcoords='offset points', in_layout=False
        )
        color = f'C{index % 10}'
        label = axes.annotate(point.label, xytext=(0, 0), color=color, **style)
        best = _best_place(label, axes, taken, index, pixels)
        offset = _put(label, best)
        taken.append(label.get_window_extent())
        if best[0] > _DISTANCES[0]:
            line = dict(arrowstyle='-', color=color, lw=0.8, shrinkA=0, shrinkB=_MARKER_SIZE / 2)
            axes.annotate('', xytext=tuple(offset), arrowprops=line, **style)


def _best_place(
    label: Annotation, axes: Axes, taken: Sequence[Bbox], own: int, pixels: float
) -> _Place:
    """Return where a label covers least, then where its line crosses least and is shortest.

    Args:
        label: The label; it is moved.
        axes: The axes.
        taken: Where markers, error bars and labels are, in pixels.
        own: The index there of the label's own marker, which its line may cross.
        pixels: Pixels of a point.
    """
    start = axes.transData.transform(label.xy)
    others = [box for i, box in enumerate(taken) if i != own]

    def badness(place: _Place) -> float:
        offset = _put(label, place)
        box = label.get_window_extent()
        covered = sum(_common_area(box, other) for other in taken)
        outside = box.width * box.height - _common_area(box, axes.bbox)
        line = start + np.linspace(0, 1, 20)[:, None] * offset * pixels
        crossed = sum(other.count_contains(line) > 0 for other in others)
        return 1000 * (covered + outside) + 100 * crossed + place[0]

    return min(product(_DISTANCES, _DIRECTIONS), key=badness)


def _extent(axes: Axes, point: CostPoint, pixels: float) -> Bbox:
    """Return where a marker and its error bar are, in pixels."""
    error = point.error or 0.0
    half = _MARKER_SIZE / 2 * pixels
    (x, low), (_, high) = axes.transData.transform(
        [(point.cost, point.aupr - error), (point.cost, point.aupr + error)]
    )
    return Bbox([[x - half, low - half], [x + half, high + half]])


def _put(label: Annotation, place: _Place) -> np.ndarray:
    """Put a label somewhere; return its offset from the marker, in points."""
    distance, (right, up) = place
    offset = distance * np.array([right, up])
    label.set_position(tuple(offset))
    label.set_horizontalalignment(('right', 'center', 'left')[right + 1])
    label.set_verticalalignment(('top', 'center', 'bottom')[up + 1])
    return offset


def _common_area(first: Bbox, second: Bbox) -> float:
    common = Bbox.intersection(first, second)
    return 0.0 if common is None else common.width * common.height
