import subprocess
import sys

import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope

from helpers.classification_samples import (
    META,
    evaluate,
    make_evaluator,
    make_image,
    make_images,
    naive_detection,
    naive_in_distribution,
    naive_score,
)
from mmseg_abnn.evaluation import ClassificationUncertaintyMetric
from mmseg_abnn.evaluation.functional import fpr_at_recall

SCORES = ('msp', 'entropy', 'mutual_information')
SETS = ('svhn', 'noise')
COUNTS = {'num_images': 40, 'svhn/num_images': 25, 'noise/num_images': 15}


@pytest.fixture
def samples():
    return make_images()


@pytest.mark.parametrize('batch_size', [1, 16])
def test_all_numbers_equal_the_oracle(samples, batch_size):
    expected = naive_in_distribution(samples) | COUNTS
    for name in SETS:
        expected |= naive_detection(samples, name, 'msp')
        expected |= naive_detection(samples, name, 'entropy', 'entropy/')
        expected |= naive_detection(samples, name, 'mutual_information', 'mutual_information/')
    result = evaluate(samples, batch_size, scores=SCORES)
    assert all(type(value) is float for value in result.values())
    assert result == pytest.approx(expected, abs=1e-4)


def test_batch_size_changes_no_bit(samples):
    assert evaluate(samples, 1) == evaluate(samples, 7) == evaluate(samples, 80)


def test_numbers_computed_by_hand():
    """Four images and one OOD image with equal scores: a tie, a wrong prediction, three bins."""
    ps = [(0.9, 0.1), (0.3, 0.7), (0.7, 0.3), (0.6, 0.4), (0.7, 0.3), (0.55, 0.45)]
    labels = [0, 1, 1, 0, None, None]
    images = [
        {'pred_score': torch.tensor(p), 'gt_label': torch.tensor([label])}
        if label is not None
        else {'pred_score': torch.tensor(p), 'ood_set': 'new'}
        for p, label in zip(ps, labels, strict=True)
    ]
    result = evaluate(images, meta={}, scores=['msp'], ece_bins=4)
    assert result == pytest.approx(
        {
            'accuracy': 75,
            # (0.5, 0.75]: confidences 0.7, 0.7, 0.6, of which two are right; (0.75, 1]: 0.9
            'ECE': 100 * (3 / 4 * abs(2 / 3 - 2 / 3) + 1 / 4 * 0.1),
            'MCE': 10,
            'NLL': -np.log([0.9, 0.7, 0.3, 0.6]).mean(),
            'Brier': 2 * np.mean([0.1**2, 0.3**2, 0.7**2, 0.4**2]),
            'num_images': 4,
            # scores 0.1, 0.3, 0.3, 0.4 against 0.3, 0.45
            'new/AUROC': 100 * (4 + 1 + 2 / 2) / 8,
            'new/AUPR': 100 * (1 / 2 + 1 / 2 * 2 / 5),
            'new/FPR95': 75,
            'new/num_images': 2,
        },
        abs=1e-4,
    )


def test_first_score_has_the_plain_names(samples):
    result = evaluate(samples, scores=['mutual_information'])
    expected = naive_detection(samples, 'svhn', 'mutual_information')
    assert {key: result[key] for key in expected} == pytest.approx(expected, abs=1e-9)
    assert not [key for key in result if key.count('/') > 1]


def test_scores_of_a_deterministic_network(samples):
    expected = evaluate(samples)
    bare = [make_image(seed, sample.ood_set) for seed, sample in enumerate(samples)]
    for sample in bare:
        for name in ('uncertainty', 'log_score', 'pred_label'):
            delattr(sample, name)
    assert evaluate(bare) == pytest.approx(expected, abs=1e-5)


def test_a_score_of_the_model_goes_first(samples):
    for sample in samples:
        sample.uncertainty['entropy'] = -sample.uncertainty['mutual_information']
    result = evaluate(samples, scores=['msp', 'entropy'])
    flipped = evaluate(samples, scores=['mutual_information'])
    assert result['svhn/entropy/AUROC'] == pytest.approx(100 - flipped['svhn/AUROC'])


def test_log_score_knows_what_underflowed():
    sample = make_image(0)
    sample.gt_label[:] = 1
    sample.pred_score[:] = torch.tensor([1.0, 0.0, 0.0, 0.0])
    sample.log_score[:] = torch.tensor([0.0, -200.0, -150.0, -150.0])
    assert evaluate([sample])['NLL'] == pytest.approx(200)
    del sample.log_score
    # the smallest normal number of float32
    assert evaluate([sample])['NLL'] == pytest.approx(126 * np.log(2))


def test_predicted_label_of_the_model(samples):
    for sample in samples:
        sample.pred_label = (sample.pred_label + 1) % 4
    inside = [sample for sample in samples if not sample.ood_set]
    right = sum(int(s.pred_label == s.gt_label) for s in inside)
    assert evaluate(samples)['accuracy'] == pytest.approx(100 * right / len(inside))


def test_number_of_bins(samples):
    result = evaluate(samples, ece_bins=4)
    expected = naive_in_distribution(samples, bins=4)
    for name in ('ECE', 'MCE'):
        assert result[name] == pytest.approx(expected[name], abs=1e-5)
        assert result[name] != evaluate(samples)[name]


def test_nearest_rule(samples):
    counted = [sample for sample in samples if sample.ood_set in ('', 'svhn')]
    values = [naive_score(sample, 'msp') for sample in counted]
    expected = fpr_at_recall(values, [bool(s.ood_set) for s in counted], rule='nearest')
    result = evaluate(samples, fpr_rule='nearest')
    assert result['svhn/FPR95'] == pytest.approx(100 * expected)
    assert result['svhn/FPR95'] != evaluate(samples)['svhn/FPR95']


def test_a_label_of_an_ood_image_counts_nowhere(samples):
    expected = evaluate(samples)
    for sample in samples:
        if sample.ood_set:
            sample.gt_label = torch.tensor([99])
    assert evaluate(samples) == expected


def test_order_of_the_sets(samples):
    expected = evaluate(samples)
    result = evaluate(samples, meta=META | {'ood_sets': ('noise', 'svhn')})
    assert result == expected
    assert list(result).index('noise/AUPR') < list(result).index('svhn/AUPR')
    assert list(expected).index('svhn/AUPR') < list(expected).index('noise/AUPR')


def test_prefix(samples):
    assert set(evaluate(samples, prefix='ood')) == {f'ood/{key}' for key in evaluate(samples)}


def test_a_metric_starts_anew(samples):
    evaluator = make_evaluator()
    results = []
    for _ in range(2):
        evaluator.process(samples)
        results.append(evaluator.evaluate(len(samples)))
    assert results[0] == results[1]


def test_half_precision(samples):
    rounded = make_images()
    for sample in rounded:
        sample.pred_score = sample.pred_score.bfloat16()
        del sample.log_score
    assert evaluate(rounded) == evaluate(
        [{**sample.to_dict(), 'pred_score': sample.pred_score.float()} for sample in rounded]
    )
    assert evaluate(rounded)['accuracy'] == pytest.approx(evaluate(samples)['accuracy'], abs=5)


def test_rounding_of_a_mean_is_no_error(samples):
    sample = samples[0]
    sample.pred_score = torch.tensor([1.00001, -1e-7, 0.0, 0.0])
    result = evaluate([sample], scores=['msp', 'entropy'], report_dir=None)
    assert result['ECE'] in (0, 100)


@pytest.mark.mmpretrain
def test_samples_of_mmpretrain(samples):
    pytest.importorskip('mmpretrain', reason='MMPretrain is not installed')
    from mmpretrain.registry import METRICS
    from mmpretrain.structures import DataSample

    init_default_scope('mmpretrain')
    metric = METRICS.build(dict(type='ClassificationUncertaintyMetric'))
    assert type(metric) is ClassificationUncertaintyMetric
    assert evaluate(make_images(element=DataSample)) == evaluate(samples)


def test_mmpretrain_is_not_needed():
    code = (
        "import sys; sys.modules['mmpretrain'] = None\n"
        'from mmengine.registry import METRICS\n'
        'import mmseg_abnn\n'
        "METRICS.build(dict(type='ClassificationUncertaintyMetric'))"
    )
    result = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
