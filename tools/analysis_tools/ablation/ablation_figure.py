"""What a number that is varied does to several metrics."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

_MARKERS = 'osD^vP*X<>'
_WIDTH, _HEIGHT = 2.5, 2.7  # inches of a panel
_LOGARITHMIC = 10  # least ratio of the values that are drawn on a logarithmic axis


@dataclass(frozen=True)
class CurvePoint:
    """A variant in one panel.

    Attributes:
        value: The number that is varied.
        mean: What was measured with it.
        error: Its standard error, or None.
    """

    value: float
    mean: float
    error: float | None = None


@dataclass(frozen=True)
class Curve:
    """Variants that differ in one number.

    Attributes:
        label: Its name; may be empty.
        points: The variants, in any order.
    """

    label: str
    points: tuple[CurvePoint, ...]


@dataclass(frozen=True)
class Panel:
    """One metric.

    Attributes:
        title: Its name.
        curves: The curves; each panel has the same ones.
        level: What a horizontal line shows, or None.
    """

    title: str
    curves: tuple[Curve, ...]
    level: float | None = None


def ablation_figure(panels: Sequence[Panel], axis: str, level_label: str) -> Figure:
    """Draw metrics side by side, each over the number that is varied.

    The axis of the number is logarithmic where its values are positive and span a factor of ten.

    Args:
        panels: The metrics.
        axis: What the number is.
        level_label: What the horizontal lines are.

    Returns:
        A figure to save with ``figure.savefig(path)``.

    Raises:
        ValueError: If there is nothing to draw.
    """
    values = sorted({p.value for panel in panels for c in panel.curves for p in c.points})
    if not values:
        raise ValueError('`panels` must hold at least one point')
    figure = Figure(figsize=(_WIDTH * len(panels), _HEIGHT), layout='constrained')
    for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        _draw(axes, panel, level_label)
        _scale(axes, values)
        axes.set_xlabel(axis)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    if labels:
        figure.legend(handles, labels, loc='outside upper center', ncols=len(labels), fontsize=8)
    return figure


def _draw(axes: Axes, panel: Panel, level_label: str) -> None:
    axes.set_title(panel.title, fontsize=10)
    axes.grid(alpha=0.3)
    axes.tick_params(labelsize=7)
    if panel.level is not None:
        axes.axhline(panel.level, color='0.4', ls='--', lw=1, label=level_label)
    for index, curve in enumerate(panel.curves):
        points = sorted(curve.points, key=lambda point: point.value)
        axes.errorbar(
            [point.value for point in points],
            [point.mean for point in points],
            yerr=[point.error or 0.0 for point in points],
            label=curve.label or None,
            color=f'C{index % 10}',
            marker=_MARKERS[index % len(_MARKERS)],
            ms=4,
            lw=1.2,
            capsize=2,
        )


def _scale(axes: Axes, values: Sequence[float]) -> None:
    if values[0] > 0 and values[-1] >= _LOGARITHMIC * values[0]:
        axes.set_xscale('log')
        axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(values)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f'{value:g}'))
    axes.tick_params(axis='x', rotation=90 if len(values) > 5 else 0)
