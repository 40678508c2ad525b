from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from scipy.spatial.distance import cdist
from sklearn.metrics import (
    average_precision_score,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)

from mmseg_abnn.evaluation.functional import ScoreCells, ScoreHistogram, calibration_counts
from mmseg_abnn.evaluation.metrics.common.detection_figures import (
    precision_recall_figure,
    roc_figure,
    score_distribution_figure,
)
from mmseg_abnn.evaluation.metrics.common.error_figures import (
    reliability_figure,
    risk_coverage_figure,
)

FINE = 2.0**-17  # a step of scores that cells of 18 bits hold exactly, as cells of 12 bits 1/64


def make_cells(scores, positives, bits=12):
    histogram = ScoreHistogram(bits)
    histogram.update(scores, positives)
    return histogram.cells()


def make_scores(num, step, seed=0):
    """Most positives lie above nearly all negatives: the curve is in a few of its thresholds."""
    rng = np.random.default_rng(seed)
    positives = rng.random(num) < 0.02
    scores = np.where(positives, rng.beta(30, 1, num), rng.beta(1, 3, num))
    return np.round(scores / step) * step, positives


def legend_texts(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def line_points(figure, index=0):
    return figure.axes[0].lines[index].get_xydata()


def brute_force_risk(scores, wrong):
    """Coverage and risk at each distinct score, from the lowest upwards."""
    accepted = [scores <= threshold for threshold in np.unique(scores)]
    return np.array([[mask.mean(), wrong[mask].mean()] for mask in accepted])


def check_thinned(drawn, exact):
    """Of thousands of points few are drawn, all exact, and the others are near a drawn one."""
    assert len(exact) > 5000
    assert len(drawn) <= 2001
    np.testing.assert_allclose(drawn[[0, -1]], exact[[0, -1]], atol=1e-12)
    distances = cdist(exact, drawn, 'cityblock')
    assert distances.min(0).max() < 1e-12
    length = np.abs(np.diff(exact, axis=0)).sum()
    assert distances.min(1).max() < length / 1990


def test_roc_curves_and_reference_lines():
    first, positives = make_scores(3000, 1 / 64)
    second, _ = make_scores(3000, 1 / 16, seed=1)
    curves = {'msp': first, 'mutual_information': second}
    figure = roc_figure({name: make_cells(s, positives) for name, s in curves.items()})
    for index, scores in enumerate(curves.values()):
        fpr, tpr, _ = roc_curve(positives, scores, drop_intermediate=False)
        np.testing.assert_allclose(line_points(figure, index), np.stack([fpr, tpr], 1), atol=1e-12)
    assert line_points(figure, 2)[:, 1].tolist() == [0.95, 0.95]
    assert line_points(figure, 3).tolist() == [[0, 0], [1, 1]]
    assert legend_texts(figure) == [
        f'msp: AUROC {100 * roc_auc_score(positives, first):.2f}%',
        f'mutual information: AUROC {100 * roc_auc_score(positives, second):.2f}%',
        'recall 95%',
        'random score',
    ]


def test_precision_recall_steps():
    scores, positives = make_scores(3000, 1 / 64)
    figure = precision_recall_figure({'expected_entropy': make_cells(scores, positives)})
    precision, recall, _ = precision_recall_curve(positives, scores)
    # scikit-learn starts at the lowest threshold and ends with a point that is none
    exact = np.stack([recall, precision], 1)[-2::-1]
    drawn = line_points(figure)
    np.testing.assert_allclose(drawn[1:], exact, atol=1e-12)
    assert drawn[0].tolist() == [0, exact[0, 1]]
    # A step has the height of its right end, so the area is the average precision.
    assert figure.axes[0].lines[0].get_drawstyle() == 'steps-pre'
    aupr = average_precision_score(positives, scores)
    assert np.diff(drawn[:, 0]) @ drawn[1:, 1] == pytest.approx(aupr, abs=1e-12)
    np.testing.assert_allclose(line_points(figure, 1)[:, 1], positives.mean())
    assert legend_texts(figure) == [
        f'expected entropy: AUPR {100 * aupr:.2f}%',
        f'share of positives: {100 * positives.mean():.2f}%',
    ]


def test_shares_of_different_pixels():
    scores, half = np.arange(8) / 8, np.arange(8) % 2
    quarter = np.arange(8) % 4 == 3
    figure = precision_recall_figure(
        {'a': make_cells(scores, half), 'b': make_cells(scores, quarter)}
    )
    assert [line_points(figure, index)[0, 1] for index in (2, 3)] == [0.25, 0.5]
    assert len(figure.axes[0].lines) == 4


def test_thinning_follows_the_roc_curve():
    scores, positives = make_scores(12_000, FINE)
    figure = roc_figure({'msp': make_cells(scores, positives, bits=18)})
    fpr, tpr, _ = roc_curve(positives, scores, drop_intermediate=False)
    check_thinned(line_points(figure), np.stack([fpr, tpr], 1))


def test_thinning_follows_the_precision_recall_curve():
    scores, positives = make_scores(12_000, FINE)
    figure = precision_recall_figure({'msp': make_cells(scores, positives, bits=18)})
    precision, recall, _ = precision_recall_curve(positives, scores)
    exact = np.stack([recall, precision], 1)[-2::-1]
    check_thinned(line_points(figure)[1:], exact)


def test_counts_beyond_int64_products():
    positives, negatives = np.array([3, 2, 0, 1]), np.array([1, 0, 5, 4])
    edges, tied = np.array([1, 0.5, 0.25, 0]), np.ones(4, bool)
    small = ScoreCells(edges, positives, negatives, tied)
    large = ScoreCells(edges, positives * 10**9, negatives * 10**9, tied)
    for draw in (roc_figure, precision_recall_figure):
        figure = draw({'small': small, 'large': large})
        np.testing.assert_allclose(line_points(figure, 0), line_points(figure, 1))
    # Of 60 pairs 3 x 9.5 + 2 x 9 + 1 x 2 = 48.5 are in order.
    assert legend_texts(roc_figure({'x': large}))[0] == 'x: AUROC 80.83%'
    texts = legend_texts(score_distribution_figure(large, 'x'))
    assert texts == ['in-distribution (10,000,000,000 pixels)', 'OOD (6,000,000,000 pixels)']


def test_score_distributions():
    rng = np.random.default_rng(0)
    positives = rng.random(5000) < 0.1
    scores = np.round(rng.normal(np.where(positives, 0, -3), 1) * 4096) / 4096
    figure = score_distribution_figure(make_cells(scores, positives, bits=18), 'negative_energy')
    (axes,) = figure.axes
    low, high = scores.min(), scores.max()
    for patch, chosen in zip(axes.patches, (~positives, positives), strict=True):
        density, edges, _ = patch.get_data()
        expected, expected_edges = np.histogram(scores[chosen], 80, (low, high), density=True)
        np.testing.assert_allclose(edges, expected_edges)
        np.testing.assert_allclose(density, expected, atol=1e-12)
        assert density @ np.diff(edges) == pytest.approx(1)
        visible = density[density > 0]
        assert axes.get_ylim()[0] < visible.min() < visible.max() < axes.get_ylim()[1]
    assert axes.get_yscale() == 'log'
    assert axes.get_xlim() == pytest.approx((low, high))
    assert axes.get_xlabel() == 'negative energy'
    assert legend_texts(figure) == [
        f'in-distribution ({5000 - positives.sum():,} pixels)',
        f'OOD ({positives.sum()} pixels)',
    ]


def test_distributions_of_few_values():
    cells = make_cells(np.array([0, 0.25, 0.5, 0.5, 1]), np.array([0, 0, 0, 1, 1]))
    figure = score_distribution_figure(cells, 'msp')
    data = [patch.get_data() for patch in figure.axes[0].patches]
    for values, _, _ in data:
        assert len(values) == 4  # one bin for each value, not gaps between them
    np.testing.assert_allclose(data[0][0], [4 / 3, 4 / 3, 4 / 3, 0])
    np.testing.assert_allclose(data[1][0], [0, 0, 2, 2])


def test_reliability_diagram():
    confidence = np.array([0.3, 0.4, 0.7, 0.7, 0.7, 0.75, 0.79, 1.0])
    correct = np.array([0, 1, 1, 0, 0, 1, 1, 1])
    figure = reliability_figure(calibration_counts(confidence, correct, bins=4))
    upper, lower = figure.axes
    # (0.25, 0.5]: 2 pixels; (0.5, 0.75]: 4; (0.75, 1]: 2; none in the first bin
    bars = [(bar.get_x(), bar.get_width(), bar.get_height()) for bar in upper.patches]
    np.testing.assert_allclose(bars, [(0.25, 0.25, 0.5), (0.5, 0.25, 0.5), (0.75, 0.25, 1)])
    assert line_points(figure, 0).tolist() == [[0, 0], [1, 1]]
    markers = [[0.35, 0.5], [0.7125, 0.5], [0.895, 1]]
    np.testing.assert_allclose(line_points(figure, 1), markers)
    gaps = upper.collections[0].get_segments()
    np.testing.assert_allclose(gaps, [[(x, y), (x, x)] for x, y in markers])
    # (2 x 0.15 + 4 x 0.2125 + 2 x 0.105) / 8
    assert upper.get_title() == 'ECE 17.00%'
    counts = [(bar.get_x(), bar.get_height()) for bar in lower.patches]
    np.testing.assert_allclose(counts, [(0.25, 2), (0.5, 4), (0.75, 2)])
    assert lower.get_yscale() == 'log'
    assert lower.get_ylim() == (0.5, 10)
    assert set(legend_texts(figure)) == {
        'accuracy',
        'calibration gap',
        'mean confidence',
        'perfect calibration',
    }


@pytest.mark.parametrize(
    ('counts', 'message'),
    [
        (np.ones((4, 2)), r'`counts` must have shape \(bins, 3\), got \(4, 2\)'),
        (np.ones(3), r'`counts` must have shape \(bins, 3\), got \(3,\)'),
        (np.zeros((4, 3)), '`counts` counts no value'),
    ],
)
def test_reliability_errors(counts, message):
    with pytest.raises(ValueError, match=message):
        reliability_figure(counts)


def test_risk_coverage_by_hand():
    uncertainty = np.array([0, 0.125, 0.25, 0.25, 0.5, 0.5, 0.75, 1])
    wrong = np.array([0, 0, 1, 0, 0, 0, 1, 1])
    figure = risk_coverage_figure(make_cells(uncertainty, wrong), 'expected_entropy')
    expected = [(0, 0), (1 / 8, 0), (1 / 4, 0), (1 / 2, 1 / 4), (3 / 4, 1 / 6), (7 / 8, 2 / 7)]
    np.testing.assert_allclose(line_points(figure), [*expected, (1, 3 / 8)])
    best = line_points(figure, 1)
    coverages = np.array([0, 3, 5, 6, 7, 8]) / 8
    # The first five pixels are right, the others wrong.
    risks = [0, 0, 0, 1 / 6, 2 / 7, 3 / 8]
    np.testing.assert_allclose(np.interp(coverages, *best.T), risks, atol=1e-4)
    np.testing.assert_allclose(line_points(figure, 2)[:, 1], 3 / 8)
    assert figure.axes[0].get_ylim()[1] == pytest.approx(1.1 * 3 / 8)
    assert legend_texts(figure) == ['expected entropy', 'optimal', 'overall error rate: 37.50%']


def test_risk_of_few_certain_errors_does_not_set_the_scale():
    scores = np.arange(1000) / 1024
    wrong = (scores > 0.9) | (scores == 0)
    figure = risk_coverage_figure(make_cells(scores, wrong), 'msp')
    assert line_points(figure)[:2].tolist() == [[0, 1], [1 / 1000, 1]]
    # Of ten accepted pixels, 1 % of all, one is wrong, and of all pixels 79.
    assert figure.axes[0].get_ylim()[1] == pytest.approx(1.1 * 1 / 10)


def test_thinning_follows_the_risk():
    scores, _ = make_scores(8000, FINE)
    wrong = np.random.default_rng(1).random(8000) < 0.2 * scores**2 + 0.001
    figure = risk_coverage_figure(make_cells(scores, wrong, bits=18), 'msp')
    exact, drawn = brute_force_risk(scores, wrong), line_points(figure)
    top = figure.axes[0].get_ylim()[1]
    assert drawn[0].tolist() == [0, exact[0, 1]]
    check_thinned(drawn[1:] / [1, top], exact / [1, top])


@pytest.mark.parametrize('draw', [roc_figure, precision_recall_figure])
def test_curve_errors(draw):
    good = make_cells(np.array([0.25, 0.5]), np.array([0, 1]))
    no_positive = make_cells(np.array([0.25, 0.5]), np.array([0, 0]))
    no_negative = make_cells(np.array([0.25, 0.5]), np.array([1, 1]))
    with pytest.raises(ValueError, match='`curves` must hold at least one score'):
        draw({})
    message = r"`curves\['msp'\]` must hold positives and negatives, got 0 positives and 2 neg"
    with pytest.raises(ValueError, match=message):
        draw({'entropy': good, 'msp': no_positive})
    message = r"`curves\['msp'\]` must hold positives and negatives, got 2 positives and 0 neg"
    with pytest.raises(ValueError, match=message):
        draw({'msp': no_negative, 'entropy': good})


@pytest.mark.parametrize('draw', [score_distribution_figure, risk_coverage_figure])
def test_cell_errors(draw):
    message = '`cells` must hold positives and negatives, got 0 positives and 0 negatives'
    with pytest.raises(ValueError, match=message):
        draw(ScoreHistogram(bits=4).cells(), 'msp')


def test_parts_do_not_overlap():
    scores, positives = make_scores(500, 1 / 64)
    cells = make_cells(scores, positives)
    long = 'ABNN (M=3, L=3), mutual_information'
    before = plt.get_fignums()
    figures = [
        roc_figure({f'{long} {i}': cells for i in range(6)}),
        precision_recall_figure({'entropy': cells, 'msp': cells}),
        score_distribution_figure(cells, long),
        reliability_figure(calibration_counts(scores, positives)),
        risk_coverage_figure(cells, long),
    ]
    assert plt.get_fignums() == before
    for figure in figures:
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        width, height = canvas.get_width_height()
        boxes = [part.get_tightbbox(canvas.renderer) for part in (*figure.axes, *figure.legends)]
        for box in boxes:
            assert 0 <= box.x0 < box.x1 <= width
            assert 0 <= box.y0 < box.y1 <= height
        # From the top downwards; the frames of two axes may share the tip of a tick.
        for above, below in pairwise(boxes):
            assert below.y1 <= above.y0 + 1
        assert figure.axes[0].get_window_extent().height > 300
