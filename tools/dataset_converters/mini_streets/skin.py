"""Patterns and roundness for what is already drawn: fur, spots, stripes, checks, grain."""

from __future__ import annotations

import cv2
import numpy as np

from .canvas import Colour
from .shapes import mix, value_noise
from .stage import Stage

PATTERNS = ('plain', 'spots', 'stripes', 'checks', 'grain', 'patches')


def apply_pattern(stage: Stage, texture: int, kind: str, first: Colour, second: Colour) -> None:
    """Paint a pattern over every pixel that shows ``texture``.

    Args:
        stage: The image.
        texture: Number of the texture, used by one thing only.
        kind: One of :data:`PATTERNS`.
        first: Colour that the thing is drawn in.
        second: Colour of the pattern.
    """
    window = stage.canvas.region(texture)
    if window is None or kind == 'plain':
        return
    second = mix(first, second, stage.config.ood_contrast)
    mask = stage.canvas.info[window][..., stage.canvas.TEXTURE] == texture
    share = _pattern(stage.rng, kind, mask.shape)[..., None] * mask[..., None]
    paint = stage.canvas.paint[window][..., :3]
    # The pattern replaces the albedo but keeps the shading that the faces already have.
    ratio = np.asarray(second, dtype=np.float32) / np.maximum(np.asarray(first), 8)
    paint[...] = np.clip(paint * (1 - share + share * ratio), 0, 255).astype(np.uint8)


def round_off(stage: Stage, texture: int, strength: float) -> None:
    """Shade what shows ``texture`` as if it were round: dark edges, light towards the sun."""
    window = stage.canvas.region(texture)
    if window is None:
        return
    mask = stage.canvas.info[window][..., stage.canvas.TEXTURE] == texture
    solid = np.pad(mask.astype(np.float32), 2)
    sigma = max(1.0, 0.10 * min(mask.shape))
    soft = cv2.GaussianBlur(solid, (0, 0), sigma)[2:-2, 2:-2]
    slope_y, slope_x = np.gradient(soft)
    sunward = float(np.sign(stage.light.sun[0]))
    lit = (slope_y - 0.5 * sunward * slope_x) * sigma  # light from above
    tone = 0.86 + 0.3 * soft + strength * lit
    height = np.linspace(1.08, 0.86, mask.shape[0])[:, None]
    factor = np.where(mask, np.clip(tone, 0.4, 1.5) * height, 1.0)[..., None]
    paint = stage.canvas.paint[window][..., :3]
    paint[...] = np.clip(paint * factor, 0, 255).astype(np.uint8)


def _pattern(rng: np.random.Generator, kind: str, shape: tuple[int, int]) -> np.ndarray:
    """How much of the second colour shows, ``shape``, 0..1."""
    rows, columns = shape
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    unit = max(2.0, min(shape) * rng.uniform(0.12, 0.22))
    lumps = value_noise(rng, shape, (unit, unit))
    if kind == 'spots':
        field = value_noise(rng, shape, (0.7 * unit, 0.7 * unit)) - 0.5
    elif kind == 'patches':
        field = value_noise(rng, shape, (2.2 * unit, 2.2 * unit)) + 0.3 * lumps
    elif kind == 'stripes':
        angle = rng.uniform(-0.5, 0.5)
        phase = (x * np.cos(angle) + y * np.sin(angle)) / (0.75 * unit) + 0.5 * lumps
        field = np.sin(2 * np.pi * phase / 1.6)
    elif kind == 'checks':
        angle = rng.uniform(0, np.pi / 4)
        u = x * np.cos(angle) + y * np.sin(angle)
        v = y * np.cos(angle) - x * np.sin(angle)
        field = np.sin(np.pi * u / unit) * np.sin(np.pi * v / unit)
    elif kind == 'grain':
        field = value_noise(rng, shape, (max(1.5, 0.25 * unit), 2.5 * unit)) - 0.2
    else:
        raise ValueError(f'`kind` must be one of {list(PATTERNS)}, got {kind!r}')
    return np.clip(0.5 + 3 * field, 0, 1).astype(np.float32)
