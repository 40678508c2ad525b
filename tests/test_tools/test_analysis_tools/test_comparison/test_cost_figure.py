"""What the picture of costs shows: markers where they belong, and a legend that names them."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba
from matplotlib.container import ErrorbarContainer
from matplotlib.lines import Line2D

from comparison.cost_figure import CostPoint, cost_figure

CROWD = [
    CostPoint('deterministic, msp', 1.0, 13.0, 0.4),
    CostPoint('ABNN, entropy', 1.17, 14.5, 0.5),
    CostPoint('MC-Dropout, entropy', 1.0, 13.1, 0.6),
    CostPoint('temperature scaling, msp', 1.0, 12.9, 0.4),
    CostPoint('Deep Ensembles, entropy', 3.0, 15.2, 0.3),
    CostPoint('ABNN without noise, msp', 1.16, 13.2, None),
]
SPREAD = [CostPoint('a', 0.001, 10.0, None), CostPoint('b', 1.0, 20.0, 1.0)]


def bars(figure):
    return [c for c in figure.axes[0].containers if isinstance(c, ErrorbarContainer)]


def markers(figure):
    return np.array([bar.lines[0].get_xydata()[0] for bar in bars(figure)])


LONG = [
    CostPoint(f'a method with a long name {k}, mutual information', 1, k, 1.0) for k in range(12)
]


def legend_texts(figure):
    (legend,) = figure.legends
    return [text.get_text() for text in legend.get_texts()]


@pytest.mark.parametrize('points', [CROWD, CROWD[:1], SPREAD, LONG])
def test_the_legend_names_the_markers(points):
    figure = cost_figure(points, 'deterministic', 'T')
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    (axes,) = figure.axes
    assert axes.get_title() == 'T'
    assert legend_texts(figure) == [point.label for point in points]
    assert not [text for text in axes.texts if text.get_text()]
    looks = [(bar.lines[0].get_marker(), bar.lines[0].get_color()) for bar in bars(figure)]
    assert len(set(looks)) == len(points)
    lines = figure.legends[0].findobj(Line2D)
    shown = [(line.get_marker(), line.get_color()) for line in lines]
    assert [look for look in shown if look[0] in 'osD^vP*X<>'] == looks
    # The legend stands below the axes, and nothing is cut off.
    width, height = canvas.get_width_height()
    below, above = (part.get_tightbbox(canvas.renderer) for part in (figure.legends[0], axes))
    assert below.y1 <= above.y0 + 1
    for box in (below, above):
        assert 0 <= box.x0 < box.x1 <= width
        assert 0 <= box.y0 < box.y1 <= height
    assert axes.get_window_extent().height > 250


def test_colors_stand_at_the_points():
    figure = cost_figure(CROWD, 'deterministic', 'T')
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[::-1, :, :3]
    for k, (x, y) in enumerate(figure.axes[0].transData.transform(markers(figure))):
        expected = np.round(255 * np.array(to_rgba(f'C{k}')[:3]))
        np.testing.assert_allclose(pixels[int(y), int(x)], expected, atol=1)


def test_points_are_where_they_belong():
    figure = cost_figure(SPREAD, 'deterministic', 'T')
    np.testing.assert_allclose(markers(figure), [[0.001, 10.0], [1.0, 20.0]])
    axes = figure.axes[0]
    assert axes.get_xscale() == 'log'
    assert 'relative to deterministic' in axes.get_xlabel()
    _, (line,) = bars(figure)[1].lines[1:]
    np.testing.assert_allclose(line.get_segments()[0], [[1.0, 19.0], [1.0, 21.0]])


def test_equal_costs_stand_side_by_side():
    figure = cost_figure(CROWD, 'deterministic', 'T')
    drawn = markers(figure)
    np.testing.assert_allclose(drawn[:, 1], [point.aupr for point in CROWD])
    np.testing.assert_allclose(drawn[:, 0], [point.cost for point in CROWD], rtol=0.1)
    # the geometric mean of those that are equal is where they belong
    assert np.exp(np.log(drawn[[0, 2, 3], 0]).mean()) == pytest.approx(1.0)
    pixels = np.sort(figure.axes[0].transData.transform(drawn)[:, 0])
    assert np.diff(pixels).min() > 8


def test_wrong_points():
    with pytest.raises(ValueError, match='at least one method'):
        cost_figure([], 'deterministic', 'T')
    with pytest.raises(ValueError, match=r'must have costs > 0, got .*cost=0\.0'):
        cost_figure([CostPoint('a', 0.0, 1.0, None)], 'deterministic', 'T')
