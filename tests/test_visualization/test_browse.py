"""Pictures of labels, by hand."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from mmseg_abnn.datasets.statistics import LabelStatistics
from mmseg_abnn.visualization.browse import (
    label_picture,
    legend_entries,
    overlay_labels,
    statistics_table,
)

CLASSES = ('road', 'traffic_sign', 'sky')
PALETTE = [(100, 0, 0), (0, 0, 100), (0, 200, 0)]
GRAY, RED, WHITE = (150, 150, 150), (255, 0, 0), (255, 255, 255)
OOD, IGNORED = 254, 255


def overlay_of(label, value=50, shape=(16, 16), ood_id=OOD):
    image = np.full((*shape, 3), value, np.uint8)
    return overlay_labels(image, np.full(shape, label), PALETTE, ood_id)


def colors_of(picture):
    return {tuple(color) for color in picture.reshape(-1, 3).tolist()}


@pytest.mark.parametrize(
    ('label', 'color'),
    [
        (0, (80, 20, 20)),  # 0.4 * 50 + 0.6 * color
        (1, (20, 20, 80)),
        (2, (20, 140, 20)),
        (OOD, (10, 214, 214)),  # 0.2 * 50 + 0.8 * cyan
    ],
)
def test_colors(label, color):
    overlay = overlay_of(label)
    assert overlay.dtype == np.uint8
    assert colors_of(overlay) == {color}


def test_ignored_pixels_are_dark_with_gray_lines():
    overlay = overlay_of(IGNORED)
    for row, column in np.ndindex(16, 16):
        expected = GRAY if (row + column) % 4 == 0 else (15, 15, 15)
        assert tuple(overlay[row, column]) == expected


@pytest.mark.parametrize('label', [-1, 3, 30, 253])
def test_other_ids_have_red_and_white_stripes(label):
    overlay = overlay_of(label)
    for row, column in np.ndindex(16, 16):
        expected = RED if (row + column) % 4 < 2 else WHITE
        assert tuple(overlay[row, column]) == expected


def test_ood_id_of_a_dataset_without_ood_pixels():
    assert colors_of(overlay_of(OOD, ood_id=None)) == {RED, WHITE}


def test_pixels_do_not_depend_on_others():
    labels = np.random.default_rng(0).choice([0, 1, 2, OOD, IGNORED, 30], (16, 16))
    image = np.random.default_rng(1).integers(0, 256, (16, 16, 3)).astype(np.uint8)
    before = labels.copy(), image.copy()
    overlay = overlay_labels(image, labels, PALETTE, OOD)
    for label in np.unique(labels):
        alone = overlay_labels(image, np.full((16, 16), label), PALETTE, OOD)
        np.testing.assert_array_equal(overlay[labels == label], alone[labels == label])
    np.testing.assert_array_equal(before[0], labels)
    np.testing.assert_array_equal(before[1], image)


def test_legend():
    labels = np.repeat([0, 2, OOD, IGNORED, 30, -1], [13, 2, 1, 3, 4, 1]).reshape(4, 6)
    patches = legend_entries(labels, CLASSES, PALETTE, OOD)
    found = [(patch.get_label(), to_hex(patch.get_facecolor())) for patch in patches]
    assert found[:3] == [
        ('road  54.17%', '#640000'),
        ('sky  8.33%', '#00c800'),
        ('OOD  4.17%', '#00ffff'),
    ]
    assert [label for label, _ in found[3:]] == ['ignored  12.50%', 'unknown id  20.83%']
    hatched = [
        (to_hex(patch.get_facecolor()), to_hex(patch.get_edgecolor()), patch.get_hatch())
        for patch in patches[3:]
    ]
    assert hatched == [('#333333', '#969696', '////'), ('#ffffff', '#ff0000', '////')]


def test_legend_of_few_pixels():
    labels = np.zeros((200, 100), int)
    labels[0, 0] = 1
    labels[0, 1:3] = OOD
    texts = [patch.get_label() for patch in legend_entries(labels, CLASSES, PALETTE, OOD)]
    assert texts == ['road  99.98%', 'traffic sign  <0.01%', 'OOD  0.01%']


def test_picture_of_a_small_image():
    image = np.random.default_rng(0).integers(0, 256, (32, 128, 3)).astype(np.uint8)
    labels = np.random.default_rng(1).choice([0, 1, 2, OOD, IGNORED], (32, 128))
    picture = label_picture(image, labels, CLASSES, PALETTE, OOD)
    assert picture.dtype == np.uint8
    # enlarged by 4, and a gap of a hundredth
    assert picture.shape[1:] == (2 * 512 + 5, 3)
    large, large_labels = image.repeat(4, 0).repeat(4, 1), labels.repeat(4, 0).repeat(4, 1)
    np.testing.assert_array_equal(picture[:128, :512], large)
    assert (picture[:128, 512:517] == 255).all()
    np.testing.assert_array_equal(
        picture[:128, 517:], overlay_labels(large, large_labels, PALETTE, OOD)
    )
    legend = colors_of(picture[128:])
    assert {*PALETTE, (0, 255, 255)} <= legend


def test_picture_of_a_large_image():
    image = np.zeros((600, 700, 3), np.uint8)
    picture = label_picture(image, np.zeros((600, 700), int), CLASSES, PALETTE)
    assert picture.shape[1] == 2 * 700 + 7
    assert picture.shape[0] < 700
    assert colors_of(picture[:600, 707:]) == {(60, 0, 0)}


@pytest.mark.parametrize('width', [500, 513, 1001])
def test_legend_of_many_classes_takes_several_rows(width):
    classes = [f'a class of a long name {k}' for k in range(30)]
    palette = [(8 * k, 255 - 8 * k, 7) for k in range(30)]
    image = np.full((10, width, 3), 9, np.uint8)
    labels = np.arange(10 * width).reshape(10, width) % 30
    picture = label_picture(image, labels, classes, palette)
    parts = 10 * -(-512 // width)
    assert set(palette) <= colors_of(picture[parts:])
    # nothing is cut off
    edges = picture[parts:, [0, -1]], picture[-1:]
    assert all((edge == 255).all() for edge in edges)


def test_bad_arrays():
    image, labels = np.zeros((4, 6, 3), np.uint8), np.zeros((4, 6), int)
    for function in (
        lambda image, labels: overlay_labels(image, labels, PALETTE),
        lambda image, labels: label_picture(image, labels, CLASSES, PALETTE),
    ):
        with pytest.raises(ValueError, match='`image` must be uint8'):
            function(image.astype(float), labels)
        with pytest.raises(ValueError, match=r'`labels` must have .*, \(4, 6\), got \(4, 5\)'):
            function(image, labels[:, :5])
    with pytest.raises(ValueError, match='must have the same length, got 2 and 3'):
        label_picture(image, labels, CLASSES[:2], PALETTE)


def rows_of(table):
    return [
        [cell.strip() for cell in line.split('|')[1:-1]]
        for line in table.splitlines()
        if line.startswith('|')
    ]


def test_table():
    statistics = LabelStatistics(CLASSES)
    loaded = np.full(256, -1)
    loaded[[0, 1, 7, 255]] = 0, 2, OOD, IGNORED
    for path, counts in [
        ('first.png', {0: 19_000, 7: 1, 30: 500, 31: 499}),
        ('second.png', {0: 1_000, 1: 4_000, 255: 15_000}),
        ('third.png', {30: 250}),
    ]:
        statistics.add(path, np.bincount(list(counts), list(counts.values()), 256), loaded)
    statistics.broken['fourth.png'] = 'cannot be read'
    table = statistics_table(statistics)
    assert rows_of(table) == [
        ['class', 'pixels', 'share', 'images'],
        ['road', '20,000', '49.69%', '2'],
        ['traffic_sign', '0', '0.00%', '0'],
        ['sky', '4,000', '9.94%', '1'],
        ['OOD', '1', '<0.01%', '1'],
        ['ignored', '15,000', '37.27%', '1'],
        ['unknown id 30', '750', '1.86%', '2'],
        ['unknown id 31', '499', '1.24%', '1'],
    ]
    assert table.splitlines()[-3:] == [
        'unknown id 30: 750 pixels in 2 images, first: first.png',
        'unknown id 31: 499 pixels in 1 images, first: first.png',
        'broken: fourth.png: cannot be read',
    ]


def test_table_names_some_of_many_broken_labels():
    statistics = LabelStatistics(CLASSES)
    statistics.broken = {f'{k}.png': 'cannot be read' for k in range(23)}
    lines = statistics_table(statistics).splitlines()
    assert [line for line in lines if line.startswith('broken')] == [
        f'broken: {k}.png: cannot be read' for k in range(20)
    ]
    assert lines[-1] == '... and 3 more broken labels'
