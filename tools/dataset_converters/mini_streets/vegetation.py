"""Trees, bushes and hedges."""

from __future__ import annotations

import cv2
import numpy as np

from .canvas import Colour
from .config import StoredId
from .shapes import limb, pick, value_noise
from .stage import Stage

_LEAVES: list[Colour] = [
    (72, 98, 46),
    (92, 116, 54),
    (58, 84, 50),
    (112, 124, 62),
    (84, 104, 66),
    (138, 118, 54),
]
_BARK: list[Colour] = [(84, 70, 56), (104, 94, 82), (66, 58, 52)]


def draw_tree(stage: Stage, x: float, z: float) -> None:
    """A tree: trunk, a few branches, a crown of several lumps."""
    rng = stage.rng
    trunk, crown = rng.uniform(1.8, 3.0), rng.uniform(1.3, 2.6)
    bark = pick(rng, _BARK, 8)
    texture = stage.canvas.texture(0.06, 0.05, 0.10)
    radius = rng.uniform(0.12, 0.24)
    top = trunk + 0.9 * crown
    lean = rng.normal(0, 0.15)
    stem = limb((0, 0), (lean, top), radius, 0.5 * radius)
    stage.billboard(stem, (x, z), bark, StoredId.VEGETATION, texture)
    leaves = pick(rng, _LEAVES, 9)
    tall = rng.uniform(0.85, 1.5)
    for _ in range(int(rng.integers(3, 6))):
        dx, dy = rng.uniform(-0.55, 0.55, 2) * crown
        size = crown * rng.uniform(0.55, 0.8)
        centre = (x + lean + dx, trunk + crown * tall + dy * tall)
        draw_foliage(stage, centre, z, (size, size * tall), leaves)


def draw_bush(stage: Stage, x: float, z: float, width: float, height: float) -> None:
    """A bush or a piece of hedge that stands on the ground."""
    leaves = pick(stage.rng, _LEAVES, 9)
    draw_foliage(stage, (x, 0.45 * height), z, (width / 2, 0.6 * height), leaves)


def draw_foliage(
    stage: Stage,
    centre: tuple[float, float],
    z: float,
    radius: tuple[float, float],
    colour: Colour,
) -> None:
    """A ragged lump of leaves, lighter on the side of the light.

    Args:
        stage: The image.
        centre: X and Y, metres.
        z: Depth, metres.
        radius: Half extents along X and Y, metres.
        colour: RGB albedo of the leaves.
    """
    rng, camera = stage.rng, stage.camera
    column, row = camera.project(np.array([centre[0], centre[1], z]))
    rx, ry = (max(1.5, camera.scale(z) * extent) for extent in radius)
    rows, columns = camera.shape
    left, right = max(0, int(column - 1.3 * rx)), min(columns, int(column + 1.3 * rx) + 2)
    top, bottom = max(0, int(row - 1.3 * ry)), min(rows, int(row + 1.3 * ry) + 2)
    if left >= right or top >= bottom:
        return
    shape = (bottom - top, right - left)
    y, x = np.mgrid[top:bottom, left:right].astype(np.float32)
    x, y = (x + 0.5 - column) / rx, (y + 0.5 - row) / ry
    leaf = max(1.5, 0.13 * camera.scale(z))
    lumps = value_noise(rng, shape, (4 * leaf, 4 * leaf))
    grain = value_noise(rng, shape, (leaf, leaf))
    mask = x**2 + y**2 + 0.16 * lumps + 0.13 * grain < 1
    sunward = float(np.sign(stage.light.sun[0])) * 0.12
    tone = 0.88 - 0.24 * y + sunward * x + 0.14 * lumps + stage.config.texture_gain * 0.13 * grain
    rgb = np.asarray(colour, dtype=np.float32) * np.clip(tone, 0.3, 1.6)[..., None]
    foot = camera.project(np.array([centre[0], 0.0, z]))[1]
    mask[max(0, int(foot) - top) :] = False  # nothing grows below the ground
    mask = cv2.medianBlur(mask.astype(np.uint8), 3).astype(bool)
    texture = stage.canvas.texture(0.10, 0.04)
    stage.canvas.stamp(mask, (left, top), rgb, StoredId.VEGETATION, z, texture)
