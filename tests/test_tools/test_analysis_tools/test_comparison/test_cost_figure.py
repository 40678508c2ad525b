from itertools import combinations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.container import ErrorbarContainer

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


@pytest.mark.parametrize('points', [CROWD, CROWD[:2], CROWD[:1], SPREAD])
def test_labels_cover_nothing(points):
    figure = cost_figure(points, 'deterministic', 'T')
    FigureCanvasAgg(figure).draw()
    axes = figure.axes[0]
    texts = [text for text in axes.texts if text.get_text()]
    assert [text.get_text() for text in texts] == [point.label for point in points]
    boxes = [text.get_window_extent() for text in texts]
    for box, other in combinations(boxes, 2):
        assert not box.overlaps(other)
    for box in boxes:
        assert axes.bbox.containsx(box.x0)
        assert axes.bbox.containsx(box.x1)
        assert axes.bbox.containsy(box.y0)
        assert axes.bbox.containsy(box.y1)
        assert box.count_contains(axes.transData.transform(markers(figure))) == 0


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
