"""From the canvas to the picture: texture, light, haze, lens and sensor."""

from __future__ import annotations

import cv2
import numpy as np

from .canvas import SKY_DEPTH, Canvas, depth_table
from .shapes import value_noise
from .stage import Stage

_LAMP_COLOUR = np.array([1.0, 0.78, 0.48], dtype=np.float32)
_BEAM_COLOUR = np.array([1.0, 0.96, 0.84], dtype=np.float32)


def develop(stage: Stage) -> tuple[np.ndarray, np.ndarray]:
    """Light the canvas and take the picture.

    Returns:
        The image, RGB uint8 ``(H, W, 3)``, and the stored ids, uint8 ``(H, W)``, in image pixels.
    """
    canvas, step = stage.canvas, stage.config.supersample
    radiance = _light(stage, _texture(stage))
    radiance = _haze(stage, radiance)
    radiance = _bloom(stage, radiance)
    size = (canvas.shape[1] // step, canvas.shape[0] // step)
    picture = cv2.resize(radiance, size, interpolation=cv2.INTER_AREA)
    # One sample per pixel, at its middle: a label is never mixed from two.
    label = canvas.info[step // 2 :: step, step // 2 :: step, canvas.LABEL].copy()
    return _expose(stage, picture), label


def _texture(stage: Stage) -> np.ndarray:
    """Albedo with each surface's texture, float32 ``(rows, columns, 3)``, 1 = white."""
    canvas, rng = stage.canvas, stage.rng
    shape = canvas.shape
    grain = shape[0] / 256  # textures keep their size relative to the picture
    fields = (
        value_noise(rng, shape, (1.6 * grain, 1.6 * grain)),
        value_noise(rng, shape, (14 * grain, 14 * grain)),
        value_noise(rng, shape, (20 * grain, 1.6 * grain)),
    )
    amplitudes = np.zeros((256, 3), dtype=np.float32)
    amplitudes[: len(canvas.textures)] = canvas.textures
    number = canvas.info[..., canvas.TEXTURE]
    factor = np.ones(shape, dtype=np.float32)
    for kind, noise in enumerate(fields):
        factor += stage.config.texture_gain * cv2.LUT(number, amplitudes[:, kind]) * noise
    albedo = canvas.paint[..., :3].astype(np.float32) / 255
    return albedo * np.clip(factor, 0.3, 1.8)[..., None]


def _depth(canvas: Canvas) -> np.ndarray:
    """Depth of every pixel, metres, float32."""
    return cv2.LUT(canvas.info[..., canvas.DEPTH], depth_table())


def _light(stage: Stage, albedo: np.ndarray) -> np.ndarray:
    """Sun, sky, lamps and headlights on everything but the sky and what shines itself."""
    canvas, light = stage.canvas, stage.light
    direct = (canvas.paint[..., 3].astype(np.float32) / 255)[..., None]
    arriving = light.ambient.astype(np.float32) + light.direct.astype(np.float32) * direct
    if light.dark:
        arriving = arriving + _lamp_light(stage)
    lit = albedo * arriving
    emission = canvas.info[..., canvas.EMISSION, None].astype(np.float32) / 255
    lit += emission * (albedo - np.minimum(lit, albedo))
    sky = canvas.info[..., canvas.DEPTH] == SKY_DEPTH
    lit[sky] = albedo[sky]
    return lit


def _lamp_light(stage: Stage) -> np.ndarray:
    """Light of the street lights and the own headlights, ``(rows, columns, 3)``."""
    camera, light, canvas = stage.camera, stage.light, stage.canvas
    depth = np.minimum(_depth(canvas), 300)
    column = np.arange(canvas.shape[1], dtype=np.float32)[None, :] + 0.5
    x = (column - np.float32(camera.centre)) * depth / np.float32(camera.focal)
    x += np.float32(camera.x) - camera.shift(depth).astype(np.float32)
    total = np.zeros((*canvas.shape, 3), dtype=np.float32)
    strength = 1.0 if light.time == 'night' else 0.25
    pool = np.zeros(canvas.shape, dtype=np.float32)
    for lamp_x, lamp_z in light.lamps:
        pool += np.exp(-((x - lamp_x) ** 2 + (depth - lamp_z) ** 2) / 30)
    total += 0.62 * strength * pool[..., None] * _LAMP_COLOUR
    spread = 1.2 + 0.22 * depth
    beam = np.exp(-(((x - camera.x) / spread) ** 2) - depth / 22) * light.headlight
    total += beam[..., None] * _BEAM_COLOUR
    return total


def _haze(stage: Stage, radiance: np.ndarray) -> np.ndarray:
    """Far things fade into the colour of the skyline."""
    canvas, light = stage.canvas, stage.light
    clear = np.exp(-light.haze * np.where(np.isinf(depth_table()), 0, depth_table()))
    clear = cv2.LUT(canvas.info[..., canvas.DEPTH], clear.astype(np.float32))[..., None]
    return radiance * clear + light.skyline.astype(np.float32) * (1 - clear)


def _bloom(stage: Stage, radiance: np.ndarray) -> np.ndarray:
    """A glow around lamps and lit windows in the dark."""
    if not stage.light.dark:
        return radiance
    canvas = stage.canvas
    shining = radiance * (canvas.info[..., canvas.EMISSION, None].astype(np.float32) / 255) ** 2
    rows, columns = canvas.shape
    small = cv2.resize(shining, (columns // 4, rows // 4), interpolation=cv2.INTER_AREA)
    wide = cv2.GaussianBlur(small, (0, 0), rows / 64)
    narrow = cv2.GaussianBlur(small, (0, 0), rows / 240)
    glow = cv2.resize(0.9 * wide + 0.5 * narrow, (columns, rows), interpolation=cv2.INTER_LINEAR)
    return radiance + glow


def _expose(stage: Stage, picture: np.ndarray) -> np.ndarray:
    """Lens and sensor: blur, contrast, colour cast, vignette, noise; RGB uint8."""
    rng, config = stage.rng, stage.config
    rows, columns = picture.shape[:2]
    sigma = rng.uniform(*config.blur) * rows / 128
    if sigma > 0.15:
        picture = cv2.GaussianBlur(picture, (0, 0), sigma)
    if stage.light.time == 'night':  # a longer exposure and a steeper curve
        picture = 1.15 * np.maximum(picture, 0) ** 0.85
    mean = float(picture.mean())
    picture = (picture - mean) * rng.uniform(*config.contrast) + mean
    picture = _roll_off(picture)
    picture *= (1 + config.colour_cast * rng.standard_normal(3)).astype(np.float32)
    y = np.linspace(-1, 1, rows, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, columns, dtype=np.float32)[None, :]
    picture *= (1 - rng.uniform(0, 0.12) * (x**2 + y**2))[..., None].astype(np.float32)
    noise = rng.standard_normal(picture.shape, dtype=np.float32)
    level = rng.uniform(*config.noise) * (1.5 if stage.light.time == 'night' else 1.0)
    picture += level * (0.4 + 0.9 * np.sqrt(np.clip(picture, 0, 1))) * noise
    return np.clip(np.round(255 * picture), 0, 255).astype(np.uint8)


def _roll_off(picture: np.ndarray, knee: float = 0.75) -> np.ndarray:
    """Compress what is brighter than the knee, so that little is burnt out."""
    rest = 1 - knee
    bright = knee + rest * np.tanh((picture - knee) / rest)
    return np.where(picture > knee, bright, picture)
