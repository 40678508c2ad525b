"""Pictures of scenes: image, labels, prediction and uncertainty side by side.

Pure functions on NumPy arrays. Figures are plain ``Figure`` objects, so nothing here touches
pyplot's state or needs a display.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch

Color = Sequence[int]

OOD_COLOR = (0, 255, 255)
"""Cyan, unlike any color of the palettes in use for road scenes."""

IGNORED_COLOR = (0, 0, 0)

COLORMAP = 'inferno'

_GAP = 4  # white pixels between the parts of a panel
_COLUMN_WIDTH = 3.2  # inches
_LEGEND_COLUMNS = 8


@dataclass(frozen=True)
class Scene:
    """One row of :func:`scene_figure`.

    Attributes:
        image: RGB uint8, shape (H, W, 3).
        labels: Class ids, OOD id and ignored id, shape (H, W).
        prediction: Class ids, shape (H, W).
        maps: Name to uncertainty map of shape (H, W); every scene has the same names.
        title: Stands left of the row.
    """

    image: np.ndarray
    labels: np.ndarray
    prediction: np.ndarray
    maps: Mapping[str, np.ndarray] = field(default_factory=dict)
    title: str = ''


def color_labels(
    labels: np.ndarray,
    palette: Sequence[Color],
    ood_id: int | None = None,
    ignore_index: int = 255,
) -> np.ndarray:
    """Paint a label map: classes from the palette, OOD pixels cyan, ignored pixels black.

    Args:
        labels: Integers of shape (H, W).
        palette: One RGB color in 0..255 for each class.
        ood_id: Id of OOD pixels, if there are any.
        ignore_index: Id of ignored pixels.

    Returns:
        RGB uint8 array of shape (H, W, 3).

    Raises:
        ValueError: If ``labels`` holds an id that has no color.
    """
    colors = dict(enumerate(palette)) | {ignore_index: IGNORED_COLOR}
    if ood_id is not None:
        colors[ood_id] = OOD_COLOR
    ids, index = np.unique(labels, return_inverse=True)
    unknown = [int(i) for i in ids if int(i) not in colors]
    if unknown:
        raise ValueError(f'`labels` holds ids without a color: {unknown[:10]}')
    table = np.array([colors[int(i)] for i in ids], dtype=np.uint8)
    return table[index.reshape(labels.shape)]


def color_map(values: np.ndarray, upper: float | None = None) -> np.ndarray:
    """Paint an uncertainty map with a color scale from 0 (dark) to ``upper`` (bright).

    Args:
        values: Shape (H, W); larger values than ``upper`` are painted as ``upper``. With values
            below zero the scale starts at the lowest one.
        upper: End of the scale; None: the largest value of the map.

    Returns:
        RGB uint8 array of shape (H, W, 3).
    """
    return _paint(values, _scale([values], upper))


def uncertainty_panel(
    image: np.ndarray,
    labels: np.ndarray | None,
    prediction: np.ndarray,
    uncertainty: np.ndarray,
    palette: Sequence[Color],
    ood_id: int | None = None,
    ignore_index: int = 255,
    upper: float | None = None,
) -> np.ndarray:
    """Put image, labels, prediction and uncertainty of one scene side by side.

    Args:
        image: RGB uint8, shape (H, W, 3).
        labels: Shape (H, W), see :func:`color_labels`; None leaves this part out.
        prediction: Class ids, shape (H, W).
        uncertainty: Shape (H, W), see :func:`color_map`.
        palette: One RGB color in 0..255 for each class.
        ood_id: Id of OOD pixels, if there are any.
        ignore_index: Id of ignored pixels.
        upper: End of the color scale of ``uncertainty``; None: its largest value.

    Returns:
        RGB uint8 array of shape (H, 4 W + gaps, 3); 3 W without labels. The gaps are 4 pixels
        wide and white.

    Raises:
        ValueError: If the heights and widths differ or an id has no color.
    """
    maps = {'prediction': prediction, 'uncertainty': uncertainty}
    if labels is not None:
        maps['labels'] = labels
    check_shapes(image, maps)
    parts = [image]
    if labels is not None:
        parts.append(color_labels(labels, palette, ood_id, ignore_index))
    parts += [color_labels(prediction, palette), color_map(uncertainty, upper)]
    gap = np.full((image.shape[0], _GAP, 3), 255, dtype=np.uint8)
    spaced = [piece for part in parts for piece in (gap, part)]
    return np.concatenate(spaced[1:], axis=1)


def scene_figure(
    rows: Sequence[Scene],
    classes: Sequence[str],
    palette: Sequence[Color],
    ood_id: int | None = None,
    ignore_index: int = 255,
    upper: Mapping[str, float] | None = None,
) -> Figure:
    """Draw scenes as rows of image, labels, prediction and one column per uncertainty map.

    A map has one color scale, and one color bar, for all rows.

    Args:
        rows: At least one scene.
        classes: Names for the legend.
        palette: One RGB color in 0..255 for each class.
        ood_id: Id of OOD pixels, if there are any.
        ignore_index: Id of ignored pixels.
        upper: Name of a map to the end of its color scale; of other maps it is the largest value.

    Returns:
        A figure to save with ``figure.savefig(path)``.

    Raises:
        ValueError: If there is no scene, ``classes`` and ``palette`` differ in length, the scenes
            have different maps, the shapes within a scene differ or an id has no color.
    """
    if not rows:
        raise ValueError('`rows` must hold at least one scene')
    if len(classes) != len(palette):
        raise ValueError(
            f'`classes` and `palette` must have the same length, got {len(classes)} and '
            f'{len(palette)}'
        )
    names = list(rows[0].maps)
    for row in rows:
        if list(row.maps) != names:
            raise ValueError(f'every scene must have the maps {names}, got {list(row.maps)}')
        check_shapes(row.image, {'labels': row.labels, 'prediction': row.prediction, **row.maps})
    scales = {
        name: _scale([row.maps[name] for row in rows], (upper or {}).get(name)) for name in names
    }
    titles = ['image', 'labels', 'prediction', *names]
    entries = dict(zip(classes, palette, strict=True))
    if ood_id is not None:
        entries['OOD (in the labels)'] = OOD_COLOR
    entries['ignored'] = IGNORED_COLOR
    figure, axes = _make_grid(rows[0].image.shape, len(rows), len(titles), len(entries))
    for row, row_axes in zip(rows, axes, strict=False):  # the last row of axes is for color bars
        pictures = [
            row.image,
            color_labels(row.labels, palette, ood_id, ignore_index),
            color_labels(row.prediction, palette),
            *(_paint(row.maps[name], scales[name]) for name in names),
        ]
        _draw_row(row_axes, pictures, row.title)
    for axis, title in zip(axes[0], titles, strict=True):
        axis.set_title(title.replace('_', ' '))
    num_plain = len(titles) - len(names)
    for axis in axes[-1, :num_plain]:
        axis.set_axis_off()
    for axis, name in zip(axes[-1, num_plain:], names, strict=True):
        scale = ScalarMappable(scales[name], COLORMAP)
        figure.colorbar(scale, cax=axis, orientation='horizontal')
    _draw_legend(figure, entries)
    return figure


def _make_grid(
    image_shape: tuple[int, ...], num_rows: int, num_columns: int, num_entries: int
) -> tuple[Figure, np.ndarray]:
    """Make a figure with one row of axes per scene and a low one for the color bars."""
    row_height = _COLUMN_WIDTH * image_shape[0] / image_shape[1]
    legend_rows = -(-num_entries // _LEGEND_COLUMNS)
    # Inches for the titles, the color bars with their numbers, and the legend.
    height = (row_height + 0.1) * num_rows + 0.35 + 0.55 + 0.25 * legend_rows
    figure = Figure(figsize=(_COLUMN_WIDTH * num_columns, height), layout='constrained')
    ratios = [row_height] * num_rows + [0.12]
    axes = figure.subplots(num_rows + 1, num_columns, squeeze=False, height_ratios=ratios)
    return figure, axes


def _draw_row(axes: Sequence[Axes], pictures: Sequence[np.ndarray], title: str) -> None:
    for axis, picture in zip(axes, pictures, strict=True):
        # Colors of classes must not be mixed at their borders.
        axis.imshow(picture, interpolation='nearest')
        axis.set_xticks([])
        axis.set_yticks([])
    axes[0].set_ylabel(title)


def _draw_legend(figure: Figure, entries: Mapping[str, Color]) -> None:
    patches = [
        Patch(facecolor=_hex(color), edgecolor='0.5', label=name.replace('_', ' '))
        for name, color in entries.items()
    ]
    figure.legend(
        handles=patches,
        loc='outside lower center',
        ncols=min(_LEGEND_COLUMNS, len(patches)),
        frameon=False,
    )


def _hex(color: Color) -> str:
    return '#{:02x}{:02x}{:02x}'.format(*color)


def check_shapes(image: np.ndarray, maps: Mapping[str, np.ndarray]) -> None:
    """Raise ValueError if an image is no picture, or a map of it has another height or width."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(
            f'`image` must be uint8 of shape (H, W, 3), got {image.dtype} {image.shape}'
        )
    for name, values in maps.items():
        if values.shape != image.shape[:2]:
            raise ValueError(
                f'`{name}` must have the shape of the image, {image.shape[:2]}, got {values.shape}'
            )


def _paint(values: np.ndarray, scale: Normalize) -> np.ndarray:
    return matplotlib.colormaps[COLORMAP](scale(values), bytes=True)[..., :3]


def _scale(maps: Sequence[np.ndarray], upper: float | None) -> Normalize:
    lowest = min(float(values.min()) for values in maps)
    highest = max(float(values.max()) for values in maps) if upper is None else upper
    low = min(lowest, 0.0)
    # a constant map is dark, not an empty scale; scores that are all below zero end there
    return Normalize(low, highest if highest > low else low + 1.0)
