"""The ground plan of a street and how its ground looks."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .canvas import Colour, depth_code
from .config import StoredId
from .shapes import pick, value_noise, vary
from .stage import Stage

_TILE = 256  # pixels of the ground's noise tile, along each axis
_TILE_DENSITY = 24.0  # noise pixels per metre
_KERB = 0.2  # metres
_TOWN = 15.0  # metres beside the road; grass grows farther out
_ROAD_TONES: list[Colour] = [(84, 84, 88), (98, 97, 98), (72, 74, 80), (106, 102, 98)]
_PAVING_TONES: list[Colour] = [
    (168, 160, 152),
    (180, 166, 150),
    (152, 148, 146),
    (176, 144, 126),
    (192, 186, 176),
]
_GRASS_TONES: list[Colour] = [(84, 112, 52), (104, 124, 60), (116, 116, 66)]


@dataclass(frozen=True)
class Road:
    """Ground plan; every length in metres, sides are (left, right).

    Attributes:
        edge: X of the two kerbs.
        paving: Widths of the two sidewalks.
        lawn: Whether grass follows behind the sidewalk.
        lanes: X of the lane centres, and the direction: 1 = ours, -1 = oncoming.
        lines: X and dash length of painted lines; dash 0 = solid.
        crossing: Z of a pedestrian crossing, or None.
        junction: First and last Z of a crossing street, or None.
    """

    edge: tuple[float, float]
    paving: tuple[float, float]
    lawn: tuple[bool, bool]
    lanes: tuple[tuple[float, int], ...]
    lines: tuple[tuple[float, float], ...]
    crossing: float | None
    junction: tuple[float, float] | None

    def beside(self, side: int, distance: float) -> float:
        """X of a point ``distance`` metres outside the kerb; ``side`` 0 = left, 1 = right."""
        return self.edge[side] + distance * (1 if side else -1)

    def in_junction(self, z: float, margin: float = 0.0) -> bool:
        """Whether depth ``z`` lies in the crossing street."""
        if self.junction is None:
            return False
        return self.junction[0] - margin < z < self.junction[1] + margin


def sample_road(rng: np.random.Generator) -> Road:
    """Draw a ground plan; X = 0 is the line between the two directions."""
    width = rng.uniform(3.0, 3.7)
    ours, theirs = int(rng.integers(1, 3)), int(rng.integers(1, 3))
    parking = [rng.uniform(1.8, 2.3) * (rng.random() < 0.4) for _ in range(2)]
    lanes = [((lane + 0.5) * width, 1) for lane in range(ours)]
    lanes += [(-(lane + 0.5) * width, -1) for lane in range(theirs)]
    lines = [] if rng.random() < 0.12 else [(0.0, float(rng.choice([0.0, 2.0, 3.0])))]
    lines += [(lane * width, 2.5) for lane in range(1, ours)]
    lines += [(-lane * width, 2.5) for lane in range(1, theirs)]
    if rng.random() < 0.4:
        lines += [(ours * width - 0.1, 0.0), (-theirs * width + 0.1, 0.0)]
    start = rng.uniform(12, 35)
    has_junction = rng.random() < 0.25
    return Road(
        edge=(-theirs * width - parking[0], ours * width + parking[1]),
        paving=(float(rng.uniform(3.0, 5.5)), float(rng.uniform(3.0, 5.5))),
        lawn=(bool(rng.random() < 0.3), bool(rng.random() < 0.3)),
        lanes=tuple(lanes),
        lines=tuple(lines),
        crossing=float(rng.uniform(7, 20)) if rng.random() < 0.3 else None,
        junction=(start, start + rng.uniform(7, 11)) if has_junction else None,
    )


def draw_ground(stage: Stage, road: Road) -> None:
    """Paint everything below the horizon: road, marks, kerb, sidewalk, grass."""
    rng, canvas = stage.rng, stage.canvas
    first = int(np.ceil(stage.camera.horizon + 0.5))
    x, z = stage.camera.ground(first)
    outside = np.maximum(road.edge[0] - x, x - road.edge[1])
    right = x > 0
    paved = outside < np.where(right, road.paving[1], road.paving[0])
    on_road = outside < 0
    if road.junction is not None:
        on_road |= (z > road.junction[0]) & (z < road.junction[1])
    lawn = np.where(right, road.lawn[1], road.lawn[0]) | (outside > _TOWN)
    grass = ~on_road & ~paved & lawn
    paved = ~on_road & ~grass

    noise = _ground_noise(rng, x, z)
    tone = np.empty((*x.shape, 3), dtype=np.float32)
    tone[on_road] = pick(rng, _ROAD_TONES, 9)
    tone[paved] = pick(rng, _PAVING_TONES, 9)
    tone[grass] = pick(rng, _GRASS_TONES, 8)
    tone[grass] *= 1 + 0.22 * noise[grass][:, None]
    tone[paved] *= (1 - _joints(rng, x, z))[paved][:, None]
    tone[paved & (outside < _KERB)] *= rng.uniform(0.95, 1.25)
    _wear_road(rng, tone, x, z, on_road)
    tone *= 1 + (stage.config.texture_gain * 0.09 * noise)[..., None]
    _paint_marks(rng, tone, x, z, on_road, noise, road)

    canvas.paint[first:, :, :3] = np.clip(tone, 0, 255).astype(np.uint8)
    canvas.paint[first:, :, 3] = 255
    label = np.where(on_road, StoredId.ROAD, StoredId.SIDEWALK)
    label[grass] = StoredId.VEGETATION
    canvas.info[first:, :, canvas.LABEL] = label
    canvas.info[first:, :, canvas.TEXTURE] = np.where(
        grass, canvas.texture(0.08, 0.05), canvas.texture(0.025, 0.02)
    )
    canvas.info[first:, :, canvas.DEPTH] = depth_code(z)
    canvas.info[first:, :, canvas.EMISSION] = 0


def _ground_noise(rng: np.random.Generator, x: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Grain that lies on the ground, finer with distance, of the shape of ``x``."""
    tile = (
        0.6 * rng.standard_normal((_TILE, _TILE), dtype=np.float32)
        + 0.5 * value_noise(rng, (_TILE, _TILE), (8, 8))
        + 0.4 * value_noise(rng, (_TILE, _TILE), (64, 64))
    )
    grid_x = np.mod(x * _TILE_DENSITY / 2, _TILE).astype(np.float32)
    grid_z = np.broadcast_to(np.mod(z * _TILE_DENSITY / 4, _TILE), x.shape).astype(np.float32)
    grain = cv2.remap(tile, grid_x, grid_z, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    return grain * np.minimum(1, 14 / z).astype(np.float32)


def _joints(rng: np.random.Generator, x: np.ndarray, z: np.ndarray) -> np.ndarray:
    """How much darker the joints between the slabs are, 0..1."""
    size = rng.uniform(0.5, 1.2)
    depth = rng.uniform(0.05, 0.22)
    joint = (np.mod(x, size) < 0.07) | (np.mod(z, size * rng.choice([1.0, 1.6])) < 0.08)
    return depth * joint * np.clip(1.4 - z / 18, 0, 1)


def _wear_road(
    rng: np.random.Generator, tone: np.ndarray, x: np.ndarray, z: np.ndarray, on_road: np.ndarray
) -> None:
    """Tyre tracks, repaired patches and manhole covers, in place."""
    tracks = 0.06 * rng.uniform(-1, 1) * np.cos(2 * np.pi * x / rng.uniform(1.6, 2.0))
    tone *= (1 + tracks * on_road)[..., None].astype(np.float32)
    for _ in range(int(rng.integers(0, 5))):
        left, near = rng.uniform(-6, 6), rng.uniform(4, 25)
        wide, deep = rng.uniform(0.5, 2.5), rng.uniform(1, 7)
        patch = on_road & (np.abs(x - left) < wide / 2) & (np.abs(z - near) < deep / 2)
        tone[patch] *= rng.uniform(0.75, 1.15)
    for _ in range(int(rng.integers(0, 3))):
        left, near = rng.uniform(-5, 5), rng.uniform(5, 16)
        cover = on_road & ((x - left) ** 2 + (z - near) ** 2 < 0.38**2)
        tone[cover] *= 0.6


def _paint_marks(
    rng: np.random.Generator,
    tone: np.ndarray,
    x: np.ndarray,
    z: np.ndarray,
    on_road: np.ndarray,
    noise: np.ndarray,
    road: Road,
) -> None:
    """Lane lines and a pedestrian crossing, in place, worn where the noise is low."""
    free = np.broadcast_to(np.ones_like(z, dtype=bool), x.shape)
    if road.junction is not None:
        free = free & ((z < road.junction[0] - 1) | (z > road.junction[1] + 1))
    marked = np.zeros_like(on_road)
    for centre, dash in road.lines:
        line = np.abs(x - centre) < 0.09
        if dash > 0:
            line &= np.mod(z, 3 * dash) < 1.2 * dash
        marked |= line & free
    if road.crossing is not None:
        zone = (z > road.crossing) & (z < road.crossing + 3.2)
        marked = (marked & ~zone) | (zone & (np.mod(x, 1.0) < 0.52))
    marked &= on_road & (noise > -1.1)
    paint = np.array(vary(rng, (222, 220, 210), 8), dtype=np.float32)
    tone[marked] = 0.15 * tone[marked] + 0.85 * paint
