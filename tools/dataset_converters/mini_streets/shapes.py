"""Outlines in the plane, noise, and colours: what every drawn thing is made of."""

from __future__ import annotations

import cv2
import numpy as np

from .canvas import Colour


def ellipse(centre: tuple[float, float], rx: float, ry: float, corners: int = 20) -> np.ndarray:
    """Outline of an axis-parallel ellipse, ``(corners, 2)``."""
    angle = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    return np.stack([centre[0] + rx * np.cos(angle), centre[1] + ry * np.sin(angle)], axis=1)


def limb(
    start: tuple[float, float], end: tuple[float, float], start_radius: float, end_radius: float
) -> np.ndarray:
    """Outline of a tapered bar with round ends, ``(12, 2)``."""
    first, last = np.asarray(start, float), np.asarray(end, float)
    direction = np.arctan2(last[1] - first[1], last[0] - first[0])
    half = np.linspace(np.pi / 2, 3 * np.pi / 2, 6)
    head = direction + half
    tail = direction + half + np.pi
    return np.concatenate(
        [
            first + start_radius * np.stack([np.cos(head), np.sin(head)], axis=1),
            last + end_radius * np.stack([np.cos(tail), np.sin(tail)], axis=1),
        ]
    )


def rectangle(left: float, bottom: float, right: float, top: float) -> np.ndarray:
    """Corners of an axis-parallel rectangle, ``(4, 2)``."""
    return np.array([[left, bottom], [right, bottom], [right, top], [left, top]], dtype=float)


def regular_polygon(corners: int, radius: float, start: float = 0.0) -> np.ndarray:
    """Corners of a regular polygon around the origin, ``(corners, 2)``; ``start`` in radians."""
    angle = start + np.linspace(0, 2 * np.pi, corners, endpoint=False)
    return radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def blob(rng: np.random.Generator, rx: float, ry: float, roughness: float = 0.12) -> np.ndarray:
    """Outline of a lump that stands on y = 0, ``(18, 2)``, y up."""
    angle = np.linspace(0, 2 * np.pi, 18, endpoint=False)
    radius = 1 + roughness * rng.standard_normal(18)
    points = np.stack([rx * radius * np.cos(angle), ry * (1 + radius * np.sin(angle))], axis=1)
    points[:, 1] = np.maximum(points[:, 1], 0)
    return points


def value_noise(
    rng: np.random.Generator, shape: tuple[int, int], cell: tuple[float, float]
) -> np.ndarray:
    """Smooth noise of mean 0 and standard deviation about 1.

    Args:
        rng: Source of randomness.
        shape: Rows and columns.
        cell: Height and width of a lump, pixels.

    Returns:
        float32 of the given shape.
    """
    rows = max(2, round(shape[0] / cell[0]) + 1)
    columns = max(2, round(shape[1] / cell[1]) + 1)
    coarse = rng.standard_normal((rows, columns), dtype=np.float32)
    return 1.3 * cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC)


def vary(rng: np.random.Generator, colour: Colour, spread: float = 12.0) -> Colour:
    """A colour close to another: brightness and each channel vary."""
    shift = spread * rng.standard_normal() + 0.4 * spread * rng.standard_normal(3)
    red, green, blue = np.clip(np.asarray(colour) + shift, 4, 250)
    return float(red), float(green), float(blue)


def shade(colour: Colour, factor: float) -> Colour:
    """A colour made darker (below 1) or lighter."""
    red, green, blue = np.clip(np.asarray(colour) * factor, 0, 255)
    return float(red), float(green), float(blue)


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """``share`` of the second colour in the first."""
    red, green, blue = np.asarray(first) * (1 - share) + np.asarray(second) * share
    return float(red), float(green), float(blue)


def pick(rng: np.random.Generator, colours: list[Colour], spread: float = 10.0) -> Colour:
    """One of the colours, varied."""
    return vary(rng, colours[int(rng.integers(len(colours)))], spread)
