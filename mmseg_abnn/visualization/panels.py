"""Pictures of scenes: image, labels, prediction and uncertainty side by side.

Pure functions on NumPy arrays. Figures are plain ``Figure`` objects, so nothing here touches
pyplot's state or needs a display.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from .colors import (
    COLORMAP,
    IGNORED_COLOR,
    OOD_COLOR,
    Color,
    color_bar,
    color_labels,
    color_scale,
    ids_of,
    paint,
)

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


def uncertainty_panel(
    image: np.ndarray | None,
    labels: np.ndarray | None,
    prediction: np.ndarray,
    uncertainty: np.ndarray,
    palette: Sequence[Color],
    ood_id: int | Collection[int] | None = None,
    ignore_index: int = 255,
    upper: float | None = None,
    name: str = '',
    unknown: Color | None = None,
) -> np.ndarray:
    """Put image, labels, prediction and uncertainty of one scene side by side.

    Args:
        image: RGB uint8, shape (H, W, 3); None leaves this part out.
        labels: Shape (H, W), see :func:`color_labels`; None leaves this part out.
        prediction: Class ids, shape (H, W).
        uncertainty: Shape (H, W), see :func:`color_map`.
        palette: One RGB color in 0..255 for each class.
        ood_id: Id or ids of OOD pixels, if there are any.
        ignore_index: Id of ignored pixels.
        upper: End of the color scale of ``uncertainty``; None: its largest value.
        name: Of the uncertainty, beside its color bar.
        unknown: Color of labels that are no class, not OOD and not ignored; None: an error.

    Returns:
        RGB uint8 array of height H: the parts of width W, and the color bar. The gaps are 4 pixels
        wide and white.

    Raises:
        ValueError: If the heights and widths differ or an id has no color.
    """
    maps = {'uncertainty': uncertainty} | ({} if labels is None else {'labels': labels})
    if image is None:
        image = np.zeros((*prediction.shape, 3), np.uint8)
        check_shapes(image, maps, 'prediction')
        parts = []
    else:
        check_shapes(image, {'prediction': prediction, **maps})
        parts = [image]
    if labels is not None:
        parts.append(color_labels(labels, palette, ood_id, ignore_index, unknown))
    scale = color_scale([uncertainty], upper)
    parts += [color_labels(prediction, palette, unknown=unknown), paint(uncertainty, scale)]
    return side_by_side([*parts, color_bar(len(prediction), scale, name)])


def side_by_side(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Put pictures of one height, RGB uint8, side by side, with white gaps."""
    gap = np.full((parts[0].shape[0], _GAP, 3), 255, dtype=np.uint8)
    spaced = [piece for part in parts for piece in (gap, part)]
    return np.concatenate(spaced[1:], axis=1)


def scene_figure(
    rows: Sequence[Scene],
    classes: Sequence[str],
    palette: Sequence[Color],
    ood_id: int | Collection[int] | None = None,
    ignore_index: int = 255,
    upper: Mapping[str, float] | None = None,
) -> Figure:
    """Draw scenes as rows of image, labels, prediction and one column per uncertainty map.

    A map has one color scale, and one color bar, for all rows.

    Args:
        rows: At least one scene.
        classes: Names for the legend.
        palette: One RGB color in 0..255 for each class.
        ood_id: Id or ids of OOD pixels, if there are any.
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
        name: color_scale([row.maps[name] for row in rows], (upper or {}).get(name))
        for name in names
    }
    titles = ['image', 'labels', 'prediction', *names]
    entries = dict(zip(classes, palette, strict=True))
    if ids_of(ood_id):
        entries['OOD (in the labels)'] = OOD_COLOR
    entries['ignored'] = IGNORED_COLOR
    figure, axes = _make_grid(rows[0].image.shape, len(rows), len(titles), len(entries))
    for row, row_axes in zip(rows, axes, strict=False):  # the last row of axes is for color bars
        pictures = [
            row.image,
            color_labels(row.labels, palette, ood_id, ignore_index),
            color_labels(row.prediction, palette),
            *(paint(row.maps[name], scales[name]) for name in names),
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


def check_shapes(image: np.ndarray, maps: Mapping[str, np.ndarray], whole: str = 'image') -> None:
    """Raise ValueError if an image is no picture, or a map of it has another height or width.

    Args:
        image: RGB uint8, shape (H, W, 3).
        maps: Arrays of shape (H, W) by name.
        whole: What the message says that maps must be as large as.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(
            f'`image` must be uint8 of shape (H, W, 3), got {image.dtype} {image.shape}'
        )
    for name, values in maps.items():
        if values.shape != image.shape[:2]:
            raise ValueError(
                f'`{name}` must have the shape of the {whole}, {image.shape[:2]}, '
                f'got {values.shape}'
            )
