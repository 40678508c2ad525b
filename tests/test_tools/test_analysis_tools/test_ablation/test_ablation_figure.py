import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.container import ErrorbarContainer

from ablation.ablation_figure import Curve, CurvePoint, Panel, ablation_figure

FEW = Curve('few', (CurvePoint(1.0, 60.0), CurvePoint(0.01, 50.0, 2.0), CurvePoint(0.1, 55.0)))
MORE = Curve('more', (CurvePoint(0.1, 40.0, 1.0),))


def test_points_are_where_they_belong():
    panels = [Panel('mIoU', (FEW, MORE), 52.0), Panel('ECE', (MORE,))]
    figure = ablation_figure(panels, 'alpha', 'plain')
    FigureCanvasAgg(figure).draw()
    left, right = figure.axes
    assert (left.get_title(), right.get_title()) == ('mIoU', 'ECE')
    assert left.get_xlabel() == right.get_xlabel() == 'alpha'
    bars = [c for c in left.containers if isinstance(c, ErrorbarContainer)]
    np.testing.assert_array_equal(
        bars[0].lines[0].get_xydata(), [[0.01, 50.0], [0.1, 55.0], [1.0, 60.0]]
    )
    _, (line,) = bars[0].lines[1:]
    np.testing.assert_array_equal(line.get_segments()[0], [[0.01, 48.0], [0.01, 52.0]])
    np.testing.assert_array_equal(bars[1].lines[0].get_xydata(), [[0.1, 40.0]])
    assert [line.get_ydata()[0] for line in left.lines if line.get_linestyle() == '--'] == [52.0]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ['plain', 'few', 'more']


@pytest.mark.parametrize(
    ('values', 'scale'), [([0.01, 0.3], 'log'), ([1, 2, 5], 'linear'), ([0, 50], 'linear')]
)
def test_the_axis_of_the_number(values, scale):
    curve = Curve('', tuple(CurvePoint(value, value) for value in values))
    figure = ablation_figure([Panel('a', (curve,))], 'n', 'plain')
    FigureCanvasAgg(figure).draw()
    (axes,) = figure.axes
    assert axes.get_xscale() == scale
    assert [label.get_text() for label in axes.get_xticklabels()] == [f'{v:g}' for v in values]
    assert not figure.legends


def test_nothing_to_draw():
    with pytest.raises(ValueError, match='`panels` must hold at least one point'):
        ablation_figure([Panel('a', (Curve('', ()),))], 'n', 'plain')
