"""Pictures and tables to look at a dataset before training.

Pure functions on NumPy arrays and counts, without pyplot's state or a display.
"""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.patches import Patch
from prettytable import PrettyTable

from ..datasets.statistics import LabelStatistics, Occurrence
from .colors import OOD_COLOR, Color, color_labels, ids_of
from .panels import check_shapes

_OPACITY = 0.6  # of a class
_OOD_OPACITY = 0.8
_IGNORED_BRIGHTNESS = 0.3
_HATCH_COLOR = (150, 150, 150)
_UNKNOWN_COLORS = ((255, 0, 0), (255, 255, 255))

MIN_WIDTH = 512  # of each part, in pixels; smaller images are enlarged
_STRIPES = 40  # across the width of a part
_GAP = 0.01  # between the parts, of the width of one
_LEGEND_WIDTH = 12  # inches that the width of the picture stands for: sets the size of the text
_NAMED_FILES = 20  # broken labels that a report names before it only counts


def overlay_labels(
    image: np.ndarray,
    labels: np.ndarray,
    palette: Sequence[Color],
    ood_id: int | Collection[int] | None = None,
    ignore_index: int = 255,
) -> np.ndarray:
    """Lay the colors of a label map over its image.

    Classes are transparent, OOD pixels cyan and hardly transparent. Ignored pixels are dark with
    diagonal gray lines, and pixels of any other id have red and white stripes.

    Args:
        image: RGB uint8, shape (H, W, 3).
        labels: Integers of shape (H, W).
        palette: One RGB color in 0..255 for each class.
        ood_id: Id or ids of OOD pixels, if there are any.
        ignore_index: Id of ignored pixels.

    Returns:
        RGB uint8 array of shape (H, W, 3).

    Raises:
        ValueError: If the image is not as above or ``labels`` has not its height and width.
    """
    check_shapes(image, {'labels': labels})
    is_ignored = labels == ignore_index
    is_ood = np.isin(labels, ids_of(ood_id))
    is_class = (labels >= 0) & (labels < len(palette)) & ~is_ood & ~is_ignored
    is_unknown = ~(is_class | is_ood | is_ignored)
    colors = color_labels(np.where(is_unknown, ignore_index, labels), palette, ood_id, ignore_index)
    opacity = np.where(is_ood, _OOD_OPACITY, _OPACITY)[..., None]
    painted = (1 - opacity) * image + opacity * colors
    painted[is_ignored] = _IGNORED_BRIGHTNESS * image[is_ignored]

    height, width = labels.shape
    period = max(4, width // _STRIPES)
    diagonal = (np.arange(height)[:, None] + np.arange(width)) % period
    painted[is_ignored & (diagonal < period // 4)] = _HATCH_COLOR
    for color, stripe in zip(
        _UNKNOWN_COLORS, (diagonal < period // 2, diagonal >= period // 2), strict=True
    ):
        painted[is_unknown & stripe] = color
    return painted.round().astype(np.uint8)


def label_picture(
    image: np.ndarray,
    labels: np.ndarray,
    classes: Sequence[str],
    palette: Sequence[Color],
    ood_id: int | Collection[int] | None = None,
    ignore_index: int = 255,
) -> np.ndarray:
    """Put an image, and the image under its labels, side by side above a legend.

    The legend names the classes that are present, with their shares of the pixels. A small image
    is enlarged by a whole factor.

    Args:
        image: RGB uint8, shape (H, W, 3).
        labels: Integers of shape (H, W), see :func:`overlay_labels`.
        classes: Names for the legend.
        palette: One RGB color in 0..255 for each class.
        ood_id: Id or ids of OOD pixels, if there are any.
        ignore_index: Id of ignored pixels.

    Returns:
        RGB uint8 array.

    Raises:
        ValueError: If the image or the labels are not as above, or ``classes`` and ``palette``
            differ in length.
    """
    if len(classes) != len(palette):
        raise ValueError(
            f'`classes` and `palette` must have the same length, got {len(classes)} and '
            f'{len(palette)}'
        )
    check_shapes(image, {'labels': labels})
    entries = legend_entries(labels, classes, palette, ood_id, ignore_index)
    factor = -(-MIN_WIDTH // image.shape[1])
    image, labels = (array.repeat(factor, 0).repeat(factor, 1) for array in (image, labels))
    overlay = overlay_labels(image, labels, palette, ood_id, ignore_index)
    height, width = labels.shape
    gap = np.full((height, max(1, round(_GAP * width)), 3), 255, dtype=np.uint8)
    parts = np.concatenate([image, gap, overlay], axis=1)
    strip = draw_legend(entries, parts.shape[1])
    return np.concatenate([parts, strip])


def legend_entries(
    labels: np.ndarray,
    classes: Sequence[str],
    palette: Sequence[Color],
    ood_id: int | Collection[int] | None = None,
    ignore_index: int = 255,
) -> list[Patch]:
    """Return the legend of a label map: what is present, with its share of the pixels.

    Args:
        labels: Integers of any shape.
        classes: Names of the classes.
        palette: One RGB color in 0..255 for each class.
        ood_id: Id or ids of OOD pixels, if there are any.
        ignore_index: Id of ignored pixels.

    Returns:
        Classes in their order, then 'OOD', 'ignored' and, for all other ids together,
        'unknown id'.
    """
    ids, counts = np.unique(labels, return_counts=True)
    left = dict(zip(ids.tolist(), counts.tolist(), strict=True))
    known: list[tuple[str, int, dict[str, Any]]] = [
        (name, left.pop(label, 0), dict(facecolor=_unit(color)))
        for label, (name, color) in enumerate(zip(classes, palette, strict=True))
    ]
    of_ood = sum(left.pop(label, 0) for label in ids_of(ood_id))
    known.append(('OOD', of_ood, dict(facecolor=_unit(OOD_COLOR))))
    lines = dict(facecolor='0.2', edgecolor=_unit(_HATCH_COLOR), hatch='////')
    known.append(('ignored', left.pop(ignore_index, 0), lines))
    red, white = (_unit(color) for color in _UNKNOWN_COLORS)
    stripes = dict(facecolor=white, edgecolor=red, hatch='////')
    known.append(('unknown id', sum(left.values()), stripes))
    return [
        Patch(label=f'{name.replace("_", " ")}  {_percent(count / labels.size)}', **style)
        for name, count, style in known
        if count
    ]


def draw_legend(entries: Sequence[Patch], width: int) -> np.ndarray:
    """Draw a legend of that width in pixels, as high as it needs to be; returns RGB uint8."""
    dpi = width / _LEGEND_WIDTH
    # half a pixel more: a width that is rounded down is the right one
    figure = Figure(figsize=((width + 0.5) / dpi, 1), dpi=dpi)
    canvas = FigureCanvasAgg(figure)
    widest = _legend(figure, entries, 1).get_window_extent().width
    figure.legends.clear()
    legend = _legend(figure, entries, max(1, int(width // widest)))
    figure.set_figheight(legend.get_window_extent().height / dpi)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]


def _legend(figure: Figure, entries: Sequence[Patch], columns: int) -> Legend:
    return figure.legend(
        handles=list(entries), loc='center', ncols=columns, frameon=False, borderaxespad=0
    )


def statistics_table(statistics: LabelStatistics) -> str:
    """Lay out the counts of labels as a table, and name below it what is wrong.

    Args:
        statistics: The counts.

    Returns:
        A table with a row for each class, for OOD pixels, for ignored ones and for each stored id
        that stands for nothing; and a line for each of the latter and for each broken label.
    """
    table = PrettyTable(['class', 'pixels', 'share', 'images'], align='r')
    table.align['class'] = 'l'
    rows: list[tuple[str, Occurrence]] = [
        *zip(statistics.classes, statistics.per_class, strict=True),
        ('OOD', statistics.ood),
        ('ignored', statistics.ignored),
        *((f'unknown id {stored}', kind) for stored, kind in sorted(statistics.unknown.items())),
    ]
    for name, kind in rows:
        share = _percent(statistics.share(kind))
        table.add_row([name, f'{kind.pixels:,}', share, f'{kind.images:,}'])
    lines = [
        f'unknown id {stored}: {kind.pixels:,} pixels in {kind.images:,} images, '
        f'first: {kind.first}'
        for stored, kind in sorted(statistics.unknown.items())
    ]
    lines += [f'broken: {file}: {what}' for file, what in statistics.broken.items()][:_NAMED_FILES]
    if len(statistics.broken) > _NAMED_FILES:
        lines.append(f'... and {len(statistics.broken) - _NAMED_FILES} more broken labels')
    return '\n'.join([table.get_string(), *lines])


def _percent(share: float) -> str:
    return '<0.01%' if 0 < share < 1e-4 else f'{share:.2%}'


def _unit(color: Color) -> tuple[float, ...]:
    return tuple(channel / 255 for channel in color)
