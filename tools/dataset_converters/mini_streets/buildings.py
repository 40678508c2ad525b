"""Houses along the street: walls with windows, shops, roofs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .canvas import Colour
from .config import StoredId
from .shapes import mix, pick, shade, vary
from .stage import Stage

FACADES: list[Colour] = [
    (168, 88, 66),
    (186, 150, 112),
    (150, 148, 146),
    (206, 194, 172),
    (198, 172, 118),
    (118, 98, 86),
    (124, 136, 148),
    (214, 208, 204),
    (158, 116, 96),
    (134, 128, 108),
]
_ROOFS: list[Colour] = [(132, 70, 54), (92, 84, 82), (72, 76, 84), (118, 92, 74)]
_GLASS: list[Colour] = [(54, 64, 76), (78, 92, 106), (42, 44, 50), (98, 116, 130)]
_LIT: list[Colour] = [(255, 214, 140), (255, 230, 180), (250, 190, 110)]
_AWNINGS: list[Colour] = [(150, 40, 40), (40, 84, 60), (46, 62, 112), (180, 150, 90), (90, 88, 86)]
_LIT_SHARE = {'day': 0.0, 'dusk': 0.2, 'night': 0.35}

_DEPTH = 14.0  # metres that a house reaches away from the street
_FRAME = 0.12  # metres of window frame
_NARROWEST = 3.0  # canvas pixels; windows of narrower bays are left out

Ground = tuple[float, float]  # X and Z


@dataclass(frozen=True)
class _Style:
    """How the walls of a house look. Shares are of a bay or a floor."""

    texture: int
    facade: Colour
    frame: Colour
    glass: Colour
    window: tuple[float, float]  # shares that a window takes: width, height
    bay: float  # metres
    floor: float  # metres
    lit_share: float
    awning: Colour | None  # of the shop on the ground floor, if there is one


def draw_building(
    stage: Stage, side: int, x: float, near: float, far: float, height: float
) -> None:
    """A house along the street.

    Args:
        stage: The image.
        side: 0 = left of the road, 1 = right.
        x: X of the front.
        near: Z of its near end, metres.
        far: Z of its far end.
        height: Metres.
    """
    rng = stage.rng
    style = _sample_style(stage, height)
    away = 1.0 if side else -1.0
    back = x + away * _DEPTH
    end_light = 0.95 * stage.light.facing(np.array([0.0, 0.0, -1.0]))
    front_light = stage.light.facing(np.array([-away, 0.0, 0.0]))
    if rng.random() < 0.5:  # pitched roof, ridge along the street
        ridge, top = x + away * 5, height + rng.uniform(2, 4)
        gable = [(x, height, near), (ridge, top, near), (2 * ridge - x, height, near)]
        _patch(stage, style, gable, shade(style.facade, end_light))
        eave = x - away * 0.3
        roof = [(eave, height, near), (eave, height, far), (ridge, top, far), (ridge, top, near)]
        _patch(stage, style, roof, shade(pick(rng, _ROOFS), front_light))
    _draw_wall(stage, style, (x, near), (back, near), height, end_light, shop=False)
    _draw_wall(stage, style, (x, near), (x, far), height, front_light, shop=True)
    cornice = shade(style.facade, front_light * rng.choice([0.75, 1.2]))
    _patch(stage, style, _upright((x, near), (x, far), height - 0.4, height), cornice)


def _sample_style(stage: Stage, height: float) -> _Style:
    rng = stage.rng
    facade = pick(rng, FACADES, 10)
    glass = pick(rng, _GLASS, 8)
    if stage.light.time == 'day':  # windows mirror the sky
        red, green, blue = np.minimum(255 * stage.light.zenith, 255)
        glass = mix(glass, (red, green, blue), rng.uniform(0.0, 0.35))
    fine, coarse = round(rng.uniform(0.01, 0.05), 2), round(rng.uniform(0.02, 0.07), 2)
    return _Style(
        texture=stage.canvas.texture(fine, coarse, 0.015),
        facade=facade,
        frame=shade(facade, rng.choice([0.7, 1.25])),
        glass=glass,
        window=(rng.uniform(0.35, 0.65), rng.uniform(0.45, 0.65)),
        bay=rng.uniform(2.4, 3.8),
        floor=height / max(1, round(height / rng.uniform(2.9, 3.6))),
        lit_share=_LIT_SHARE[stage.light.time],
        awning=pick(rng, _AWNINGS) if rng.random() < 0.4 else None,
    )


def _draw_wall(
    stage: Stage,
    style: _Style,
    start: Ground,
    end: Ground,
    height: float,
    light: float,
    shop: bool,
) -> None:
    """A wall from ``start`` to ``end``, bay by bay, those next to ``end`` first."""
    first, last = np.array(start), np.array(end)
    bays = max(1, round(float(np.linalg.norm(last - first)) / style.bay))
    for index in reversed(range(bays)):
        left = first + (last - first) * (index / bays)
        right = first + (last - first) * ((index + 1) / bays)
        bay = (tuple(left), tuple(right))
        wall = _upright(*bay, 0, height)
        _patch(stage, style, wall, shade(style.facade, light))
        columns = stage.camera.project(np.array(wall))[:2, 0]
        if abs(columns[1] - columns[0]) >= _NARROWEST:
            _draw_windows(stage, style, bay, height, light, shop)


def _draw_windows(
    stage: Stage,
    style: _Style,
    bay: tuple[Ground, Ground],
    height: float,
    light: float,
    shop: bool,
) -> None:
    """The windows of one bay, one above the other, or a shop below them."""
    rng = stage.rng
    width = float(np.hypot(bay[1][0] - bay[0][0], bay[1][1] - bay[0][1]))
    for level in range(round(height / style.floor)):
        half = style.window[0] / 2
        low = (level + 0.5 - style.window[1] / 2) * style.floor
        high = (level + 0.5 + style.window[1] / 2) * style.floor
        if level == 0 and shop and style.awning:
            half, low, high = 0.42, 0.4, 0.8 * style.floor
        lit = rng.random() < style.lit_share
        pane = pick(rng, _LIT, 8) if lit else shade(vary(rng, style.glass, 6), light)
        outer = _share_of(bay, half + _FRAME / width)
        inner = _share_of(bay, half)
        frame = _upright(*outer, low - _FRAME, high + _FRAME)
        _patch(stage, style, frame, shade(style.frame, light))
        glow = float(rng.uniform(0.4, 0.9)) if lit else 0.0
        _patch(stage, style, _upright(*inner, low, high), pane, glow)
    if shop and style.awning:
        low = 0.85 * style.floor
        _patch(stage, style, _upright(*bay, low, low + 0.6), shade(style.awning, light))


def _share_of(bay: tuple[Ground, Ground], half: float) -> tuple[Ground, Ground]:
    """The middle of a bay, ``half`` of its width to both sides."""
    (x0, z0), (x1, z1) = bay
    middle_x, middle_z = (x0 + x1) / 2, (z0 + z1) / 2
    dx, dz = half * (x1 - x0), half * (z1 - z0)
    return (middle_x - dx, middle_z - dz), (middle_x + dx, middle_z + dz)


def _upright(
    left: Ground, right: Ground, low: float, high: float
) -> list[tuple[float, float, float]]:
    """Corners of an upright rectangle over two ground points."""
    (x0, z0), (x1, z1) = left, right
    return [(x0, low, z0), (x1, low, z1), (x1, high, z1), (x0, high, z0)]


def _patch(
    stage: Stage,
    style: _Style,
    corners: list[tuple[float, float, float]],
    colour: Colour,
    glow: float = 0.0,
) -> None:
    world = np.array(corners, dtype=float)
    pixels = stage.camera.project(world)
    depth = float(world[:, 2].mean())
    stage.canvas.polygon(pixels, colour, StoredId.BUILDING, depth, style.texture, glow)
