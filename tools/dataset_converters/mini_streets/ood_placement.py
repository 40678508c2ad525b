"""Which out-of-distribution things stand where, and how large."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from .ood_animals import SPECIES, draw_bird, draw_quadruped
from .ood_furniture import (
    draw_appliance,
    draw_mattress,
    draw_seat,
    draw_sofa,
    draw_tent,
)
from .ood_objects import (
    draw_bags,
    draw_boxes,
    draw_debris,
    draw_drums,
    draw_roll,
    draw_tyres,
)
from .scene import Scene
from .stage import Stage

_DEPTHS = (4.5, 26.0)  # metres


@dataclass(frozen=True)
class Kind:
    """A kind of OOD thing.

    Attributes:
        draw: ``draw(stage, where, size)``, returns the texture that only this thing shows.
        extent: Width and height at size 1, metres.
        fill: Share of that rectangle that it covers.
    """

    draw: Callable[[Stage, tuple[float, float], float], int]
    extent: tuple[float, float]
    fill: float


_ANIMALS = [
    *(
        Kind(
            partial(draw_quadruped, name=name),
            (species.height * (species.length + 0.5), 1.2 * species.height),
            0.5,
        )
        for name, species in SPECIES.items()
    ),
    Kind(draw_bird, (0.9, 1.2), 0.35),
]
_OBJECTS = [
    Kind(draw_sofa, (1.9, 0.9), 0.8),
    Kind(draw_seat, (1.1, 0.9), 0.4),
    Kind(draw_boxes, (1.1, 1.2), 0.8),
    Kind(draw_appliance, (1.0, 1.3), 0.9),
    Kind(draw_drums, (1.3, 1.0), 0.9),
    Kind(draw_tyres, (0.9, 0.9), 0.9),
    Kind(draw_bags, (1.3, 0.9), 0.7),
    Kind(draw_debris, (1.6, 0.7), 0.6),
    Kind(draw_tent, (2.0, 1.2), 0.6),
    Kind(draw_mattress, (1.8, 0.9), 0.7),
    Kind(draw_roll, (1.3, 1.1), 0.8),
]


class OODTrace:
    """Remembers which texture each OOD thing was drawn with.

    Attributes:
        textures: Texture numbers, in the order of drawing.
    """

    def __init__(self) -> None:
        self.textures: list[int] = []

    def draw(self, stage: Stage, kind: Kind, where: tuple[float, float], size: float) -> None:
        """Draw one thing."""
        self.textures.append(kind.draw(stage, where, size))


def place_ood(scene: Scene) -> OODTrace:
    """Add OOD things to a scene that still is empty, so that other things keep clear of them."""
    rng, config, camera = scene.rng, scene.config, scene.camera
    trace = OODTrace()
    wanted = int(rng.integers(config.ood_count[0], config.ood_count[1] + 1))
    pixels = camera.shape[0] * camera.shape[1]
    placed = 0
    for _ in range(30):
        kinds = _ANIMALS if rng.random() < 0.45 else _OBJECTS
        kind = kinds[int(rng.integers(len(kinds)))]
        size = float(rng.uniform(0.85, 1.3))
        target = np.exp(rng.uniform(*np.log(config.ood_target_share))) * pixels
        area = kind.extent[0] * kind.extent[1] * kind.fill * size**2
        z = float(np.clip(camera.focal * np.sqrt(area / target), *_DEPTHS))
        low = scene.road.beside(0, scene.road.paving[0] - 0.5)
        high = scene.road.beside(1, scene.road.paving[1] - 0.5)
        x = float(rng.uniform(low, high))
        half = size * kind.extent[0] / 2
        if not (scene.sees(x - half, z) and scene.sees(x + half, z)):
            continue
        if not scene.claim(x, z, half + 0.3):
            continue
        draw = partial(trace.draw, kind=kind, where=(x, z), size=size)
        scene.add(draw, x, z, (half, min(half, 0.5)), size * kind.extent[1])
        placed += 1
        if placed == wanted:
            break
    return trace
