"""Out-of-distribution objects that lie about: boxes, drums, tyres, bags, debris, rolls."""

from __future__ import annotations

import numpy as np

from .canvas import Colour
from .config import StoredId
from .mesh import Decal, box, draw_solid, drum, extrude
from .shapes import (
    blob,
    ellipse,
    limb,
    mix,
    pick,
    regular_polygon,
    shade,
)
from .skin import apply_pattern, round_off
from .stage import Stage

_ID = StoredId.OOD_OBJECT
_WOOD: list[Colour] = [(132, 92, 58), (96, 66, 46), (172, 134, 90), (148, 112, 76)]
_CARD: list[Colour] = [(176, 136, 94), (156, 120, 84), (190, 156, 116)]
_DRUM: list[Colour] = [(58, 84, 120), (142, 62, 44), (84, 100, 70), (176, 140, 60), (70, 70, 72)]
_BAG: list[Colour] = [(38, 38, 42), (50, 60, 80), (196, 196, 192), (70, 84, 70), (112, 96, 70)]


def draw_boxes(stage: Stage, where: tuple[float, float], size: float) -> int:
    """A pile of cardboard boxes with tape. Returns the texture that only it shows."""
    rng = stage.rng
    texture = stage.canvas.texture(0.03, 0.04, 0.0, own=True)
    yaw = rng.uniform(-0.8, 0.8)
    level = 0.0
    wide = rng.uniform(0.8, 1.2)
    for _ in range(int(rng.integers(1, 4))):
        card = pick(rng, _CARD, 8)
        high, deep = wide * rng.uniform(0.5, 0.9), wide * rng.uniform(0.7, 1.1)
        offset = (rng.uniform(-0.1, 0.1), level, rng.uniform(-0.1, 0.1))
        faces = box((wide, high, deep), card, offset)
        tape = mix(card, (214, 200, 170), 0.6)
        for face in faces:
            low, high_corner = face.points.min(axis=0), face.points.max(axis=0)
            if face.normal[1] == 0:
                axis = 0 if face.normal[0] == 0 else 2
                strip = face.points.copy()
                middle = (low[axis] + high_corner[axis]) / 2
                strip[:, axis] = middle + 0.12 * (strip[:, axis] - middle)
                face.decals.append(Decal(strip, tape))
        draw_solid(stage, faces, where, yaw + rng.uniform(-0.3, 0.3), _ID, texture, size)
        level += high
        wide *= rng.uniform(0.65, 0.95)
    return texture


def draw_drums(stage: Stage, where: tuple[float, float], size: float) -> int:
    """One to three oil drums or bins. Returns the texture that only they show."""
    rng = stage.rng
    texture = stage.canvas.texture(0.03, 0.07, 0.05, own=True)
    count = int(rng.integers(1, 4))
    for index in reversed(range(count)):
        colour = pick(rng, _DRUM)
        x = where[0] + size * 0.62 * (index - (count - 1) / 2)
        spot = (x, where[1] + rng.uniform(0, 0.4))
        radius, high = 0.31, rng.uniform(0.8, 1.05)
        faces = []
        for level, tone in ((0.0, 1.0), (0.34, 0.92), (0.67, 1.0)):
            faces += drum(radius, high / 3, shade(colour, tone), (0, level * high, 0))[:-1]
        faces.append(drum(radius, high, colour, top_colour=shade(colour, 0.7))[-1])
        draw_solid(stage, faces, spot, 0.0, _ID, texture, size)
    return texture


def draw_tyres(stage: Stage, where: tuple[float, float], size: float) -> int:
    """A pile of tyres. Returns the texture that only it shows."""
    rng = stage.rng
    texture = stage.canvas.texture(0.03, 0.04, 0.0, own=True)
    rubber = pick(rng, [(44, 44, 46), (58, 56, 54)], 6)
    for level in range(int(rng.integers(2, 6))):
        offset = (rng.uniform(-0.08, 0.08), 0.23 * level, rng.uniform(-0.08, 0.08))
        tone = shade(rubber, rng.uniform(0.85, 1.2))
        faces = drum(0.40, 0.20, tone, offset, top_colour=shade(rubber, 1.25))
        top = faces[-1]
        centre = top.points.mean(axis=0)
        top.decals.append(Decal(centre + 0.55 * (top.points - centre), (20, 20, 20)))
        faces += drum(0.34, 0.03, shade(rubber, 0.5), (offset[0], offset[1] - 0.03, offset[2]))[:-1]
        draw_solid(stage, faces, where, 0.0, _ID, texture, size)
    return texture


def draw_bags(stage: Stage, where: tuple[float, float], size: float) -> int:
    """A heap of filled bags. Returns the texture that only it shows."""
    rng = stage.rng
    texture = stage.canvas.texture(0.03, 0.10, 0.04, own=True)
    tone = pick(rng, _BAG)
    for index in range(int(rng.integers(2, 5))):
        rx, ry = size * rng.uniform(0.30, 0.5), size * rng.uniform(0.26, 0.42)
        x = where[0] + size * rng.uniform(-0.55, 0.55) * (index > 0)
        colour = shade(tone, rng.uniform(0.8, 1.25))
        spot = (x, where[1] - 0.02 * index)
        stage.billboard(blob(rng, rx, ry), spot, colour, _ID, texture)
        knot = limb((0, 1.9 * ry), (rng.uniform(-0.1, 0.1), 2.25 * ry), 0.10 * size, 0.16 * size)
        stage.billboard(knot, spot, shade(colour, 0.8), _ID, texture)
        glint = ellipse((-0.3 * rx, 1.35 * ry), 0.3 * rx, 0.14 * ry)
        bright = mix(colour, (210, 214, 220), 0.35)
        stage.billboard(glint, spot, bright, _ID, texture)
    round_off(stage, texture, 1.3)
    return texture


def draw_debris(stage: Stage, where: tuple[float, float], size: float) -> int:
    """Planks and rubble thrown on a heap. Returns the texture that only it shows."""
    rng = stage.rng
    texture = stage.canvas.texture(0.06, 0.08, 0.03, own=True)
    stone = pick(rng, [(128, 120, 112), (150, 100, 80), (98, 96, 94)])
    heap = blob(rng, 0.75 * size, 0.28 * size, 0.2)
    stage.billboard(heap, where, stone, _ID, texture)
    apply_pattern(stage, texture, 'spots', stone, shade(stone, 0.55))
    for _ in range(int(rng.integers(4, 9))):
        x, y = rng.uniform(-0.7, 0.7) * size, rng.uniform(0.05, 0.4) * size
        angle, half = rng.uniform(0, np.pi), size * rng.uniform(0.3, 0.7)
        dx, dy = half * np.cos(angle), half * np.sin(angle) * 0.8
        start, end = (x - dx, max(0.03, y - dy)), (x + dx, max(0.03, y + dy))
        radius = size * rng.uniform(0.035, 0.07)
        plank = limb(start, end, radius, radius)
        stage.billboard(plank, where, pick(rng, _WOOD, 16), _ID, texture)
    round_off(stage, texture, 0.8)
    return texture


def draw_roll(stage: Stage, where: tuple[float, float], size: float) -> int:
    """A hay bale, a roll of carpet or a cable drum on its side. Returns its own texture."""
    rng = stage.rng
    texture = stage.canvas.texture(0.06, 0.05, 0.02, own=True)
    tone = pick(rng, [(178, 150, 92), (120, 96, 74), (104, 110, 108), (140, 84, 70)])
    radius, wide = rng.uniform(0.4, 0.7), rng.uniform(0.6, 1.6)
    profile = regular_polygon(16, radius) + np.array([0.0, radius])
    end = shade(tone, 0.85)
    faces = extrude(profile, wide, [tone] * len(profile), end)
    for face in faces[-2:]:
        centre = face.points.mean(axis=0)
        for share, factor in ((0.75, 1.1), (0.5, 0.8), (0.2, 0.4)):
            ring = centre + share * (face.points - centre)
            face.decals.append(Decal(ring, shade(end, factor)))
    draw_solid(stage, faces, where, rng.uniform(-1.6, 1.6), _ID, texture, size)
    apply_pattern(stage, texture, str(rng.choice(['plain', 'grain'])), tone, shade(tone, 0.7))
    return texture
