"""Pictures and video frames of predictions without labels.

Pure functions on NumPy arrays, without pyplot's state or a display.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from .browse import MIN_WIDTH, draw_legend, legend_entries, overlay_labels
from .colors import Color, color_bar, color_scale, paint
from .panels import check_shapes, side_by_side


def uncertainty_overlay(
    image: np.ndarray,
    prediction: np.ndarray,
    maps: Mapping[str, np.ndarray],
    classes: Sequence[str],
    palette: Sequence[Color],
    upper: Mapping[str, float] | None = None,
) -> np.ndarray:
    """Draw an image, the image under its prediction, and each uncertainty map with a color bar.

    A legend below names the classes that are predicted, with their shares of the pixels. A small
    image is enlarged by a whole factor.

    Args:
        image: RGB uint8, shape (H, W, 3).
        prediction: Class ids, shape (H, W).
        maps: Uncertainty by name of the score, shape (H, W) each; may be empty.
        classes: Names for the legend.
        palette: One RGB color in 0..255 for each class.
        upper: Name of a score to the end of its color scale; of others it is the largest value.

    Returns:
        RGB uint8 array.

    Raises:
        ValueError: If an array is not as above, or ``classes`` and ``palette`` differ in length.
    """
    if len(classes) != len(palette):
        raise ValueError(
            f'`classes` and `palette` must have the same length, got {len(classes)} and '
            f'{len(palette)}'
        )
    check_shapes(image, {'prediction': prediction, **maps})
    # no id is ignored or OOD in a prediction
    entries = legend_entries(prediction, classes, palette, ignore_index=-1)
    factor = -(-MIN_WIDTH // image.shape[1])
    image, prediction = _enlarged(image, factor), _enlarged(prediction, factor)
    parts = [image, overlay_labels(image, prediction, palette, ignore_index=-1)]
    for name, values in maps.items():
        scale = color_scale([values], (upper or {}).get(name))
        parts += [_enlarged(paint(values, scale), factor), color_bar(len(image), scale, name)]
    row = side_by_side(parts)
    return np.concatenate([row, draw_legend(entries, row.shape[1])])


def video_frame(
    image: np.ndarray,
    prediction: np.ndarray,
    uncertainty: np.ndarray,
    palette: Sequence[Color],
    upper: float | None = None,
    name: str = '',
) -> np.ndarray:
    """Draw the image under its prediction, and the uncertainty with a color bar, side by side.

    Args:
        image: RGB uint8, shape (H, W, 3).
        prediction: Class ids, shape (H, W).
        uncertainty: Shape (H, W).
        palette: One RGB color in 0..255 for each class.
        upper: End of the color scale, the same for all frames of a video; None: the largest value
            of this frame.
        name: Of the score, beside its color bar.

    Returns:
        RGB uint8 array whose height and width are even, as video codecs want them, and the same for
        all images of one size.

    Raises:
        ValueError: If an array is not as above.
    """
    check_shapes(image, {'prediction': prediction, 'uncertainty': uncertainty})
    scale = color_scale([uncertainty], upper)
    frame = side_by_side(
        [
            overlay_labels(image, prediction, palette, ignore_index=-1),
            paint(uncertainty, scale),
            color_bar(len(image), scale, name),
        ]
    )
    height, width = frame.shape[:2]
    rest = ((0, height % 2), (0, width % 2), (0, 0))
    return np.pad(frame, rest, constant_values=255)


def _enlarged(array: np.ndarray, factor: int) -> np.ndarray:
    return array.repeat(factor, 0).repeat(factor, 1)
