import matplotlib
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from mmseg_abnn.visualization import (
    Scene,
    color_labels,
    color_map,
    scene_figure,
    uncertainty_panel,
)
from mmseg_abnn.visualization.colors import color_bar, color_scale

PALETTE = [(128, 64, 128), (0, 0, 142), (70, 130, 180)]
CLASSES = ('road', 'car', 'traffic_sign')
CYAN, BLACK, WHITE = (0, 255, 255), (0, 0, 0), (255, 255, 255)


@pytest.fixture
def scene():
    labels = np.array([[0, 1, 2, 0], [254, 255, 1, 1]])
    prediction = np.array([[0, 1, 2, 2], [1, 0, 1, 1]])
    image = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    maps = {'entropy': np.linspace(0, 0.7, 8).reshape(2, 4), 'msp': np.full((2, 4), 0.25)}
    return Scene(image, labels, prediction, maps, title='first')


def bar_width(height):
    return color_bar(height, color_scale([np.ones((1, 1))])).shape[1]


def colormap_rgb(value):
    return tuple(matplotlib.colormaps['inferno'](value, bytes=True)[:3])


def test_color_labels(scene):
    painted = color_labels(scene.labels, PALETTE, ood_id=254)
    assert painted.dtype == np.uint8
    expected = [
        [PALETTE[0], PALETTE[1], PALETTE[2], PALETTE[0]],
        [CYAN, BLACK, PALETTE[1], PALETTE[1]],
    ]
    np.testing.assert_array_equal(painted, expected)


def test_color_labels_without_a_color(scene):
    with pytest.raises(ValueError, match=r'ids without a color: \[254\]'):
        color_labels(scene.labels, PALETTE)


def test_color_map_scale():
    values = np.array([[0.0, 0.5, 1.0, 2.0]])
    painted = color_map(values, upper=1.0)
    expected = [colormap_rgb(v) for v in (0.0, 0.5, 1.0, 1.0)]
    np.testing.assert_array_equal(painted[0], expected)
    np.testing.assert_array_equal(color_map(values)[0, 2], colormap_rgb(0.5))
    np.testing.assert_array_equal(color_map(np.zeros((1, 2)))[0], [colormap_rgb(0.0)] * 2)


def test_panel_parts(scene):
    panel = uncertainty_panel(
        scene.image, scene.labels, scene.prediction, scene.maps['entropy'], PALETTE, ood_id=254
    )
    assert panel.shape == (2, 4 * 4 + 4 * 4 + bar_width(2), 3)
    assert panel.dtype == np.uint8
    image, labels, prediction, uncertainty = (panel[:, i : i + 4] for i in (0, 8, 16, 24))
    np.testing.assert_array_equal(image, scene.image)
    np.testing.assert_array_equal(labels[1, :2], [CYAN, BLACK])
    np.testing.assert_array_equal(prediction[0, 3], PALETTE[2])
    np.testing.assert_array_equal(uncertainty[1, 3], colormap_rgb(1.0))
    for start in (4, 12, 20, 28):
        assert (panel[:, start : start + 4] == WHITE).all()


def test_panel_without_labels(scene):
    panel = uncertainty_panel(
        scene.image, None, scene.prediction, scene.maps['entropy'], PALETTE, upper=1.4
    )
    assert panel.shape == (2, 3 * 4 + 3 * 4 + bar_width(2), 3)
    np.testing.assert_array_equal(panel[0, 8 + 1], PALETTE[1])
    np.testing.assert_array_equal(panel[1, 19], colormap_rgb(0.5))


def test_panel_without_image(scene):
    args = (scene.prediction, scene.maps['entropy'], PALETTE, 254)
    whole = uncertainty_panel(scene.image, scene.labels, *args)
    np.testing.assert_array_equal(uncertainty_panel(None, scene.labels, *args), whole[:, 8:])
    message = r'`labels` must have the shape of the prediction, \(2, 4\), got \(1, 4\)'
    with pytest.raises(ValueError, match=message):
        uncertainty_panel(None, scene.labels[:1], *args)


def test_several_ood_ids_and_ids_that_stand_for_nothing(scene):
    labels = np.where(scene.labels == 0, 200, scene.labels)
    args = (scene.prediction, scene.maps['entropy'], PALETTE)
    panel = uncertainty_panel(None, labels, *args, ood_id=(200, 254))
    np.testing.assert_array_equal(panel[:, :4][labels == 200], [CYAN] * 2)
    np.testing.assert_array_equal(panel[1, 0], CYAN)
    panel = uncertainty_panel(None, labels, *args, ood_id=254, unknown=(1, 2, 3))
    np.testing.assert_array_equal(panel[0, 0], (1, 2, 3))
    np.testing.assert_array_equal(panel[0, 1], PALETTE[1])


def test_panel_of_other_shapes(scene):
    args = (scene.labels, scene.prediction, scene.maps['entropy'], PALETTE)
    with pytest.raises(ValueError, match=r'`image` must be uint8 of shape \(H, W, 3\), got float'):
        uncertainty_panel(scene.image / 255, *args)
    message = r'`prediction` must have the shape of the image, \(1, 4\), got \(2, 4\)'
    with pytest.raises(ValueError, match=message):
        uncertainty_panel(scene.image[:1], *args)


def test_figure_content(scene):
    second = Scene(
        scene.image, scene.labels, scene.prediction, {k: 2 * v for k, v in scene.maps.items()}
    )
    figure = scene_figure([scene, second], CLASSES, PALETTE, ood_id=254, upper={'msp': 1.0})
    pictures = [axis for axis in figure.axes if axis.images]
    assert len(pictures) == 2 * 5
    assert [axis.get_title() for axis in pictures[:5]] == [
        'image', 'labels', 'prediction', 'entropy', 'msp'
    ]  # fmt: skip
    assert pictures[0].get_ylabel() == 'first'
    np.testing.assert_array_equal(pictures[0].images[0].get_array(), scene.image)
    np.testing.assert_array_equal(pictures[1].images[0].get_array()[1, 0], CYAN)
    # One scale for both rows: the largest entropy, 1.4, and the msp's given end.
    np.testing.assert_array_equal(pictures[3].images[0].get_array()[1, 3], colormap_rgb(0.5))
    np.testing.assert_array_equal(pictures[8].images[0].get_array()[1, 3], colormap_rgb(1.0))
    np.testing.assert_array_equal(pictures[9].images[0].get_array()[0, 0], colormap_rgb(0.5))
    bars = [axis for axis in figure.axes if not axis.images and axis.axison]
    assert [axis.get_xlim() for axis in bars] == [(0, pytest.approx(1.4)), (0, 1)]
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ['road', 'car', 'traffic sign', 'OOD (in the labels)', 'ignored']


def test_figure_shows_the_striking_color(scene):
    figure = scene_figure([scene], CLASSES, PALETTE, ood_id=254)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3].reshape(-1, 3)
    # One of the eight pixels of the label map is OOD; the legend's patch adds a little.
    label_map = figure.axes[1].get_window_extent()
    cyan = (pixels == CYAN).all(axis=1).sum()
    assert 0.9 < cyan / (label_map.width * label_map.height / 8) < 1.3


def test_figure_without_ood_or_maps(scene):
    plain = Scene(scene.image, scene.prediction, scene.prediction)
    figure = scene_figure([plain], CLASSES, PALETTE)
    assert sum(bool(axis.images) for axis in figure.axes) == 3
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ['road', 'car', 'traffic sign', 'ignored']


def test_figure_needs_no_pyplot(scene):
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    scene_figure([scene], CLASSES, PALETTE, ood_id=254)
    assert plt.get_fignums() == before


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda s: ([], CLASSES, PALETTE), '`rows` must hold at least one scene'),
        (lambda s: ([s], CLASSES[:2], PALETTE), 'same length, got 2 and 3'),
        (
            lambda s: ([s, Scene(s.image, s.labels, s.prediction)], CLASSES, PALETTE),
            r"every scene must have the maps \['entropy', 'msp'\], got \[\]",
        ),
        (
            lambda s: (
                [Scene(s.image, s.labels, s.prediction, {'a': np.ones((3, 3))})],
                CLASSES,
                PALETTE,
            ),
            r'`a` must have the shape of the image, \(2, 4\), got \(3, 3\)',
        ),
    ],
)
def test_figure_errors(scene, change, message):
    with pytest.raises(ValueError, match=message):
        scene_figure(*change(scene), ood_id=254)
