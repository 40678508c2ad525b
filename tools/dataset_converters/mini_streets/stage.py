"""What every drawing function is given: where it draws, how the scene looks and is lit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from .camera import Camera
from .canvas import Canvas, Colour
from .config import RenderConfig
from .light import Light

Part = Callable[[np.ndarray, Colour], None]
"""Draws one part of a thing from its outline, in the thing's own units, and its colour."""


@dataclass(frozen=True)
class Stage:
    """One image in the making."""

    canvas: Canvas
    camera: Camera
    light: Light
    config: RenderConfig
    rng: np.random.Generator

    def billboard(
        self,
        points: np.ndarray,
        where: tuple[float, float],
        colour: Colour,
        label: int,
        texture: int = 0,
        emission: float = 0.0,
    ) -> None:
        """Fill an outline that stands upright on the ground and faces the camera.

        Args:
            points: ``(N, 2)`` metres: sideways and up from the foot.
            where: X and Z of the foot.
            colour: RGB albedo.
            label: Stored id.
            texture: Number of the texture.
            emission: 0 (lit by the scene) to 1.
        """
        x, z = where
        world = np.stack([x + points[:, 0], points[:, 1], np.full(len(points), z)], axis=1)
        pixels = self.camera.project(world)
        self.canvas.polygon(pixels, colour, label, z, texture, emission)

    def cast_shadow(
        self, where: tuple[float, float], radius: tuple[float, float], height: float
    ) -> None:
        """Darken the ground under and, in direct light, beside an upright thing.

        Args:
            where: X and Z of the foot.
            radius: Half extents along X and Z, metres.
            height: Metres.
        """
        camera, light = self.camera, self.light
        if where[1] < 2:
            return
        angle = np.linspace(0, 2 * np.pi, 16, endpoint=False)
        foot = np.stack(
            [
                where[0] + 1.1 * radius[0] * np.cos(angle),
                np.zeros(16),
                where[1] + 1.1 * radius[1] * np.sin(angle),
            ],
            axis=1,
        )
        scale = camera.scale(where[1])
        self.canvas.darken(camera.project(foot), 0.35, 0.05 * scale)
        strength = float(light.direct.mean() / (light.direct.mean() + light.ambient.mean()))
        if strength < 0.25:
            return
        reach = height / max(np.tan(np.arcsin(light.sun[1])), 0.5)
        flat = light.sun * [1, 0, 1]
        tip = foot - reach * flat / np.linalg.norm(flat)
        tip[:, 2] = np.maximum(tip[:, 2], 1.0)
        outline = convex_hull(camera.project(np.concatenate([foot, tip])))
        self.canvas.darken(outline, 1 - strength, 0.03 * scale)


@dataclass(frozen=True)
class Item:
    """A thing that is drawn when its turn comes, far things first.

    Attributes:
        depth: Metres.
        draw: Draws it.
        shadow: X, Z, half extents along X and Z, height; or None.
    """

    depth: float
    draw: Callable[[Stage], None]
    shadow: tuple[float, float, float, float, float] | None = None


def convex_hull(points: np.ndarray) -> np.ndarray:
    """Convex hull of ``(N, 2)`` points."""
    return cv2.convexHull(points.astype(np.float32))[:, 0].astype(np.float64)
