"""What a picture shows."""

import numpy as np
from matplotlib.colors import to_rgb
from PIL import Image


def read_picture(path) -> np.ndarray:
    """Return a picture as an RGB array of shape (H, W, 3)."""
    return np.asarray(Image.open(path).convert('RGB'))


def places_of(picture: np.ndarray, color) -> np.ndarray:
    """Return x and y, from the top left, of all pixels of a color of Matplotlib; shape (n, 2)."""
    distance = np.abs(picture - 255 * np.array(to_rgb(color)))
    return np.argwhere((distance <= 1).all(axis=2))[:, ::-1]


def count_panels(picture: np.ndarray) -> int:
    """Return the number of axes in a row of a figure: their frames have two upright sides each."""
    dark = (picture < 60).all(axis=2)
    upright = dark.sum(axis=0) > 0.3 * picture.shape[0]
    sides = np.flatnonzero(np.diff(np.append(False, upright).astype(int)) == 1)
    return len(sides) / 2
