"""What closes the view: the sky, and a far skyline under it."""

from __future__ import annotations

import numpy as np

from .buildings import FACADES
from .canvas import SKY_DEPTH, Colour
from .config import StoredId
from .shapes import pick, value_noise, vary
from .stage import Stage


def draw_sky(stage: Stage) -> None:
    """Fill the canvas with sky: a gradient, clouds, and a glow around a low sun."""
    canvas, light, rng, camera = stage.canvas, stage.light, stage.rng, stage.camera
    rows, columns = canvas.shape
    up = np.clip(1 - np.arange(rows) / max(camera.horizon, 1), 0, 1)[:, None, None] ** 0.7
    sky = light.skyline * (1 - up) + light.zenith * up
    sky = np.broadcast_to(sky, (rows, columns, 3)).copy()
    cover = rng.uniform(-0.2, 1.3)
    cell = rows * rng.uniform(0.10, 0.22)
    cloud = (
        value_noise(rng, canvas.shape, (cell, 3 * cell))
        + 0.5 * value_noise(rng, canvas.shape, (cell / 2.5, cell))
        + 0.25 * value_noise(rng, canvas.shape, (cell / 6, cell / 3))
    )
    amount = np.clip((cloud - 1.2 + cover) * 0.6, 0, 0.75)[..., None]
    bright = 1.12 * light.skyline + 0.05
    sky = sky * (1 - amount) + (bright - 0.12 * np.clip(cloud - 1, 0, 1)[..., None]) * amount
    if light.time == 'dusk':
        column = camera.centre + rng.uniform(-0.4, 0.4) * columns
        x = (np.arange(columns)[None, :] - column) / (0.35 * columns)
        y = (np.arange(rows)[:, None] - camera.horizon) / (0.4 * rows)
        sky += 0.22 * np.exp(-(x**2) - y**2)[..., None] * light.direct
    canvas.paint[..., :3] = np.clip(255 * sky, 0, 255).astype(np.uint8)
    canvas.paint[..., 3] = 255
    canvas.info[...] = (StoredId.SKY, canvas.texture(0.0), SKY_DEPTH, 0)


def draw_skyline(stage: Stage) -> None:
    """A far row of houses or trees that closes the view at the horizon."""
    rng, camera, canvas = stage.rng, stage.camera, stage.canvas
    depth = rng.uniform(90, 160)
    trees = rng.random() < 0.5
    label = StoredId.VEGETATION if trees else StoredId.BUILDING
    texture = canvas.texture(0.10, 0.10) if trees else canvas.texture(0.05, 0.05)
    base: Colour = (70, 92, 54) if trees else pick(rng, FACADES)
    reach = camera.shape[1] / camera.scale(depth)
    x = camera.x - float(camera.shift(np.asarray(depth))) - reach
    height = rng.uniform(4, 9)
    while x < camera.x + 2 * reach:
        width = rng.uniform(3, 7) if trees else rng.uniform(7, 16)
        height = float(np.clip(height + rng.normal(0, 1.5), 3, 13))
        points = np.array(
            [[x, 0, depth], [x + width, 0, depth], [x + width, height, depth], [x, height, depth]]
        )
        if trees:
            points[2:, 0] += [-0.25 * width, 0.25 * width]
            points[:2, 0] += [-0.4 * width, 0.4 * width]
        canvas.polygon(camera.project(points), vary(rng, base, 8), label, depth, texture)
        x += width * (0.7 if trees else 1.0)
