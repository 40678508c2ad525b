"""The camera: from metres to pixels and back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_NEAREST = 0.8  # metres; nothing is drawn closer
_BEND_END = 70.0  # metres; the road is straight after this


@dataclass(frozen=True)
class Camera:
    """A pinhole camera over a flat ground.

    World axes: X right, Y up, Z ahead, in metres; the camera stands at ``(x, height, 0)``. The
    road may bend: everything at depth Z is shifted sideways by ``bend * Z**2 / 2``.

    Attributes:
        shape: Rows and columns of the canvas.
        focal: Focal length, pixels.
        horizon: Row of the horizon.
        centre: Column of the vanishing point.
        x: Sideways position, metres.
        height: Height over the ground, metres.
        bend: Curvature of the road, 1/metre.
    """

    shape: tuple[int, int]
    focal: float
    horizon: float
    centre: float
    x: float
    height: float
    bend: float

    def shift(self, z: np.ndarray) -> np.ndarray:
        """Sideways shift of the road at depth ``z``, metres."""
        near = np.minimum(z, _BEND_END)
        return self.bend * (near**2 / 2 + near * (z - near))

    def project(self, points: np.ndarray) -> np.ndarray:
        """Pixels ``(..., 2)`` as (column, row) of world points ``(..., 3)``."""
        z = np.maximum(points[..., 2], _NEAREST)
        scale = self.focal / z
        return np.stack(
            [
                self.centre + scale * (points[..., 0] + self.shift(z) - self.x),
                self.horizon + scale * (self.height - points[..., 1]),
            ],
            axis=-1,
        )

    def scale(self, z: float) -> float:
        """Pixels per metre at depth ``z``."""
        return self.focal / max(z, _NEAREST)

    def ground(self, first_row: int) -> tuple[np.ndarray, np.ndarray]:
        """Where the rays through the pixels from ``first_row`` down meet the ground.

        Returns:
            X of shape ``(rows, columns)`` and Z of shape ``(rows, 1)``, metres.
        """
        rows, columns = self.shape
        below = np.arange(first_row, rows, dtype=np.float64)[:, None] + 0.5 - self.horizon
        z = self.focal * self.height / np.maximum(below, 1e-3)
        column = np.arange(columns, dtype=np.float64)[None, :] + 0.5
        return (column - self.centre) * z / self.focal + self.x - self.shift(z), z
