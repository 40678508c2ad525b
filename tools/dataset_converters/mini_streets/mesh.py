"""Solids with flat faces: boxes, drums, and profiles pulled along an axis."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from .canvas import Colour
from .shapes import shade
from .stage import Stage


@dataclass
class Decal:
    """A patch on a face: window, lamp, plate."""

    points: np.ndarray  # (N, 3), local axes
    colour: Colour
    emission: float = 0.0


@dataclass
class Face:
    """A flat polygon, seen from the side its normal points to.

    Attributes:
        points: ``(N, 3)`` metres, local axes: X right, Y up, Z ahead.
        normal: Unit vector, local axes.
        colour: RGB albedo.
        decals: Drawn on the face, in this order.
    """

    points: np.ndarray
    normal: np.ndarray
    colour: Colour
    decals: list[Decal] = field(default_factory=list)


def draw_solid(
    stage: Stage,
    faces: list[Face],
    where: tuple[float, float],
    yaw: float,
    label: int,
    texture: int = 0,
    size: float = 1.0,
) -> None:
    """Draw the faces that point to the camera, far ones first.

    Args:
        stage: The image.
        faces: Faces in local axes.
        where: X and Z of the local origin on the ground, metres.
        yaw: Turn to the left around the vertical axis, radians.
        label: Stored id.
        texture: Number of the texture.
        size: Factor on all lengths.
    """
    cos, sin = size * np.cos(yaw), size * np.sin(yaw)
    turn = np.array([[cos, 0, sin], [0, size, 0], [-sin, 0, cos]])  # row vectors: v @ turn
    origin = np.array([where[0], 0, where[1]])
    camera = stage.camera
    eye = np.array([camera.x - float(camera.shift(np.asarray(where[1]))), camera.height, 0.0])
    visible = []
    for face in faces:
        centre = face.points.mean(axis=0) @ turn + origin
        normal = face.normal @ turn / size
        if normal @ (centre - eye) < 0:
            visible.append((float(np.linalg.norm(centre - eye)), face, normal))
    visible.sort(key=lambda entry: -entry[0])
    for distance, face, normal in visible:
        brightness = stage.light.facing(normal)
        depth = float(np.clip(distance, 1.0, None))
        for points, colour, emission in [
            (face.points, face.colour, 0.0),
            *((decal.points, decal.colour, decal.emission) for decal in face.decals),
        ]:
            pixels = camera.project(points @ turn + origin)
            factor = brightness if emission == 0 else 1.0
            stage.canvas.polygon(pixels, shade(colour, factor), label, depth, texture, emission)


def box(
    size: tuple[float, float, float],
    colour: Colour,
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> list[Face]:
    """A box of ``size`` (x, y, z) that stands on its ``offset`` point, without its bottom."""
    sx, sy, sz = size[0] / 2, size[1], size[2] / 2
    faces = []
    for axis, side in ((0, -1), (0, 1), (2, -1), (2, 1), (1, 1)):
        if axis == 0:
            points = [(side * sx, y, z) for y, z in ((0, -sz), (0, sz), (sy, sz), (sy, -sz))]
        elif axis == 2:
            points = [(x, y, side * sz) for x, y in ((-sx, 0), (sx, 0), (sx, sy), (-sx, sy))]
        else:
            points = [(x, sy, z) for x, z in ((-sx, -sz), (sx, -sz), (sx, sz), (-sx, sz))]
        normal = np.zeros(3)
        normal[axis] = side
        faces.append(Face(np.array(points, dtype=float) + offset, normal, colour))
    return faces


def drum(
    radius: float,
    height: float,
    colour: Colour,
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0),
    corners: int = 14,
    top_colour: Colour | None = None,
) -> list[Face]:
    """An upright cylinder that stands on its ``offset`` point."""
    angle = np.linspace(0, 2 * np.pi, corners + 1)
    ring = np.stack([radius * np.cos(angle), np.zeros(corners + 1), radius * np.sin(angle)], 1)
    lift = np.array([0, height, 0])
    faces = []
    for first, last in pairwise(ring):
        normal = (first + last) / np.linalg.norm(first + last)
        points = np.array([first, last, last + lift, first + lift]) + offset
        faces.append(Face(points, normal, colour))
    up = np.array([0.0, 1.0, 0.0])
    faces.append(Face(ring[:-1] + lift + offset, up, top_colour or colour))
    return faces


def extrude(
    profile: np.ndarray, width: float, strip_colours: list[Colour], side_colour: Colour
) -> list[Face]:
    """Pull a closed profile in the (z, y) plane along X.

    Args:
        profile: ``(N, 2)`` of (z, y), counter-clockwise when z points right and y up.
        width: Extent along X, metres.
        strip_colours: Colour of the strip from corner i to corner i + 1, ``N`` of them.
        side_colour: Colour of the two sides.

    Returns:
        The ``N`` strips in order, then the sides at -X and +X.
    """
    half = width / 2
    faces = []
    ahead = np.roll(profile, -1, axis=0)
    for (z0, y0), (z1, y1), colour in zip(profile, ahead, strip_colours, strict=True):
        normal = np.array([0, -(z1 - z0), y1 - y0])
        length = float(np.linalg.norm(normal))
        points = np.array([[-half, y0, z0], [half, y0, z0], [half, y1, z1], [-half, y1, z1]])
        faces.append(Face(points, normal / max(length, 1e-9), colour))
    for side in (-1, 1):
        points = np.stack([np.full(len(profile), side * half), profile[:, 1], profile[:, 0]], 1)
        faces.append(Face(points, np.array([float(side), 0, 0]), side_colour))
    return faces
