"""Cars of several bodies, seen from any side."""

from __future__ import annotations

import numpy as np

from .canvas import Colour
from .config import StoredId
from .mesh import Decal, Face, draw_solid, extrude
from .shapes import mix, pick, regular_polygon, shade
from .stage import Stage

_PAINTS: list[Colour] = [
    (196, 198, 200),
    (150, 152, 156),
    (70, 72, 76),
    (34, 35, 38),
    (128, 30, 32),
    (36, 58, 110),
    (70, 104, 140),
    (226, 226, 222),
    (48, 78, 62),
    (176, 150, 104),
    (178, 88, 38),
]
_GLASS: Colour = (44, 52, 60)
_TYRE: Colour = (26, 26, 28)

# Side outlines as (z, y) with the front to the right: bottom from the rear to the nose, then back
# over bonnet, windscreen, roof, rear window and tail. Every body has the same eight corners.
_BODIES: dict[str, list[tuple[float, float]]] = {
    'hatchback': [
        *[(-1.95, 0.3), (1.95, 0.3), (2.0, 0.68), (1.1, 0.95)],
        *[(0.45, 1.45), (-1.35, 1.48), (-1.85, 0.98), (-2.0, 0.85)],
    ],
    'saloon': [
        *[(-2.3, 0.3), (2.25, 0.3), (2.3, 0.66), (1.1, 0.92)],
        *[(0.4, 1.40), (-1.0, 1.42), (-1.65, 1.0), (-2.3, 0.95)],
    ],
    'suv': [
        *[(-2.2, 0.38), (2.2, 0.38), (2.28, 0.85), (1.2, 1.12)],
        *[(0.6, 1.72), (-1.75, 1.76), (-2.15, 1.18), (-2.25, 1.0)],
    ],
    'van': [
        *[(-2.4, 0.36), (2.35, 0.36), (2.4, 0.85), (1.95, 1.15)],
        *[(1.3, 1.98), (-2.25, 2.02), (-2.4, 1.2), (-2.42, 1.0)],
    ],
}
_NOSE, _WINDSCREEN, _REAR_WINDOW, _TAIL = 1, 3, 5, 7  # strip i joins corner i to the next


def draw_car(stage: Stage, x: float, z: float, yaw: float) -> None:
    """A parked or driving car; ``yaw`` 0 shows its rear, pi its front."""
    rng = stage.rng
    names = sorted(_BODIES)
    outline = _BODIES[names[int(rng.integers(len(names)))]]
    stretch = np.array([rng.uniform(0.92, 1.06), rng.uniform(0.96, 1.06)])
    profile = np.array(outline) * stretch
    width = float(rng.uniform(1.68, 1.9))
    paint = pick(rng, _PAINTS, 8)
    glass = mix(_GLASS, (150, 170, 190), float(rng.uniform(0, 0.35)))
    strips = [paint] * len(profile)
    strips[0] = shade(_TYRE, 0.9)
    faces = extrude(profile, width, strips, paint)
    _dress_side(faces[-2], profile, -width / 2, paint, glass)
    _dress_side(faces[-1], profile, width / 2, paint, glass)
    for strip in (_REAR_WINDOW, _WINDSCREEN):
        faces[strip].decals.append(Decal(_inset(faces[strip].points, 0.1, 0.08), glass))
    _dress_panel(stage, faces[_TAIL], front=False)
    _dress_panel(stage, faces[_NOSE], front=True)
    texture = stage.canvas.texture(0.015, 0.03)
    _draw_wheels(stage, profile, width, (x, z), yaw, far=True)
    draw_solid(stage, faces, (x, z), yaw, StoredId.CAR, texture)
    _draw_wheels(stage, profile, width, (x, z), yaw, far=False)


def _inset(corners: np.ndarray, along: float, across: float) -> np.ndarray:
    """A quadrilateral shrunk by shares of its two extents."""
    first, second, third, last = corners
    shares = ((along, across), (1 - along, across), (1 - along, 1 - across), (along, 1 - across))
    return np.array(
        [
            (1 - v) * ((1 - u) * first + u * second) + v * ((1 - u) * last + u * third)
            for u, v in shares
        ]
    )


def _panel_patch(
    face: Face, left: float, right: float, low: float, high: float, colour: Colour, glow: float
) -> None:
    """Add a patch given in shares of a strip: across the car, and up."""
    first, second, third, last = face.points
    if first[1] > last[1]:  # strips of the tail run downwards
        first, second, third, last = last, third, second, first
    patch = [
        (1 - v) * ((1 - u) * first + u * second) + v * ((1 - u) * last + u * third)
        for u, v in ((left, low), (right, low), (right, high), (left, high))
    ]
    face.decals.append(Decal(np.array(patch), colour, glow))


def _dress_panel(stage: Stage, face: Face, front: bool) -> None:
    """Lamps, number plate, bumper and grille of the nose or tail."""
    dark = stage.light.dark
    _panel_patch(face, 0.0, 1.0, 0.0, 0.30, shade((50, 50, 52), 1.0), 0.0)
    if front:
        _panel_patch(face, 0.28, 0.72, 0.42, 0.72, (36, 36, 38), 0.0)
        lamp: Colour = (255, 246, 220) if dark else (214, 218, 220)
        glow = 1.0 if dark else 0.0
    else:
        braking = stage.rng.random() < 0.3
        lamp = (255, 40, 28) if dark or braking else (150, 24, 24)
        glow = 0.85 if dark or braking else 0.0
    _panel_patch(face, 0.03, 0.24, 0.52, 0.92, lamp, glow)
    _panel_patch(face, 0.76, 0.97, 0.52, 0.92, lamp, glow)
    _panel_patch(face, 0.38, 0.62, 0.20, 0.42, (214, 212, 200), 0.0)


def _dress_side(face: Face, profile: np.ndarray, x: float, paint: Colour, glass: Colour) -> None:
    """Side windows, door joint, sill and wheel arches."""

    def patch(points: list[tuple[float, float]], colour: Colour) -> None:
        corners = np.array([(x, y, z) for z, y in points])
        face.decals.append(Decal(corners, colour))

    (front_z, belt), (roof_front, top), (roof_rear, _) = profile[3], profile[4], profile[5]
    rear_z, rear_belt = profile[6]
    low, high = max(belt, rear_belt) + 0.02, top - 0.1
    middle = (roof_front + roof_rear) / 2
    lean_front = 0.85 * (front_z - roof_front)
    lean_rear = 0.8 * (roof_rear - rear_z)
    patch(
        [
            (roof_front + lean_front - 0.1, low),
            (middle + 0.05, low),
            (middle + 0.05, high),
            (roof_front - 0.05, high),
        ],
        glass,
    )
    patch(
        [
            (middle - 0.05, low),
            (roof_rear - lean_rear + 0.15, low),
            (roof_rear + 0.12, high),
            (middle - 0.05, high),
        ],
        glass,
    )
    seam = shade(paint, 0.6)
    bottom = profile[0, 1]
    patch([(middle - 0.02, bottom), (middle + 0.02, bottom), (middle + 0.02, low)], seam)
    rear_end, nose_end = profile[0, 0], profile[1, 0]
    sill = bottom + 0.09
    patch([(rear_end, bottom), (nose_end, bottom), (nose_end, sill), (rear_end, sill)], seam)
    for axle in (rear_end + 0.78, nose_end - 0.82):
        arch = regular_polygon(16, 0.40) + np.array([axle, 0.34])
        patch([(z, max(y, bottom)) for z, y in arch], (22, 22, 24))


def _draw_wheels(
    stage: Stage,
    profile: np.ndarray,
    width: float,
    where: tuple[float, float],
    yaw: float,
    far: bool,
) -> None:
    """The wheels on the hidden (``far``) or the visible side of the car."""
    faces = []
    for side in (-1.0, 1.0):
        for axle in (profile[0, 0] + 0.78, profile[1, 0] - 0.82):
            x = side * (width / 2 - (0.06 if far else 0.0))
            discs = []
            for radius, colour in ((0.33, _TYRE), (0.19, (128, 130, 134)), (0.06, (60, 60, 62))):
                ring = regular_polygon(16, radius)
                points = np.stack([np.full(16, x), ring[:, 1] + 0.33, ring[:, 0] + axle], axis=1)
                discs.append(Decal(points, colour))
            normal = np.array([-side if far else side, 0.0, 0.0])
            faces.append(Face(discs[0].points, normal, _TYRE, discs[1:]))
            if far:  # the tread, seen under the bumper
                inner = x - side * 0.2
                for end in (-1.0, 1.0):
                    tread = [(x, 0.0), (inner, 0.0), (inner, 0.4), (x, 0.4)]
                    points = np.array([(u, y, axle + 0.15 * end) for u, y in tread])
                    faces.append(Face(points, np.array([0.0, 0.0, end]), _TYRE))
    draw_solid(stage, faces, where, yaw, StoredId.CAR, stage.canvas.texture(0.015, 0.03))
