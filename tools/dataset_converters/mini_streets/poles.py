"""Street lights, posts and traffic signs."""

from __future__ import annotations

import numpy as np

from .canvas import Colour
from .config import StoredId
from .shapes import (
    ellipse,
    limb,
    pick,
    rectangle,
    regular_polygon,
    shade,
)
from .stage import Stage

_METAL: list[Colour] = [(158, 162, 166), (140, 144, 150), (172, 172, 170), (112, 118, 124)]
_RED: Colour = (178, 32, 38)
_BLUE: Colour = (34, 72, 150)
_WHITE: Colour = (226, 226, 222)
_YELLOW: Colour = (222, 176, 40)
_GREEN: Colour = (36, 104, 74)
_BLACK: Colour = (30, 30, 30)


def draw_street_light(stage: Stage, x: float, z: float, towards: float) -> None:
    """A street light whose arm reaches to the side ``towards`` (-1 left, 1 right)."""
    rng = stage.rng
    height, radius = rng.uniform(5.0, 7.5), rng.uniform(*stage.config.pole_radius)
    metal = pick(rng, _METAL, 8)
    texture = stage.canvas.texture(0.02, 0.02, 0.05)

    def part(points: np.ndarray, colour: Colour, glow: float = 0.0) -> None:
        stage.billboard(points, (x, z), colour, StoredId.POLE, texture, glow)

    reach = towards * rng.uniform(0.8, 2.2)
    part(limb((0, 0), (0, height), radius, 0.7 * radius), metal)
    lit_side = -1 if stage.light.sun[0] < 0 else 1
    part(
        limb(
            (-lit_side * 0.5 * radius, 0),
            (-lit_side * 0.4 * radius, height),
            0.4 * radius,
            0.3 * radius,
        ),
        shade(metal, 0.7),
    )
    part(rectangle(-1.5 * radius, 0, 1.5 * radius, 0.7), shade(metal, 0.85))
    part(limb((0, height), (reach, height + 0.35), 0.7 * radius, 0.55 * radius), metal)
    glow = 1.0 if stage.light.dark else 0.0
    lamp: Colour = (255, 226, 170) if stage.light.dark else (206, 208, 204)
    part(ellipse((reach, height + 0.3), 0.42, 0.15), shade(metal, 0.8))
    part(ellipse((reach, height + 0.24), 0.34, 0.10), lamp, glow)


def draw_post(stage: Stage, x: float, z: float) -> None:
    """A bollard, or a tall wooden or concrete mast."""
    rng = stage.rng
    mast = rng.random() < 0.6
    height = rng.uniform(6.0, 9.0) if mast else rng.uniform(0.9, 1.2)
    radius = rng.uniform(*stage.config.pole_radius) * (1.1 if mast else 0.9)
    tones: list[Colour] = [*_METAL, (146, 140, 130)]
    colour = pick(rng, tones, 8)
    texture = stage.canvas.texture(0.02, 0.02, 0.05)
    body = limb((0, 0), (0, height), radius, 0.85 * radius)
    stage.billboard(body, (x, z), colour, StoredId.POLE, texture)
    if mast:
        bar = rectangle(-0.9, height - 0.7, 0.9, height - 0.52)
        stage.billboard(bar, (x, z), shade(colour, 0.85), StoredId.POLE, texture)
    else:
        band = rectangle(-radius, 0.72 * height, radius, 0.84 * height)
        stage.billboard(band, (x, z), _WHITE, StoredId.POLE, texture)


def draw_sign(stage: Stage, x: float, z: float) -> None:
    """A traffic sign on its post, sometimes two above each other."""
    rng = stage.rng
    size = float(rng.uniform(*stage.config.sign_size)) / 2
    low = float(rng.uniform(2.0, 2.5))
    metal = pick(rng, _METAL, 8)
    post = limb((0, 0), (0, low + size), *[0.6 * stage.config.pole_radius[1]] * 2)
    stage.billboard(post, (x, z), metal, StoredId.POLE, stage.canvas.texture(0.02, 0.02, 0.05))
    _draw_plate(stage, (x, z), low + size, size)
    if rng.random() < 0.3:
        _draw_plate(stage, (x, z), low - 0.75 * size, 0.72 * size)


def _draw_plate(stage: Stage, where: tuple[float, float], height: float, size: float) -> None:
    """One plate with its centre at ``height`` and half extent ``size``."""
    rng = stage.rng
    texture = stage.canvas.texture(0.015, 0.03)
    facing = rng.uniform(0.88, 1.0)  # slightly turned away

    def part(points: np.ndarray, colour: Colour) -> None:
        stage.billboard(
            points * [size * facing, size] + [0, height],
            where,
            shade(colour, 0.95),
            StoredId.TRAFFIC_SIGN,
            texture,
        )

    kind = int(rng.integers(7))
    if kind == 0:  # prohibition
        part(regular_polygon(24, 1.0), _RED)
        part(regular_polygon(24, 0.72), _WHITE)
        part(rectangle(-0.28, -0.3, -0.06, 0.3), _BLACK)
        part(rectangle(0.1, -0.3, 0.32, 0.3), _BLACK)
    elif kind == 1:  # warning
        part(regular_polygon(3, 1.15, np.pi / 2), _RED)
        part(regular_polygon(3, 0.72, np.pi / 2), _WHITE)
        part(rectangle(-0.09, -0.12, 0.09, 0.34), _BLACK)
    elif kind == 2:  # stop
        part(regular_polygon(8, 1.04, np.pi / 8), _WHITE)
        part(regular_polygon(8, 0.94, np.pi / 8), _RED)
        part(rectangle(-0.62, -0.16, 0.62, 0.16), _WHITE)
    elif kind == 3:  # give way
        part(regular_polygon(3, 1.15, -np.pi / 2), _RED)
        part(regular_polygon(3, 0.68, -np.pi / 2), _WHITE)
    elif kind == 4:  # mandatory
        part(regular_polygon(24, 1.0), _BLUE)
        part(np.array([(-0.12, -0.55), (0.12, -0.55), (0.12, 0.1), (-0.12, 0.1)]), _WHITE)
        part(np.array([(-0.38, 0.08), (0.38, 0.08), (0.0, 0.6)]), _WHITE)
    elif kind == 5:  # priority
        part(regular_polygon(4, 1.1), _WHITE)
        part(regular_polygon(4, 0.86), _YELLOW)
    else:  # parking or direction
        ground = _BLUE if rng.random() < 0.6 else _GREEN
        wide = float(rng.choice([0.9, 1.5]))
        part(rectangle(-wide, -0.85, wide, 0.85), _WHITE)
        part(rectangle(-wide + 0.09, -0.76, wide - 0.09, 0.76), ground)
        part(rectangle(-0.35 * wide, -0.45, -0.15 * wide, 0.45), _WHITE)
        part(rectangle(-0.15 * wide, 0.05, 0.35 * wide, 0.25), _WHITE)
