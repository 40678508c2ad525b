"""The canvas: colour and, for every pixel, what it shows."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

Colour = tuple[float, float, float]  # RGB, 0..255

SKY_DEPTH = 255
_NEAR, _FAR = 1.0, 400.0  # metres that the depth codes span
_FRACTION_BITS = 4  # sub-pixel bits of OpenCV's polygon corners
_CORNER_LIMIT = 20000.0


class Canvas:
    """What is drawn so far, painted back to front.

    Colour and label are written by the same drawing operations at the same corners, so they
    agree pixel by pixel.

    Attributes:
        paint: ``(H, W, 4)`` uint8: RGB albedo, and how much direct light arrives (255 = all).
        info: ``(H, W, 4)`` uint8: stored label id, texture number, depth code, emission.
        textures: Per texture number the amplitudes of (fine, coarse, streaky) noise.
    """

    LABEL, TEXTURE, DEPTH, EMISSION = range(4)

    def __init__(self, shape: tuple[int, int]) -> None:
        self.shape = shape
        self.paint = np.zeros((*shape, 4), dtype=np.uint8)
        self.info = np.zeros((*shape, 4), dtype=np.uint8)
        self.textures: list[tuple[float, float, float]] = []
        self._shared: dict[tuple[float, float, float], int] = {}

    def texture(
        self, fine: float, coarse: float = 0.0, streak: float = 0.0, own: bool = False
    ) -> int:
        """Number of a texture; ``own`` keeps it from being shared with other objects."""
        amplitudes = (fine, coarse, streak)
        if not own and amplitudes in self._shared:
            return self._shared[amplitudes]
        if len(self.textures) == 256:
            raise RuntimeError('a canvas holds at most 256 textures')
        self.textures.append(amplitudes)
        if not own:
            self._shared[amplitudes] = len(self.textures) - 1
        return len(self.textures) - 1

    def polygon(
        self,
        corners: np.ndarray,
        colour: Colour,
        label: int,
        depth: float,
        texture: int = 0,
        emission: float = 0.0,
    ) -> None:
        """Fill a polygon.

        Args:
            corners: ``(N, 2)`` of (column, row), pixels.
            colour: RGB albedo.
            label: Stored id.
            depth: Metres.
            texture: Number from :meth:`texture`.
            emission: 0 (lit by the scene) to 1 (shines by itself).
        """
        rows, columns = self.shape
        low, high = corners.min(axis=0), corners.max(axis=0)
        if high[0] < 0 or high[1] < 0 or low[0] > columns or low[1] > rows:
            return
        # OpenCV puts integer coordinates at pixel centres, the camera at pixel corners.
        fixed = np.clip(corners - 0.5, -_CORNER_LIMIT, _CORNER_LIMIT) * (1 << _FRACTION_BITS)
        points = [np.round(fixed).astype(np.int32)]
        cv2.fillPoly(self.paint, points, (*colour, 255.0), shift=_FRACTION_BITS)
        cv2.fillPoly(
            self.info,
            points,
            (float(label), float(texture), float(depth_code(depth)), 255.0 * emission),
            shift=_FRACTION_BITS,
        )

    def stamp(
        self,
        mask: np.ndarray,
        corner: tuple[int, int],
        colour: np.ndarray,
        label: int,
        depth: float,
        texture: int = 0,
    ) -> None:
        """Write a coloured mask, clipped to the canvas.

        Args:
            mask: ``(h, w)`` bool.
            corner: Column and row of the mask's upper left pixel.
            colour: ``(h, w, 3)``, RGB albedo.
            label: Stored id.
            depth: Metres.
            texture: Number from :meth:`texture`.
        """
        window, part = self._clip(corner, mask.shape)
        if window is None:
            return
        mask = mask[part]
        self.paint[window][mask] = np.concatenate(
            [np.clip(colour[part][mask], 0, 255), np.full((mask.sum(), 1), 255)], axis=1
        ).astype(np.uint8)
        self.info[window][mask] = (label, texture, depth_code(depth), 0)

    def darken(self, corners: np.ndarray, light: float, softness: float) -> None:
        """Take direct light away inside a polygon.

        Args:
            corners: ``(N, 2)`` of (column, row), pixels.
            light: Share of the direct light that is left, 0..1.
            softness: Sigma of the polygon's edge, pixels.
        """
        margin = int(np.ceil(2 * softness)) + 1
        low = np.maximum(np.floor(corners.min(axis=0)) - margin, 0).astype(int)
        high = np.minimum(np.ceil(corners.max(axis=0)) + margin, self.shape[::-1]).astype(int)
        if (high <= low).any():
            return
        shadow = np.zeros((high[1] - low[1], high[0] - low[0]), dtype=np.float32)
        fixed = np.clip(corners - low - 0.5, -_CORNER_LIMIT, _CORNER_LIMIT)
        points = np.round(fixed * (1 << _FRACTION_BITS)).astype(np.int32)
        cv2.fillPoly(shadow, [points], 1.0, shift=_FRACTION_BITS)
        if softness > 0:
            shadow = cv2.GaussianBlur(shadow, (0, 0), softness)
        window = self.paint[low[1] : high[1], low[0] : high[0], 3]
        window[...] = (window * (1 - (1 - light) * shadow)).astype(np.uint8)

    def region(self, texture: int) -> tuple[slice, slice] | None:
        """Smallest window that holds every pixel of a texture, or None if none is visible."""
        found = self.info[..., self.TEXTURE] == texture
        rows, columns = np.flatnonzero(found.any(axis=1)), np.flatnonzero(found.any(axis=0))
        if not rows.size:
            return None
        return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)

    def count(self, textures: Sequence[int]) -> int:
        """Number of pixels that show one of the textures."""
        return int(np.isin(self.info[..., self.TEXTURE], textures).sum())

    def _clip(
        self, corner: tuple[int, int], shape: tuple[int, ...]
    ) -> tuple[tuple[slice, slice] | None, tuple[slice, slice]]:
        """Window on the canvas and the part of a ``shape`` array that falls into it."""
        left, top = corner
        x0, x1 = max(left, 0), min(left + shape[1], self.shape[1])
        y0, y1 = max(top, 0), min(top + shape[0], self.shape[0])
        part = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
        if x0 >= x1 or y0 >= y1:
            return None, part
        return (slice(y0, y1), slice(x0, x1)), part


def depth_code(depth: float | np.ndarray) -> np.ndarray:
    """Depth in metres as a logarithmic uint8 code below :data:`SKY_DEPTH`."""
    share = np.log(np.clip(depth, _NEAR, _FAR) / _NEAR) / np.log(_FAR / _NEAR)
    return np.round(share * (SKY_DEPTH - 1)).astype(np.uint8)


def depth_table() -> np.ndarray:
    """Depth in metres of each of the 256 codes; the sky's is infinite."""
    codes = np.arange(256, dtype=np.float64)
    depths = _NEAR * (_FAR / _NEAR) ** (codes / (SKY_DEPTH - 1))
    depths[SKY_DEPTH] = np.inf
    return depths.astype(np.float32)
