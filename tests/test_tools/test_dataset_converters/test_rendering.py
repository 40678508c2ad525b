"""The renderer: deterministic, complete, and OOD only where it belongs."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from mini_streets import (
    SPLITS,
    RenderConfig,
    Settings,
    open_folder,
    render,
    render_image,
    write_images,
)

SIZE = (64, 128)
IN_DISTRIBUTION = {0, 1, 2, 5, 7, 8, 10, 11, 13}


@cache
def scene(split, index):
    """An image and its label, which several tests look at."""
    return render_image(split, index, 0, SIZE)


def files_below(root):
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob('*')
        if path.is_file()
    }


def render_folder(root, workers, seed=5):
    counts = {'train': 3, 'val': 1, 'test_id': 1, 'test_ood': 2}
    settings = Settings(seed=seed, size=SIZE, counts=counts)
    ticks = list(write_images(root, settings, open_folder(root, settings), workers))
    assert len(ticks) == 7
    return files_below(root)


def test_same_files_whatever_the_number_of_workers(tmp_path):
    alone = render_folder(tmp_path / 'alone', workers=1)
    shared = render_folder(tmp_path / 'shared', workers=2)

    assert len(alone) == 2 * 7 + 1
    assert shared == alone


def test_each_image_depends_on_seed_split_and_index():
    first, *others = (
        picture.tobytes()
        for picture, _ in (
            scene('train', 0),
            render_image('train', 0, 1, SIZE),
            scene('train', 1),
            scene('val', 0),
        )
    )

    assert render_image('train', 0, 0, SIZE)[0].tobytes() == first
    assert len({first, *others}) == 4


@pytest.mark.parametrize('size', [(64, 128), (128, 256), (96, 160), (129, 257)])
def test_image_and_label_have_the_asked_size(size):
    image, label = render_image('train', 2, 0, size)

    assert image.shape == (*size, 3)
    assert label.shape == size
    assert image.dtype == label.dtype == np.uint8


def test_label_geometry_scales_with_the_size():
    _, small = render_image('train', 1, 0, (64, 128))
    _, large = render_image('train', 1, 0, (128, 256))

    # what differs is a rim of about one pixel and the leaves, which are drawn at random
    solid = ~np.isin(large[::2, ::2], [8]) & (small != 8)
    assert (large[::2, ::2] == small)[solid].mean() > 0.85


def test_every_class_appears_and_ood_only_in_test_ood():
    seen = {
        split: set(np.unique([scene(split, index)[1] for index in range(8)])) for split in SPLITS
    }

    for split in ('train', 'val', 'test_id'):
        assert IN_DISTRIBUTION <= seen[split] <= IN_DISTRIBUTION | {255}
    assert IN_DISTRIBUTION | {19, 20} <= seen['test_ood'] <= IN_DISTRIBUTION | {19, 20, 255}


def test_every_ood_image_shows_ood_pixels_of_the_asked_size():
    config = RenderConfig()
    for index in range(6):
        _, label = render_image('test_ood', index, 0, (128, 256))
        share = np.isin(label, [19, 20]).mean()

        assert config.ood_visible_share[0] * 0.8 < share
        assert share < config.ood_count[1] * config.ood_visible_share[1] * 1.1


def test_hood_is_unlabelled_and_at_the_bottom():
    _, label = render_image('train', 0, 0, SIZE, replace(RenderConfig(), hood_share=1.0))
    rows = np.flatnonzero((label == 255).any(axis=1))

    assert rows[-1] == SIZE[0] - 1
    assert rows[0] > 0.8 * SIZE[0]


def test_classes_lie_where_they_do_on_a_street():
    labels = np.stack([scene('train', index)[1] for index in range(10)])
    half = SIZE[0] // 2

    assert (labels[:, :half] == 10).mean() > 0.08  # sky is up
    assert (labels[:, -half // 2 :] == 10).mean() == 0
    assert (labels[:, -half:, SIZE[1] // 4 : -SIZE[1] // 4] == 0).mean() > 0.4  # road is down


@pytest.mark.parametrize(
    ('case', 'message'),
    [
        (('test', 0, 0, SIZE), r"`split` must be one of \['train', .*\], got 'test'"),
        (('train', -1, 0, SIZE), '`index` must be >= 0, got -1'),
        (('train', 0, -2, SIZE), '`seed` must be >= 0, got -2'),
        (('train', 0, 0, (63, 128)), r'`size` must be at least 64 x 128 .*, got 63 x 128'),
    ],
)
def test_bad_arguments_are_named(case, message):
    with pytest.raises(ValueError, match=message):
        render_image(*case)


def test_impossible_ood_sizes_are_an_error(monkeypatch):
    monkeypatch.setattr(render, '_ATTEMPTS', 3)
    config = replace(RenderConfig(), ood_visible_share=(0.9, 0.95))
    with pytest.raises(RuntimeError, match='image 0 of test_ood in 3 attempts'):
        render_image('test_ood', 0, 0, SIZE, config)
