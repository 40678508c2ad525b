"""Persons in varied clothes and poses."""

from __future__ import annotations

import numpy as np

from .canvas import Colour
from .config import StoredId
from .shapes import ellipse, limb, pick, shade
from .stage import Part, Stage

_SKIN: list[Colour] = [(224, 178, 150), (196, 146, 112), (138, 96, 70), (92, 62, 46)]
_HAIR: list[Colour] = [(36, 28, 24), (92, 64, 40), (168, 134, 84), (120, 118, 116), (60, 40, 30)]
_TOPS: list[Colour] = [
    (164, 44, 46),
    (44, 66, 122),
    (58, 104, 72),
    (206, 202, 196),
    (40, 40, 44),
    (196, 150, 60),
    (112, 84, 128),
    (120, 122, 126),
    (206, 122, 130),
    (96, 134, 168),
]
_TROUSERS: list[Colour] = [
    (48, 58, 88),
    (36, 36, 40),
    (112, 100, 82),
    (84, 86, 92),
    (146, 136, 118),
    (70, 48, 40),
]


def draw_person(stage: Stage, x: float, z: float) -> None:
    """A walking or standing person, seen from any side."""
    rng = stage.rng
    tall = float(rng.uniform(1.55, 1.9))
    broad = float(rng.uniform(0.9, 1.2))
    profile_view = rng.random() < 0.5
    stride = float(rng.uniform(0.05, 0.30)) if profile_view else float(rng.uniform(0.06, 0.14))
    texture = stage.canvas.texture(0.04, 0.05, 0.03)
    skin, hair = pick(rng, _SKIN, 8), pick(rng, _HAIR, 8)
    top, trousers = pick(rng, _TOPS), pick(rng, _TROUSERS)
    shoes = shade(pick(rng, _TROUSERS), 0.6)

    def part(points: np.ndarray, colour: Colour) -> None:
        stage.billboard(points * tall, (x, z), colour, StoredId.PERSON, texture)

    hip, shoulder, head = 0.50, 0.81, 0.925
    half = broad * (0.085 if profile_view else 0.115)
    skirt = rng.random() < 0.2
    legs = skin if skirt and rng.random() < 0.6 else trousers
    for side, tone in ((-1.0, 0.8), (1.0, 1.0)):
        foot = side * stride
        knee = (0.45 * foot + (0.03 if profile_view else 0.0), 0.27)
        thigh, calf = 0.058 * broad, 0.042 * broad
        part(limb((side * 0.03, hip), knee, thigh, calf), shade(legs, tone))
        part(limb(knee, (foot, 0.03), calf, 0.032), shade(legs, tone))
        part(limb((foot - 0.01, 0.022), (foot + 0.05, 0.02), 0.026, 0.022), shoes)
    arm = float(rng.uniform(0.02, 0.16))
    raised = rng.random() < 0.15
    _draw_arm(part, (-half, shoulder), (-half - arm, 0.50), shade(top, 0.8), skin, broad)
    coat = 0.14 if rng.random() < 0.3 else 0.0
    body = np.array(
        [
            (-half * 0.95, hip - 0.03 - coat),
            (half * 0.95, hip - 0.03 - coat),
            (half * 0.85, 0.64),
            (half * 1.08, shoulder),
            (half * 0.5, shoulder + 0.035),
            (-half * 0.5, shoulder + 0.035),
            (-half * 1.08, shoulder),
            (-half * 0.85, 0.64),
        ]
    )
    if skirt:
        hem, flare = 0.30, half + 0.05
        cone = np.array([(-0.06, 0.6), (0.06, 0.6), (flare, hem), (-flare, hem)])
        part(cone, trousers)
    part(body, top)
    part(body * [0.5, 1.0] + [-half * 0.45, 0.0], shade(top, 0.86))
    hand = (half + 0.1, shoulder + 0.02) if raised else (half + 0.8 * arm, 0.50)
    _draw_arm(part, (half, shoulder), hand, top, skin, broad)
    part(limb((0, shoulder + 0.02), (0, head - 0.03), 0.032, 0.03), shade(skin, 0.85))
    part(ellipse((0, head), 0.058, 0.075), skin)
    _draw_hair(part, rng.random() < 0.3, rng.random() < 0.5, head, hair)
    if rng.random() < 0.35:
        bag_x = -half - 0.04 if rng.random() < 0.5 else half + 0.04
        bag = limb((bag_x, 0.72), (bag_x, 0.56), 0.06, 0.07)
        part(bag, pick(rng, _TROUSERS))


def _draw_arm(
    part: Part,
    shoulder: tuple[float, float],
    hand: tuple[float, float],
    sleeve: Colour,
    skin: Colour,
    broad: float,
) -> None:
    elbow = (0.5 * (shoulder[0] + hand[0]) * 1.12, 0.5 * (shoulder[1] + hand[1]))
    part(limb(shoulder, elbow, 0.036 * broad, 0.030), sleeve)
    part(limb(elbow, hand, 0.030, 0.024), sleeve)
    part(ellipse(hand, 0.024, 0.028, 8), skin)


def _draw_hair(part: Part, back_view: bool, long_hair: bool, head: float, hair: Colour) -> None:
    if back_view:
        part(ellipse((0, head + 0.008), 0.06, 0.072), hair)
    else:
        angle = np.linspace(0.05 * np.pi, 0.95 * np.pi, 10)
        cap = np.stack([0.063 * np.cos(angle), head + 0.012 + 0.07 * np.sin(angle)], axis=1)
        part(cap, hair)
    if long_hair:
        part(limb((-0.05, head + 0.02), (-0.055, head - 0.09), 0.02, 0.022), hair)
        part(limb((0.05, head + 0.02), (0.055, head - 0.09), 0.02, 0.022), hair)
