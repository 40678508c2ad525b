"""Out-of-distribution animals: four-legged ones and birds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .canvas import Colour
from .config import StoredId
from .shapes import ellipse, limb, pick, shade
from .skin import apply_pattern, round_off
from .stage import Part, Stage

_FUR: list[Colour] = [
    (122, 84, 54),
    (86, 66, 52),
    (172, 138, 96),
    (206, 198, 184),
    (58, 52, 50),
    (140, 132, 122),
    (164, 104, 58),
]
_MARKS: list[Colour] = [(40, 34, 30), (226, 220, 208), (92, 60, 40), (30, 30, 34)]
_HORN: Colour = (178, 164, 136)


@dataclass(frozen=True)
class Species:
    """Proportions of a four-legged animal, in shares of its shoulder height.

    Attributes:
        height: Shoulder height, metres.
        length: Of the body.
        bulk: Half the depth of the chest.
        leg: Radius of the leg at the body.
        neck: Length and angle (degrees above level).
        head: Half length and half height of the head.
        tail: Length and radius.
        crown: ``'ears'``, ``'horns'``, ``'antlers'`` or ``'mane'``.
        patterns: What its skin may look like.
    """

    height: float
    length: float
    bulk: float
    leg: float
    neck: tuple[float, float]
    head: tuple[float, float]
    tail: tuple[float, float]
    crown: str
    patterns: tuple[str, ...]


SPECIES = {
    'cow': Species(
        1.45, 1.25, 0.29, 0.085, (0.28, 25), (0.20, 0.11), (0.5, 0.03), 'horns',
        ('patches', 'plain'),
    ),
    'deer': Species(
        1.3, 0.95, 0.19, 0.05, (0.46, 55), (0.16, 0.075), (0.12, 0.04), 'antlers',
        ('plain', 'spots'),
    ),
    'bear': Species(
        1.2, 1.25, 0.36, 0.13, (0.12, 15), (0.22, 0.16), (0.06, 0.05), 'ears', ('grain', 'plain')
    ),
    'dog': Species(
        0.85, 1.05, 0.22, 0.065, (0.26, 50), (0.19, 0.10), (0.45, 0.045), 'ears',
        ('plain', 'patches', 'grain'),
    ),
    'horse': Species(
        1.65, 1.0, 0.22, 0.07, (0.48, 50), (0.20, 0.085), (0.55, 0.06), 'mane',
        ('plain', 'stripes', 'patches'),
    ),
    'boar': Species(
        0.95, 1.35, 0.33, 0.075, (0.08, 5), (0.26, 0.15), (0.18, 0.02), 'ears', ('grain', 'stripes')
    ),
    'sheep': Species(
        0.95, 1.15, 0.36, 0.06, (0.18, 35), (0.17, 0.10), (0.1, 0.06), 'ears', ('spots', 'plain')
    ),
}  # fmt: skip


def draw_quadruped(stage: Stage, where: tuple[float, float], size: float, name: str) -> int:
    """A four-legged animal seen from its side.

    Args:
        stage: The image.
        where: X and Z on the ground, metres.
        size: Factor on the natural size.
        name: A key of :data:`SPECIES`.

    Returns:
        Number of the texture that only this animal shows.
    """
    rng, kind = stage.rng, SPECIES[name]
    texture = stage.canvas.texture(0.07, 0.05, 0.05, own=True)
    fur = pick(rng, _FUR, 12)
    height = size * kind.height * rng.uniform(0.92, 1.08)
    side = 1.0 if rng.random() < 0.5 else -1.0
    squeeze = rng.uniform(0.75, 1.0)  # turned a little towards or away from the camera

    def part(points: np.ndarray, colour: Colour) -> None:
        metres = points * [side * squeeze * height, height]
        stage.billboard(metres, where, colour, StoredId.OOD_ANIMAL, texture)

    half, bulk = kind.length / 2, kind.bulk
    back = 1.0 - bulk
    swing = rng.uniform(-0.12, 0.12, 4)
    rear, fore = half - 0.85 * bulk, half - 0.95 * bulk
    for leg, (hip, tone) in enumerate(
        [(-rear, 0.72), (fore, 0.72), (-rear - 0.1, 1.0), (fore + 0.1, 1.0)]
    ):
        knee = (hip + 0.5 * swing[leg], 0.48 * back)
        part(limb((hip, back), knee, kind.leg * 1.5, kind.leg), shade(fur, tone))
        part(limb(knee, (hip + swing[leg], 0.03), kind.leg, 0.75 * kind.leg), shade(fur, tone))
    tail, thick = kind.tail
    tip = (-half - 0.35 * tail, back - 0.7 * tail)
    part(limb((-half, back + 0.4 * bulk), tip, thick, thick), fur)
    part(limb((-half + bulk, back), (half - bulk, back + 0.02), bulk * 1.02, bulk), fur)
    part(ellipse((-half + bulk * 0.9, back + 0.02), bulk, bulk * 1.05), fur)
    reach, angle = kind.neck
    start = (half - 0.6 * bulk, back + 0.35 * bulk)
    end = (
        half - 0.4 * bulk + reach * np.cos(np.deg2rad(angle)),
        back + 0.45 * bulk + reach * np.sin(np.deg2rad(angle)),
    )
    part(limb(start, end, 0.75 * bulk, 0.55 * bulk), fur)
    apply_pattern(stage, texture, str(rng.choice(kind.patterns)), fur, pick(rng, _MARKS))
    _draw_head(part, kind, end, fur)
    round_off(stage, texture, 0.9)
    return texture


def _draw_head(part: Part, kind: Species, neck: tuple[float, float], fur: Colour) -> None:
    """Head with muzzle, eye, and ears, horns, antlers or mane."""
    long, tall = kind.head
    x, y = neck[0] + 0.3 * long, neck[1] + 0.02
    muzzle = (x + 1.1 * long, y - 0.7 * tall)
    part(limb((x, y), muzzle, tall, 0.6 * tall), shade(fur, 1.05))
    nose = ellipse((muzzle[0] + 0.2 * tall, muzzle[1]), 0.42 * tall, 0.42 * tall, 10)
    part(nose, shade(fur, 0.45))
    part(ellipse((x + 0.3 * long, y + 0.25 * tall), 0.16 * tall, 0.16 * tall, 8), (18, 16, 16))
    ear = (x - 0.5 * tall, y + 0.6 * tall)
    part(limb(ear, (ear[0] - 0.5 * tall, ear[1] + 0.9 * tall), 0.35 * tall, 0.12 * tall), fur)
    top = (x - 0.1 * tall, y + 0.85 * tall)
    if kind.crown == 'horns':
        part(limb(top, (top[0] + 0.8 * tall, top[1] + 1.0 * tall), 0.2 * tall, 0.06 * tall), _HORN)
    elif kind.crown == 'antlers':
        for lean in (-1.6, 0.9):
            tip = (top[0] + lean * tall, top[1] + 3.4 * tall)
            part(limb(top, tip, 0.2 * tall, 0.12 * tall), _HORN)
            fork = (0.5 * (top[0] + tip[0]), 0.5 * (top[1] + tip[1]))
            branch = (fork[0] + 0.9 * tall, fork[1] + 1.1 * tall)
            part(limb(fork, branch, 0.15 * tall, 0.1 * tall), _HORN)
    elif kind.crown == 'mane':
        foot = (neck[0] - 0.9 * kind.neck[0], neck[1] - 0.5 * kind.neck[0])
        part(limb((x - 0.6 * tall, y + 0.9 * tall), foot, 0.5 * tall, 0.7 * tall), shade(fur, 0.5))


def draw_bird(stage: Stage, where: tuple[float, float], size: float) -> int:
    """A large bird on long legs: ostrich, crane or goose. Returns its own texture's number."""
    rng = stage.rng
    texture = stage.canvas.texture(0.07, 0.08, 0.03, own=True)
    plumage = pick(rng, _FUR, 12)
    height = size * rng.uniform(0.9, 1.25)
    side = 1.0 if rng.random() < 0.5 else -1.0
    legs, neck = rng.uniform(0.3, 0.6), rng.uniform(0.35, 0.6)
    skin: Colour = (196, 140, 96)

    def part(points: np.ndarray, colour: Colour) -> None:
        metres = points * [side * height, height]
        stage.billboard(metres, where, colour, StoredId.OOD_ANIMAL, texture)

    body = legs + 0.25
    for foot in (-0.08, 0.1):
        part(limb((0.3 * foot, body - 0.15), (foot, 0.03), 0.045, 0.03), skin)
        part(limb((foot, 0.02), (foot + 0.12, 0.02), 0.022, 0.016), skin)
    part(limb((-0.3, body + 0.06), (-0.62, body + 0.02), 0.15, 0.04), shade(plumage, 0.75))
    part(ellipse((0, body), 0.42, 0.27), plumage)
    apply_pattern(
        stage, texture, str(rng.choice(['grain', 'spots', 'plain'])), plumage, pick(rng, _MARKS)
    )
    throat = (0.32, body + 0.1)
    head = (0.45, body + neck)
    part(limb(throat, head, 0.10, 0.055), shade(plumage, 1.1))
    part(ellipse(head, 0.085, 0.07), shade(plumage, 1.1))
    part(limb((head[0] + 0.05, head[1]), (head[0] + 0.2, head[1] - 0.02), 0.035, 0.012), skin)
    part(ellipse((head[0] + 0.03, head[1] + 0.02), 0.014, 0.014, 8), (18, 16, 16))
    round_off(stage, texture, 0.9)
    return texture
