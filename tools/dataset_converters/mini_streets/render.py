"""Image number k of a split, from nothing but its number, the seed and the size."""

from __future__ import annotations

import numpy as np

from .backdrop import draw_sky, draw_skyline
from .canvas import Canvas
from .config import RenderConfig, StoredId
from .develop import develop
from .light import sample_light
from .ood_placement import OODTrace, place_ood
from .road import draw_ground, sample_road
from .scene import Scene, furnish, sample_camera
from .shapes import ellipse, vary
from .stage import Stage

SPLITS = ('train', 'val', 'test_id', 'test_ood')
OOD_SPLIT = 'test_ood'
MINIMUM_SIZE = (64, 128)
_ATTEMPTS = 40


def render_image(
    split: str, index: int, seed: int, size: tuple[int, int], config: RenderConfig | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Render one image and its label.

    Args:
        split: One of :data:`SPLITS`; OOD things occur in ``test_ood`` only.
        index: Number of the image in its split.
        seed: Seed of the data set.
        size: Height and width, at least :data:`MINIMUM_SIZE`.
        config: Knobs; default ``RenderConfig()``.

    Returns:
        The image, RGB uint8 ``(H, W, 3)``, and the stored ids, uint8 ``(H, W)``.

    Raises:
        ValueError: If an argument is out of its range.
        RuntimeError: If no attempt shows the OOD things as large as the config asks.
    """
    if split not in SPLITS:
        raise ValueError(f'`split` must be one of {list(SPLITS)}, got {split!r}')
    for name, number in (('index', index), ('seed', seed)):
        if number < 0:
            raise ValueError(f'`{name}` must be >= 0, got {number}')
    check_size(size)
    config = config or RenderConfig()
    for attempt in range(_ATTEMPTS):
        rng = np.random.default_rng([seed, SPLITS.index(split), index, attempt])
        stage, trace = _draw(rng, size, config, with_ood=split == OOD_SPLIT)
        if trace is None or _well_visible(stage, trace):
            return develop(stage)
    raise RuntimeError(
        f'no scene for image {index} of {split} in {_ATTEMPTS} attempts: '
        'the OOD sizes in the config contradict each other'
    )


def check_size(size: tuple[int, int]) -> None:
    """Raise ValueError if an image size (height, width) is too small to show a street."""
    if size[0] < MINIMUM_SIZE[0] or size[1] < MINIMUM_SIZE[1]:
        raise ValueError(
            f'`size` must be at least {MINIMUM_SIZE[0]} x {MINIMUM_SIZE[1]} (height x width), '
            f'got {size[0]} x {size[1]}'
        )


def _draw(
    rng: np.random.Generator, size: tuple[int, int], config: RenderConfig, with_ood: bool
) -> tuple[Stage, OODTrace | None]:
    """Draw a scene onto a new canvas, back to front."""
    road = sample_road(rng)
    camera = sample_camera(rng, config, size, road)
    scene = Scene(rng, config, camera, sample_light(rng, config), road)
    trace = place_ood(scene) if with_ood else None
    furnish(scene)
    stage = Stage(Canvas(camera.shape), camera, scene.light, config, rng)
    draw_sky(stage)
    draw_ground(stage, road)
    if rng.random() < 0.85:
        draw_skyline(stage)
    scene.items.sort(key=lambda item: -item.depth)
    for item in scene.items:
        if item.shadow is not None:
            x, z, half_x, half_z, height = item.shadow
            stage.cast_shadow((x, z), (half_x, half_z), height)
    for item in scene.items:
        item.draw(stage)
    if rng.random() < config.hood_share:
        _draw_hood(stage)
    return stage, trace


def _well_visible(stage: Stage, trace: OODTrace) -> bool:
    """Whether every OOD thing shows neither too few pixels nor too many."""
    low, high = stage.config.ood_visible_share
    pixels = stage.canvas.shape[0] * stage.canvas.shape[1]
    least = stage.config.ood_minimum_pixels * stage.config.supersample**2
    counts = [stage.canvas.count([texture]) for texture in trace.textures]
    return bool(counts) and all(max(low * pixels, least) <= n <= high * pixels for n in counts)


def _draw_hood(stage: Stage) -> None:
    """The hood of the own car, which nobody labelled."""
    rows, columns = stage.canvas.shape
    rng = stage.rng
    rise = rows * rng.uniform(0.05, 0.10)
    middle = stage.camera.centre * 0.3 + columns * 0.35
    outline = ellipse((middle, rows + 0.4 * rise), 0.62 * columns, 1.4 * rise, 60)
    tone = vary(rng, (60, 60, 64), 25)
    label = int(StoredId.UNLABELLED)
    stage.canvas.polygon(outline, tone, label, 1.0, stage.canvas.texture(0.02, 0.05))
    glint = ellipse((middle, rows + 0.55 * rise), 0.5 * columns, 1.3 * rise, 60)
    light = tuple(np.clip(np.asarray(tone) * 1.25, 0, 255))
    stage.canvas.polygon(glint, light, label, 1.0, stage.canvas.texture(0.02, 0.05))
