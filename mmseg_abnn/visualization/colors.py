"""Colors of labels and of uncertainty maps, and the bar that tells what the latter stand for."""

import colorsys
from collections.abc import Collection, Sequence
from functools import lru_cache

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

Color = Sequence[int]

OOD_COLOR = (0, 255, 255)
"""Cyan, unlike any color of the palettes in use for road scenes."""

IGNORED_COLOR = (0, 0, 0)

UNKNOWN_COLOR = (255, 255, 255)
"""Of ids that stand for nothing, where they are no error."""

COLORMAP = 'inferno'

_DPI = 100
_BAR_WIDTH = 8  # in heights of the text
_GOLDEN = 0.618033988749895  # steps of the hue by this share of the circle never meet


def color_labels(
    labels: np.ndarray,
    palette: Sequence[Color],
    ood_id: int | Collection[int] | None = None,
    ignore_index: int = 255,
    unknown: Color | None = None,
) -> np.ndarray:
    """Paint a label map: classes from the palette, OOD pixels cyan, ignored pixels black.

    Args:
        labels: Integers of shape (H, W).
        palette: One RGB color in 0..255 for each class.
        ood_id: Id or ids of OOD pixels, if there are any.
        ignore_index: Id of ignored pixels.
        unknown: Color of all other ids; None: they are an error.

    Returns:
        RGB uint8 array of shape (H, W, 3).

    Raises:
        ValueError: If ``labels`` holds an id that has no color.
    """
    colors = dict(enumerate(palette)) | {ignore_index: IGNORED_COLOR}
    colors |= dict.fromkeys(ids_of(ood_id), OOD_COLOR)
    ids, index = np.unique(labels, return_inverse=True)
    without = [int(i) for i in ids if int(i) not in colors]
    if without and unknown is None:
        raise ValueError(f'`labels` holds ids without a color: {without[:10]}')
    table = np.array([colors.get(int(i), unknown) for i in ids], dtype=np.uint8)
    return table[index.reshape(labels.shape)]


def ids_of(ood_id: int | Collection[int] | None) -> list[int]:
    """Return the ids of OOD pixels, given as one, several or none."""
    if ood_id is None:
        return []
    return [int(i) for i in ood_id] if isinstance(ood_id, Collection) else [int(ood_id)]


def color_map(values: np.ndarray, upper: float | None = None) -> np.ndarray:
    """Paint an uncertainty map with a color scale from 0 (dark) to ``upper`` (bright).

    Args:
        values: Shape (H, W); larger values than ``upper`` are painted as ``upper``. With values
            below zero the scale starts at the lowest one.
        upper: End of the scale; None: the largest value of the map.

    Returns:
        RGB uint8 array of shape (H, W, 3).
    """
    return paint(values, color_scale([values], upper))


def color_scale(maps: Sequence[np.ndarray], upper: float | None = None) -> Normalize:
    """Return the scale of :func:`color_map` that holds for several maps."""
    lowest = min(float(values.min()) for values in maps)
    highest = max(float(values.max()) for values in maps) if upper is None else upper
    low = min(lowest, 0.0)
    # a constant map is dark, not an empty scale; scores that are all below zero end there
    return Normalize(low, highest if highest > low else low + 1.0)


def paint(values: np.ndarray, scale: Normalize) -> np.ndarray:
    """Paint an uncertainty map, (H, W), by a scale; returns RGB uint8 of shape (H, W, 3)."""
    return matplotlib.colormaps[COLORMAP](scale(values), bytes=True)[..., :3]


def color_bar(height: int, scale: Normalize, name: str = '') -> np.ndarray:
    """Draw the bar that tells which color stands for which value.

    Args:
        height: In pixels.
        scale: As :func:`color_scale` returns it.
        name: Of the score, written beside the bar where there is room.

    Returns:
        RGB uint8 array of shape (height, width, 3); the width depends on the height only.
    """
    return _draw_bar(height, float(scale.vmin or 0), float(scale.vmax or 0), name).copy()


def default_palette(number: int) -> list[tuple[int, ...]]:
    """Return as many colors, the same each time, for classes without a palette."""
    hues = [(0.1 + k * _GOLDEN) % 1 for k in range(number)]
    return [
        tuple(round(255 * c) for c in colorsys.hsv_to_rgb(hue, 0.75, 0.9 if k % 2 else 0.6))
        for k, hue in enumerate(hues)
    ]


@lru_cache(maxsize=64)
def _draw_bar(height: int, low: float, high: float, name: str) -> np.ndarray:
    text = min(max(height / 20, 9), 64)  # pixels
    width = round(_BAR_WIDTH * text)
    figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI)
    canvas = FigureCanvasAgg(figure)
    margin = min(0.8 * text / height, 0.3)  # half a line, for the numbers at the ends
    axes = figure.add_axes((0.5 * text / width, margin, 1.5 * text / width, 1 - 2 * margin))
    bar = figure.colorbar(ScalarMappable(Normalize(low, high), COLORMAP), cax=axes)
    ticks = np.linspace(low, high, 2 if height < 8 * text else 5)
    bar.set_ticks(ticks.tolist(), labels=[f'{tick:.3g}' for tick in ticks])
    points = text * 72 / _DPI
    axes.tick_params(labelsize=points, length=0.3 * points, pad=0.3 * points)
    if 0.6 * text * len(name) < height:
        figure.text(
            1 - 0.8 * text / width,
            0.5,
            name.replace('_', ' '),
            rotation=90,
            fontsize=points,
            ha='center',
            va='center',
        )
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:height, :width, :3]
