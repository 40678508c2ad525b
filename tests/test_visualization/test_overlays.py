"""Pictures and video frames of predictions without labels, and their colors."""

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import Normalize

from mmseg_abnn.visualization import uncertainty_overlay, video_frame
from mmseg_abnn.visualization.browse import overlay_labels
from mmseg_abnn.visualization.colors import color_bar, default_palette

CLASSES = ('road', 'car', 'sky')
PALETTE = [(128, 64, 128), (0, 0, 142), (70, 130, 180)]
WHITE = (255, 255, 255)


def scene(height, width):
    rng = np.random.default_rng(height * width)
    image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    prediction = rng.integers(0, 3, (height, width))
    return image, prediction, np.linspace(0, 1, height * width).reshape(height, width)


def painted(values, upper):
    scale = Normalize(0, upper)
    return matplotlib.colormaps['inferno'](scale(values), bytes=True)[..., :3]


def test_overlay_of_a_small_image():
    image, prediction, values = scene(16, 128)
    maps = {'entropy': values, 'own': values / 4}
    picture = uncertainty_overlay(image, prediction, maps, CLASSES, PALETTE, {'entropy': 2.0})
    assert picture.dtype == np.uint8
    large = [array.repeat(4, 0).repeat(4, 1) for array in (image, prediction, values)]
    bar = color_bar(64, Normalize(0, 2)).shape[1]
    starts = np.cumsum([0, 516, 516, 516, bar + 4])
    parts = [picture[:64, start : start + 512] for start in starts]
    np.testing.assert_array_equal(parts[0], large[0])
    np.testing.assert_array_equal(parts[1], overlay_labels(*large[:2], PALETTE))
    np.testing.assert_array_equal(parts[2], painted(large[2], 2.0))
    # its scale ends at its largest value
    np.testing.assert_array_equal(parts[4], painted(large[2], 1.0))
    assert picture.shape[1] == starts[-1] + 516 + bar
    # the legend names what is predicted, and nothing is called ignored or OOD
    legend = {tuple(color) for color in picture[64:].reshape(-1, 3).tolist()}
    assert {*PALETTE, WHITE} <= legend
    assert (0, 255, 255) not in legend


def test_a_class_of_the_id_that_labels_ignore():
    """In a prediction 255 is a class like any other."""
    image, prediction, _ = scene(8, 512)
    palette = default_palette(256)
    classes = [f'{k}' for k in range(256)]
    picture = uncertainty_overlay(image, prediction * 0 + 255, {}, classes, palette)
    expected = 0.4 * image + 0.6 * np.array(palette[255])
    np.testing.assert_allclose(picture[:8, 516:], expected, atol=0.5)


@pytest.mark.parametrize('size', [(32, 64), (33, 64), (32, 65), (41, 77)])
def test_video_frames_of_one_size(size):
    image, prediction, values = scene(*size)
    frames = [
        video_frame(image, prediction, values * top, PALETTE, 2.0, 'entropy') for top in (1, 0, 3)
    ]
    height, width = frames[0].shape[:2]
    assert {frame.shape for frame in frames} == {(height, width, 3)}
    assert height - size[0] in (0, 1)
    assert height % 2 == width % 2 == 0
    for frame, top in zip(frames, (1, 0, 3), strict=True):
        prediction_part, map_part = frame[: size[0], : size[1]], frame[: size[0], size[1] + 4 :]
        np.testing.assert_array_equal(prediction_part, overlay_labels(image, prediction, PALETTE))
        np.testing.assert_array_equal(map_part[:, : size[1]], painted(values * top, 2.0))
        # the same bar in all of them
        np.testing.assert_array_equal(
            map_part[:, size[1] :], frames[0][: size[0], 2 * size[1] + 4 :]
        )
    assert (frames[0][size[0] :] == 255).all()


@pytest.mark.parametrize('height', [40, 256, 1024])
@pytest.mark.parametrize('limits', [(0, 2.197), (-30, 0)])
def test_color_bar(height, limits):
    """From the lowest value below to the highest above, in even steps."""
    bar = color_bar(height, Normalize(*limits), 'mutual_information').astype(int)
    assert bar.shape == color_bar(height, Normalize(0, 1)).shape
    column = bar[:, round(bar.shape[1] * 1.25 / 8)]  # through the middle of the colors
    places = []
    for share in (0.1, 0.3, 0.5, 0.7, 0.9):
        distance = abs(column - matplotlib.colormaps['inferno'](share, bytes=True)[:3]).max(axis=1)
        assert distance.min() <= 12
        places.append(distance.argmin())
    steps = -np.diff(places)
    assert steps.min() > 0.1 * height
    assert steps.max() - steps.min() <= 2 + height / 200  # there are 256 colors
    assert (bar[0, 0] == 255).all()


def test_default_palette():
    for number in (1, 19, 150):
        colors = default_palette(number)
        assert len(set(colors)) == number
        assert colors == default_palette(number)
        assert all(len(color) == 3 and 0 <= min(color) <= max(color) <= 255 for color in colors)


def test_bad_arrays():
    image, prediction, values = scene(4, 6)
    with pytest.raises(ValueError, match=r'`entropy` must have .*, \(4, 6\), got \(3, 6\)'):
        uncertainty_overlay(image, prediction, {'entropy': values[1:]}, CLASSES, PALETTE)
    with pytest.raises(ValueError, match='must have the same length, got 2 and 3'):
        uncertainty_overlay(image, prediction, {}, CLASSES[:2], PALETTE)
    with pytest.raises(ValueError, match=r'`prediction` must have .*, \(4, 6\), got \(3, 6\)'):
        video_frame(image, prediction[1:], values, PALETTE)
    with pytest.raises(ValueError, match='`image` must be uint8'):
        video_frame(image / 255, prediction, values, PALETTE)
