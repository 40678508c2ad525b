"""The light of a scene: time of day, sun, haze, lamps."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .config import RenderConfig


@dataclass
class Light:
    """How a scene is lit. Colours are RGB factors or radiances, 1 = white.

    Attributes:
        time: ``'day'``, ``'dusk'`` or ``'night'``.
        sun: Direction to the sun, world axes, unit length.
        direct: Colour of the direct light.
        ambient: Colour of the light from everywhere.
        zenith: Colour of the sky above.
        skyline: Colour of the sky at the horizon, and of the haze.
        haze: Extinction per metre.
        headlight: Strength of the own headlights.
        lamps: Ground positions (x, z) of lamps that shine.
    """

    time: str
    sun: np.ndarray
    direct: np.ndarray
    ambient: np.ndarray
    zenith: np.ndarray
    skyline: np.ndarray
    haze: float
    headlight: float
    lamps: list[tuple[float, float]] = field(default_factory=list)

    @property
    def dark(self) -> bool:
        """Whether lamps and headlights are on."""
        return self.time != 'day'

    def facing(self, normal: np.ndarray) -> float:
        """Brightness of a surface by its normal, relative to one that faces the sun."""
        sunlit = max(0.0, float(normal @ self.sun))
        return float(0.66 + 0.32 * sunlit + 0.06 * normal[1] + 0.05 * normal[0])


def sample_light(rng: np.random.Generator, config: RenderConfig) -> Light:
    """Draw the light of a scene."""
    azimuth = rng.uniform(0, 2 * np.pi)
    draw = rng.random()
    haze = float(rng.uniform(*config.haze))
    if draw < config.night_share:
        return _night(rng, azimuth, haze)
    if draw < config.night_share + config.dusk_share:
        return _dusk(rng, azimuth, haze)
    return _day(rng, azimuth, haze)


def _direction(azimuth: float, elevation: float) -> np.ndarray:
    level = np.cos(elevation)
    return np.array([level * np.sin(azimuth), np.sin(elevation), level * np.cos(azimuth)])


def _day(rng: np.random.Generator, azimuth: float, haze: float) -> Light:
    overcast = rng.random() ** 1.5  # 0 = clear
    warm = np.array([1.0, 0.95, 0.86])
    grey = np.array([0.80, 0.83, 0.87])
    blue = np.array([0.36, 0.56, 0.86])
    strength = float(rng.uniform(0.85, 1.1))
    return Light(
        time='day',
        sun=_direction(azimuth, np.deg2rad(rng.uniform(25, 65))),
        direct=strength * warm * (0.85 * (1 - overcast) + 0.15),
        ambient=strength * (np.array([0.42, 0.46, 0.54]) + 0.30 * overcast),
        zenith=strength * (blue * (1 - overcast) + 0.92 * grey * overcast),
        skyline=np.minimum(1, strength * np.array([0.80, 0.86, 0.92])),
        haze=haze * (1 + overcast),
        headlight=0.0,
    )


def _dusk(rng: np.random.Generator, azimuth: float, haze: float) -> Light:
    strength = float(rng.uniform(0.6, 0.95))
    glow = rng.uniform(0.0, 1.0)
    return Light(
        time='dusk',
        sun=_direction(azimuth, np.deg2rad(rng.uniform(8, 20))),
        direct=strength * (0.2 + 0.5 * glow) * np.array([1.0, 0.72, 0.48]),
        ambient=strength * np.array([0.46, 0.45, 0.55]),
        zenith=strength * np.array([0.34, 0.38, 0.58]),
        skyline=strength * (np.array([0.60, 0.52, 0.60]) + glow * np.array([0.36, 0.12, -0.12])),
        haze=haze * 1.3,
        headlight=0.15,
    )


def _night(rng: np.random.Generator, azimuth: float, haze: float) -> Light:
    strength = float(rng.uniform(0.8, 1.2))
    glow = rng.uniform(0.3, 1.0)
    return Light(
        time='night',
        sun=_direction(azimuth, np.deg2rad(40)),
        direct=strength * np.array([0.06, 0.07, 0.10]),
        ambient=strength * np.array([0.17, 0.18, 0.24]),
        zenith=strength * np.array([0.03, 0.04, 0.09]),
        skyline=strength * (np.array([0.07, 0.08, 0.13]) + glow * np.array([0.10, 0.07, 0.03])),
        haze=haze * 0.8,
        headlight=float(rng.uniform(0.5, 0.9)),
    )
