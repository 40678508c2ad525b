"""Out-of-distribution furniture: sofas, tables, chairs, mattresses, kitchen machines, tents."""

from __future__ import annotations

import numpy as np

from .canvas import Colour
from .config import StoredId
from .mesh import Decal, box, draw_solid, extrude
from .shapes import ellipse, limb, pick, shade
from .skin import apply_pattern
from .stage import Stage

_ID = StoredId.OOD_OBJECT
_CLOTH: list[Colour] = [
    (134, 60, 56),
    (62, 88, 112),
    (104, 112, 76),
    (168, 148, 118),
    (92, 70, 96),
    (70, 72, 76),
    (196, 186, 168),
]
_WOOD: list[Colour] = [(132, 92, 58), (96, 66, 46), (172, 134, 90), (148, 112, 76)]
_METAL: list[Colour] = [(206, 206, 202), (150, 154, 158), (110, 118, 122), (96, 120, 132)]
_ACCENT: list[Colour] = [(226, 222, 210), (48, 44, 42), (112, 82, 56), (90, 104, 120)]


def draw_sofa(stage: Stage, where: tuple[float, float], size: float) -> int:
    """An upholstered sofa or armchair. Returns the texture that only it shows."""
    rng = stage.rng
    texture = stage.canvas.texture(0.04, 0.05, 0.02, own=True)
    cloth = pick(rng, _CLOTH)
    wide = rng.choice([1.0, 1.8, 2.1])
    faces = box((wide, 0.42, 0.9), shade(cloth, 0.9))
    faces += box((wide, 0.9, 0.24), cloth, (0, 0, 0.45))
    for side in (-1, 1):
        faces += box((0.22, 0.62, 0.95), shade(cloth, 0.96), (side * wide / 2, 0, 0))
    faces += box((wide - 0.25, 0.14, 0.72), shade(cloth, 1.1), (0, 0.42, -0.06))
    draw_solid(stage, faces, where, rng.uniform(-0.9, 0.9), _ID, texture, size)
    pattern = str(rng.choice(['plain', 'plain', 'checks', 'stripes', 'spots']))
    apply_pattern(stage, texture, pattern, cloth, pick(rng, _ACCENT))
    return texture


def draw_seat(stage: Stage, where: tuple[float, float], size: float) -> int:
    """A wooden chair, or a table. Returns the texture that only it shows."""
    rng = stage.rng
    texture = stage.canvas.texture(0.04, 0.04, 0.05, own=True)
    wood = pick(rng, _WOOD)
    table = rng.random() < 0.5
    wide, deep, high = (1.3, 0.9, 0.75) if table else (0.55, 0.55, 0.5)
    leg = 0.05 if table else 0.035
    faces = []
    for x in (-1, 1):
        for z in (-1, 1):
            corner = (x * (wide / 2 - leg), 0.0, z * (deep / 2 - leg))
            faces += box((2 * leg, high, 2 * leg), shade(wood, 0.85), corner)
    faces += box((wide, 0.09, deep), wood, (0, high, 0))
    if not table:
        faces += box((wide, 0.5, 0.07), shade(wood, 1.05), (0, high + 0.12, deep / 2))
    factor = size * (1.0 if table else 1.3)
    draw_solid(stage, faces, where, rng.uniform(-1.2, 1.2), _ID, texture, factor)
    apply_pattern(stage, texture, 'grain', wood, shade(wood, 0.6))
    return texture


def draw_mattress(stage: Stage, where: tuple[float, float], size: float) -> int:
    """A mattress that stands or lies. Returns the texture that only it shows."""
    rng = stage.rng
    texture = stage.canvas.texture(0.03, 0.06, 0.02, own=True)
    cloth = pick(rng, _CLOTH)
    extent = (1.9, 0.45, 1.0) if rng.random() < 0.4 else (1.7, 1.1, 0.24)
    draw_solid(stage, box(extent, cloth), where, rng.uniform(-0.8, 0.8), _ID, texture, size)
    pattern = str(rng.choice(['stripes', 'checks', 'patches', 'plain']))
    apply_pattern(stage, texture, pattern, cloth, pick(rng, _ACCENT))
    return texture


def draw_appliance(stage: Stage, where: tuple[float, float], size: float) -> int:
    """A fridge or a washing machine. Returns the texture that only it shows."""
    rng = stage.rng
    texture = stage.canvas.texture(0.02, 0.04, 0.02, own=True)
    metal = pick(rng, _METAL)
    fridge = rng.random() < 0.5
    wide, high, deep = (0.75, 1.7, 0.7) if fridge else (0.7, 0.9, 0.65)
    faces = box((wide, high, deep), metal)
    front = faces[2]
    z = -deep / 2

    def patch(points: np.ndarray, colour: Colour) -> None:
        corners = np.stack([points[:, 0], points[:, 1], np.full(len(points), z)], axis=1)
        front.decals.append(Decal(corners, colour))

    if fridge:
        split = 0.62 * high
        patch(limb((-wide / 2, split), (wide / 2, split), 0.015, 0.015), shade(metal, 0.5))
        for low, top in ((0.35, 0.56), (0.68, 0.85)):
            handle = limb((-0.28, low * high), (-0.28, top * high), 0.025, 0.025)
            patch(handle, shade(metal, 0.55))
    else:
        patch(ellipse((0, 0.42), 0.25, 0.25), shade(metal, 0.7))
        patch(ellipse((0, 0.42), 0.19, 0.19), (52, 58, 66))
        patch(limb((-0.2, 0.8), (0.05, 0.8), 0.04, 0.04), shade(metal, 0.6))
    draw_solid(stage, faces, where, rng.uniform(-0.7, 0.7), _ID, texture, size)
    return texture


def draw_tent(stage: Stage, where: tuple[float, float], size: float) -> int:
    """A ridge tent or a tarpaulin over a heap. Returns the texture that only it shows."""
    rng = stage.rng
    texture = stage.canvas.texture(0.03, 0.07, 0.03, own=True)
    cloth = pick(rng, _CLOTH)
    profile = np.array([(-0.9, 0.0), (0.9, 0.0), (0.12, 1.15), (-0.12, 1.15)])
    faces = extrude(profile, 1.9, [cloth] * 4, shade(cloth, 0.9))
    door = np.array([(-0.95, 0.0, -0.35), (-0.95, 0.0, 0.35), (-0.95, 0.85, 0.0)])
    faces[-2].decals.append(Decal(door, shade(cloth, 0.35)))
    faces[-1].decals.append(Decal(door * [-1, 1, 1], shade(cloth, 0.35)))
    size *= rng.uniform(0.8, 1.1)
    draw_solid(stage, faces, where, rng.uniform(-1.6, 1.6), _ID, texture, size)
    pattern = str(rng.choice(['plain', 'stripes', 'patches']))
    apply_pattern(stage, texture, pattern, cloth, pick(rng, _ACCENT))
    return texture
