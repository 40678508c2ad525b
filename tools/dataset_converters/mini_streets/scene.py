"""One scene from a seed: what stands where, and the picture of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from .buildings import draw_building
from .camera import Camera
from .cars import draw_car
from .config import RenderConfig
from .light import Light
from .persons import draw_person
from .poles import draw_post, draw_sign, draw_street_light
from .road import Road
from .stage import Item
from .vegetation import draw_bush, draw_tree


@dataclass
class Scene:
    """A street in the making: its items, and which ground is taken.

    Attributes:
        rng: Source of randomness.
        config: Knobs.
        camera: The camera.
        light: The light; lamps are added to it.
        road: The ground plan.
        items: What will be drawn.
        taken: X, Z, radius of the ground that is taken, metres.
    """

    rng: np.random.Generator
    config: RenderConfig
    camera: Camera
    light: Light
    road: Road
    items: list[Item] = field(default_factory=list)
    taken: list[tuple[float, float, float]] = field(default_factory=list)

    def claim(self, x: float, z: float, radius: float) -> bool:
        """Take a piece of ground; False if something stands there already."""
        for other_x, other_z, other in self.taken:
            if (x - other_x) ** 2 + (z - other_z) ** 2 < (radius + other) ** 2:
                return False
        self.taken.append((x, z, radius))
        return True

    def sees(self, x: float, z: float, margin: float = 0.0) -> bool:
        """Whether the ground point falls into the picture."""
        column = self.camera.project(np.array([x, 0.0, z]))[0]
        return -margin < column / self.camera.shape[1] < 1 + margin

    def add(
        self,
        draw: Callable,
        x: float,
        z: float,
        radius: tuple[float, float],
        height: float,
    ) -> None:
        """Add an upright item with a shadow; ``draw(stage)``."""
        self.items.append(Item(z, draw, (x, z, *radius, height)))


def furnish(scene: Scene) -> None:
    """Place everything in-distribution."""
    for side in (0, 1):
        _line_street(scene, side)
    _place_poles(scene)
    _place_signs(scene)
    _place_cars(scene)
    _place_persons(scene)


def _line_street(scene: Scene, side: int) -> None:
    """Buildings, trees and hedges along one side, from far to near."""
    rng, road = scene.rng, scene.road
    green = rng.uniform(0, 1) ** 1.3
    setback = road.paving[side] + (rng.uniform(2, 6) if road.lawn[side] else 0.0)
    front = road.beside(side, setback)
    near = rng.uniform(-4, 3)
    while near < 95:
        length = rng.uniform(7, 20)
        far = near + length
        blocked = road.in_junction(near, 1.5) or road.in_junction(far, 1.5)
        spanned = road.junction is not None and near < road.junction[0] < far
        if not (blocked or spanned) and far > 3:
            if rng.random() < 0.35 + 0.65 * (1 - green):
                height = rng.uniform(5, 18)
                x = front + (1 if side else -1) * rng.uniform(0, 0.6)
                draw = partial(
                    draw_building, side=side, x=x, near=max(near, 1.2), far=far, height=height
                )
                scene.items.append(Item(max(near, 1.2) + 0.3 * length, draw))
            else:
                _plant(scene, side, front, max(near, 4), far)
        near = far + (rng.uniform(1, 6) if rng.random() < 0.3 else 0.0)
    spacing = rng.uniform(7, 14)
    if rng.random() < 0.35 + 0.4 * green:
        for z in np.arange(rng.uniform(7, 12), 70, spacing):
            x = road.beside(side, rng.uniform(0.7, 1.1))
            if not road.in_junction(z, 1.0) and scene.claim(x, z, 0.5):
                scene.add(partial(draw_tree, x=x, z=z), x, z, (0.8, 0.8), 4.5)


def _plant(scene: Scene, side: int, front: float, near: float, far: float) -> None:
    """A stretch of park: hedge in front, trees behind."""
    rng = scene.rng
    away = 1 if side else -1
    hedge = rng.random() < 0.6
    height = rng.uniform(0.8, 1.8)
    z = near
    while z < far:
        step = rng.uniform(1.2, 2.2)
        if hedge and z > 4:
            x = front + away * rng.uniform(0.2, 0.6)
            wide, high = 1.6 * step, height * rng.uniform(0.85, 1.15)
            scene.items.append(Item(z, partial(draw_bush, x=x, z=z, width=wide, height=high)))
        if rng.random() < 0.35 and z > 6:
            x = front + away * rng.uniform(1.5, 7)
            scene.items.append(Item(z + 0.5, partial(draw_tree, x=x, z=z)))
        z += step


def _place_poles(scene: Scene) -> None:
    """Street lights in a row on one or both sides, and some masts and bollards."""
    rng, road, config = scene.rng, scene.road, scene.config
    sides = [0, 1] if rng.random() < 0.6 else [int(rng.integers(2))]
    for side in sides:
        z = rng.uniform(config.pole_distance[0], config.pole_distance[0] + 8)
        spacing = rng.uniform(*config.pole_spacing)
        towards = -1.0 if side else 1.0
        while z < config.pole_distance[1]:
            x = road.beside(side, 0.45)
            if not road.in_junction(z) and scene.claim(x, z, 0.4):
                draw = partial(draw_street_light, x=x, z=z, towards=towards)
                scene.add(draw, x, z, (0.2, 0.2), 6.0)
                scene.light.lamps.append((x + towards, z))
            z += spacing
    for _ in range(int(rng.integers(0, 4))):
        side, z = int(rng.integers(2)), rng.uniform(config.pole_distance[0], 16)
        x = road.beside(side, rng.choice([0.4, road.paving[side] - 0.3]))
        if scene.sees(x, z) and not road.in_junction(z) and scene.claim(x, z, 0.4):
            scene.add(partial(draw_post, x=x, z=z), x, z, (0.2, 0.2), 1.0)


def _place_signs(scene: Scene) -> None:
    rng, road, config = scene.rng, scene.road, scene.config
    wanted = int(rng.integers(config.sign_count[0], config.sign_count[1] + 1))
    for _ in range(4 * wanted):
        side = 1 if rng.random() < 0.6 else 0
        z = rng.uniform(*config.sign_distance)
        x = road.beside(side, rng.uniform(0.4, 0.9))
        if not scene.sees(x, z, -0.03) or road.in_junction(z) or not scene.claim(x, z, 0.7):
            continue
        scene.add(partial(draw_sign, x=x, z=z), x, z, (0.2, 0.2), 2.5)
        wanted -= 1
        if wanted == 0:
            return


def _place_cars(scene: Scene) -> None:
    """Driving and parked cars, and now and then one that crosses."""
    rng, road, config = scene.rng, scene.road, scene.config
    wanted = int(rng.integers(config.car_count[0], config.car_count[1] + 1))
    for _ in range(4 * wanted):
        low, high = np.log(config.car_distance)
        z = float(np.exp(rng.uniform(low, high)))
        draw = rng.random()
        if draw < 0.55:
            x, direction = road.lanes[int(rng.integers(len(road.lanes)))]
            x, yaw = x + rng.normal(0, 0.15), (0.0 if direction == 1 else np.pi)
            if direction == 1 and abs(x - scene.camera.x) < 1.5:
                z = max(z, 9.0)
        elif draw < 0.88:
            side = int(rng.integers(2))
            x = road.beside(side, -1.05)
            yaw = 0.0 if (side == 1) != (rng.random() < 0.1) else np.pi
        else:
            middle = sum(road.junction) / 2 if road.junction else z
            z = max(middle, 10.0)
            x, yaw = rng.uniform(-6, 6), rng.choice([-1, 1]) * np.pi / 2
        yaw += rng.normal(0, 0.06) + (rng.uniform(-0.6, 0.6) if rng.random() < 0.1 else 0.0)
        if not scene.sees(x, z, 0.05) or not scene.claim(x, z, 2.3):
            continue
        along, across = (0.95, 2.2) if abs(np.cos(yaw)) > 0.7 else (2.2, 0.95)
        scene.add(partial(draw_car, x=x, z=z, yaw=yaw), x, z, (along, across), 1.4)
        wanted -= 1
        if wanted == 0:
            return


def _place_persons(scene: Scene) -> None:
    """Persons on the sidewalks, and some who cross the street."""
    rng, road, config = scene.rng, scene.road, scene.config
    wanted = int(rng.integers(config.person_count[0], config.person_count[1] + 1))
    for _ in range(5 * wanted):
        z = rng.uniform(*config.person_distance)
        if rng.random() < 0.2:
            x = rng.uniform(*road.edge)
            z = max(z, 8.0) if road.crossing is None else road.crossing + rng.uniform(0, 3)
        else:
            side = int(rng.integers(2))
            x = road.beside(side, rng.uniform(0.6, road.paving[side] - 0.3))
        if not scene.sees(x, z, -0.01) or not scene.claim(x, z, 0.45):
            continue
        scene.add(partial(draw_person, x=x, z=z), x, z, (0.28, 0.28), 1.7)
        wanted -= 1
        if wanted == 0:
            return


def sample_camera(
    rng: np.random.Generator, config: RenderConfig, size: tuple[int, int], road: Road
) -> Camera:
    """Draw the camera, which drives in one of our lanes."""
    rows, columns = (extent * config.supersample for extent in size)
    ours = [x for x, direction in road.lanes if direction == 1]
    return Camera(
        shape=(rows, columns),
        focal=float(rng.uniform(*config.focal) * np.sqrt(rows * columns)),
        horizon=float(rng.uniform(*config.horizon) * rows),
        centre=float(rng.uniform(0.40, 0.60) * columns),
        x=float((max(ours) if rng.random() < 0.7 else min(ours)) + rng.uniform(-0.4, 0.8)),
        height=float(rng.uniform(*config.camera_height)),
        bend=float(rng.normal(0, 0.0012)) if rng.random() < 0.5 else 0.0,
    )
