"""Every knob of the renderer in one place, and the ids that it stores."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class StoredId(IntEnum):
    """Ids in the label files: MUAD's, which are the Cityscapes train ids plus two for OOD."""

    ROAD = 0
    SIDEWALK = 1
    BUILDING = 2
    POLE = 5
    TRAFFIC_SIGN = 7
    VEGETATION = 8
    SKY = 10
    PERSON = 11
    CAR = 13
    OOD_ANIMAL = 19
    OOD_OBJECT = 20
    UNLABELLED = 255


Range = tuple[float, float]


@dataclass(frozen=True)
class RenderConfig:
    """What a scene is drawn from. Lengths are metres, angles degrees, ranges are (low, high).

    The first block decides how hard the classes are to tell apart, the second how large the
    things are, the third how hard OOD objects are to find.
    """

    # Appearance
    supersample: int = 2  # canvas pixels per image pixel, along each axis
    night_share: float = 0.10
    dusk_share: float = 0.20
    texture_gain: float = 1.0  # scales every surface texture
    haze: Range = (0.001, 0.008)  # extinction per metre
    blur: Range = (0.0, 0.6)  # sigma, image pixels
    noise: Range = (0.004, 0.016)  # sigma, of a full scale of 1
    contrast: Range = (0.85, 1.15)
    colour_cast: float = 0.035  # sigma of the gain of each colour channel

    # Geometry
    focal: Range = (1.05, 1.45)  # of sqrt(height * width)
    camera_height: Range = (1.4, 2.4)
    horizon: Range = (0.40, 0.54)  # of the image height
    car_count: tuple[int, int] = (2, 8)
    car_distance: Range = (6.5, 45.0)
    person_count: tuple[int, int] = (3, 7)
    person_distance: Range = (5.0, 12.0)
    pole_spacing: Range = (8.0, 14.0)
    pole_distance: Range = (6.0, 26.0)
    pole_radius: Range = (0.13, 0.20)
    sign_count: tuple[int, int] = (2, 4)
    sign_distance: Range = (6.0, 16.0)
    sign_size: Range = (0.85, 1.35)
    hood_share: float = 0.06  # images that show the hood of the own car

    # OOD
    ood_count: tuple[int, int] = (1, 3)
    ood_target_share: Range = (0.006, 0.045)  # of the image, aimed at when an object is placed
    ood_visible_share: Range = (0.003, 0.06)  # of the image, accepted after drawing
    ood_minimum_pixels: int = 24
    ood_contrast: float = 0.7  # how far an OOD texture's two colours lie apart
