"""The numbers of UncertaintyMetric, against oracles."""

import numpy as np
import pytest
import torch
from mmengine.structures import PixelData

from helpers.evaluation_samples import (
    IGNORED,
    META,
    OOD,
    evaluate,
    make_evaluator,
    make_sample,
    naive_detection,
    naive_score,
    naive_segmentation,
)
from mmseg_abnn.evaluation.functional import fpr_at_recall

DETECTION = ('AUPR', 'AUROC', 'FPR95')
GAP = 1e-4  # percent: the histogram's bounds on the few pixels of these tests
SCORES = ('msp', 'entropy', 'mutual_information')
COUNTS = ('num_images', 'num_images_without_ood', 'num_images_without_id')


def counts(num_images, without_ood=0, without_id=0):
    return dict(zip(COUNTS, (num_images, without_ood, without_id), strict=True))


@pytest.fixture
def samples():
    return [make_sample(seed) for seed in range(5)]


@pytest.mark.parametrize('batch_size', [1, 3])
def test_all_numbers_equal_the_oracle(samples, batch_size):
    expected = {
        **naive_segmentation(samples),
        **naive_detection(samples, 'msp'),
        **naive_detection(samples, 'entropy', 'entropy/'),
        **naive_detection(samples, 'mutual_information', 'mutual_information/'),
        **counts(5),
    }
    result = evaluate(samples, batch_size, scores=SCORES)
    assert all(type(value) is float for value in result.values())
    gaps = {key: result.pop(key) for key in list(result) if key.endswith('gap')}
    assert gaps.keys() == {'pooled/gap', 'pooled/entropy/gap', 'pooled/mutual_information/gap'}
    assert all(0 <= gap < GAP for gap in gaps.values())
    assert result == pytest.approx(expected, abs=1e-3)


def test_batch_size_changes_no_bit(samples):
    assert evaluate(samples, 1) == evaluate(samples, 3) == evaluate(samples, 5)


def test_first_score_has_the_plain_names(samples):
    result = evaluate(samples, scores=['entropy'])
    expected = naive_detection(samples, 'entropy')
    assert {key: result[key] for key in expected} == pytest.approx(expected, abs=1e-5)
    assert not any(key.startswith(('msp/', 'entropy/')) for key in result)


def test_a_padded_duplicate_is_not_counted(samples):
    padded = [*samples, samples[0]]
    assert evaluate(padded, 2, size=5) == evaluate(samples)
    assert evaluate(padded, 2) != evaluate(samples)
    with pytest.raises(RuntimeError, match=r'has 5 images, .* at most one .*; it saw 7'):
        evaluate([*padded, samples[1]], size=5)


def test_a_metric_starts_anew(samples):
    evaluator = make_evaluator()
    results = []
    for _ in range(2):
        evaluator.process(samples)
        results.append(evaluator.evaluate(5))
    assert results[0] == results[1]


def test_splits():
    clean = [make_sample(seed, 'test_id', ood=False) for seed in range(3)]
    strange = [make_sample(seed, 'test_ood') for seed in range(3, 6)]
    other = [make_sample(9, 'elsewhere')]
    result = evaluate(
        clean + strange + other, 2, scores=['msp'], id_split='test_id', ood_split='test_ood'
    )
    expected = naive_segmentation(clean) | naive_detection(strange, 'msp') | counts(7)
    assert result.pop('pooled/gap') < GAP
    assert result == pytest.approx(expected, abs=1e-3)


def test_classes_left_out_of_the_mean(samples):
    full = evaluate(samples)
    result = evaluate(samples, meta=dict(META, not_in_miou=('sky', 'tree')))
    labels = np.stack([s.gt_sem_seg.data[0].numpy() for s in samples])
    predictions = np.stack([s.pred_sem_seg.data[0].numpy() for s in samples])
    ious = []
    for k in (0, 1):
        union = (labels < 4) & ((labels == k) | (predictions == k))
        ious.append(((labels == k) & (predictions == k)).sum() / union.sum())
    assert result['mIoU'] == pytest.approx(100 * np.mean(ious))
    assert {k: v for k, v in result.items() if k != 'mIoU'} == {
        k: v for k, v in full.items() if k != 'mIoU'
    }
    with pytest.raises(ValueError, match=r"`not_in_miou` names the unknown classes \['fog'\]"):
        evaluate(samples, meta=dict(META, not_in_miou=('fog',)))


def test_only_one_split_named():
    clean = [make_sample(seed, 'test_id', ood=False) for seed in range(2)]
    strange = [make_sample(seed, 'test_ood') for seed in range(2, 4)]
    both = clean + strange
    result = evaluate(both, scores=['msp'], ood_split='test_ood')
    expected = naive_segmentation(both) | naive_detection(strange, 'msp') | counts(4)
    assert result.pop('pooled/gap') < GAP
    assert result == pytest.approx(expected, abs=1e-3)
    result = evaluate(both, scores=['msp'], id_split='test_id')
    expected = naive_segmentation(clean) | naive_detection(both, 'msp') | counts(4, without_ood=2)
    assert result.pop('pooled/gap') < GAP
    assert result == pytest.approx(expected, abs=1e-3)


def test_images_without_ood_or_with_nothing_else_are_left_out_of_the_means(samples):
    nothing_else = make_sample(7)
    label = nothing_else.gt_sem_seg.data
    label[label != IGNORED] = OOD
    mixed = [*samples, make_sample(6, ood=False), nothing_else]
    result = evaluate(mixed, scores=['msp'])
    expected = naive_detection(mixed, 'msp') | counts(7, without_ood=1, without_id=1)
    assert {key: result[key] for key in expected} == pytest.approx(expected, abs=1e-3)
    assert result['AUROC'] == evaluate(samples)['AUROC']
    # The image without an in-distribution pixel has no calibration error of its own.
    assert result['ECE'] == pytest.approx(naive_segmentation(mixed[:-1])['ECE'], abs=1e-5)


@pytest.mark.parametrize('meta', [META, {'classes': META['classes']}])
def test_no_ood_at_all(meta, log):
    clean = [make_sample(seed, ood=False) for seed in range(2)]
    result = evaluate(clean, meta=meta)
    expected = naive_segmentation(clean) | counts(2, without_ood=2)
    assert result == pytest.approx(expected, abs=1e-3)
    assert sum('no OOD pixel was seen' in message for message in log) == 1
    assert not any('AUROC |' in message for message in log)


def test_no_ood_where_it_was_asked_for():
    message = r"no OOD pixel was seen in split 'test_ood'.*the OOD ids are \[254\].*ood_ids=\[200\]"
    with pytest.raises(ValueError, match=message):
        evaluate([make_sample(0, 'test_ood', ood=False)], ood_split='test_ood')


def test_ood_counts_as_error_with_scope_all(samples):
    result = evaluate(samples, ece_scope='all')
    expected = naive_segmentation(samples, scope='all')
    assert {key: result[key] for key in expected} == pytest.approx(expected, abs=1e-3)
    assert result['ECE'] != evaluate(samples)['ECE']
    assert result['mIoU'] == evaluate(samples)['mIoU']


def test_number_of_bins(samples):
    result = evaluate(samples, ece_bins=4)
    expected = naive_segmentation(samples, bins=4)
    assert result['ECE'] == pytest.approx(expected['ECE'], abs=1e-5)


def test_nearest_rule(samples):
    values = []
    for sample in samples:
        label = sample.gt_sem_seg.data[0]
        counted = label != IGNORED
        score = naive_score(sample, 'msp')[counted]
        values.append(fpr_at_recall(score, label[counted] == OOD, rule='nearest'))
    result = evaluate(samples, fpr_rule='nearest')
    assert result['FPR95'] == pytest.approx(100 * np.mean(values), abs=1e-9)
    assert result['FPR95'] != evaluate(samples)['FPR95']


def test_figures_of_the_muad_challenge(samples):
    """A re-derivation of the rules of its script, pixel by pixel.

    Scores are minus the confidence, FPR is read off where the recall is nearest to 0.95, going
    down from the lowest threshold that finds everything; the calibration error of each image has 15
    bins, and an OOD pixel is an error.
    """
    errors, rates = [], []
    for sample in samples:
        label = sample.gt_sem_seg.data[0].numpy().ravel()
        p = sample.seg_logits.data.softmax(0).amax(0).numpy().ravel()[label != IGNORED]
        predicted = sample.pred_sem_seg.data[0].numpy().ravel()[label != IGNORED]
        label = label[label != IGNORED]
        error = 0.0
        for k in range(15):
            chosen = [i for i in range(len(p)) if k / 15 < p[i] <= (k + 1) / 15]
            if chosen:
                accuracy = sum(predicted[i] == label[i] for i in chosen) / len(chosen)
                confidence = sum(float(p[i]) for i in chosen) / len(chosen)
                error += len(chosen) / len(p) * abs(accuracy - confidence)
        errors.append(error)
        found, rest = -p[label == OOD], -p[label != OOD]
        best = None
        for threshold in sorted(set((-p).tolist())):
            recall = (found >= threshold).mean()
            if threshold < found.min() or (best and abs(recall - 0.95) >= best[0]):
                continue
            best = abs(recall - 0.95), (rest >= threshold).mean()
        rates.append(best[1])
    result = evaluate(samples, ece_scope='all', fpr_rule='nearest', ece_bins=15)
    assert result['ECE'] == pytest.approx(100 * np.mean(errors), abs=1e-5)
    assert result['FPR95'] == pytest.approx(100 * np.mean(rates), abs=1e-9)
    other = evaluate(samples)
    assert (result['ECE'], result['FPR95']) != (other['ECE'], other['FPR95'])


def test_predictions_without_logits(samples):
    expected = evaluate(samples, scores=SCORES)
    saved = []
    for sample in samples:
        content = {key: sample.to_dict()[key] for key in ('img_path', 'gt_sem_seg', 'pred_sem_seg')}
        maps = {score: naive_score(sample, score) for score in SCORES}
        saved.append(content | {'uncertainty': maps})
    result = evaluate(saved, scores=SCORES)
    assert expected.keys() - result.keys() == {'NLL', 'Brier', 'pooled/NLL', 'pooled/Brier'}
    assert result == pytest.approx({key: expected[key] for key in result}, abs=1e-2)
    for content in saved:
        del content['pred_sem_seg']
    result = evaluate(saved, scores=SCORES)
    assert 'mIoU' not in result
    assert result['AUPR'] == pytest.approx(expected['AUPR'], abs=1e-5)


def test_without_pooled_curves_no_pixels_are_kept(samples):
    full = evaluate(samples)
    result = evaluate(samples, pooled=False)
    gone = {f'pooled/{score}{key}' for score in ('', 'entropy/') for key in (*DETECTION, 'gap')}
    assert gone < full.keys()
    assert result == {key: value for key, value in full.items() if key not in gone}


def test_prefix(samples):
    assert set(evaluate(samples, prefix='ood')) == {f'ood/{key}' for key in evaluate(samples)}


def test_plain_dicts_and_other_types_give_the_same(samples):
    as_dicts = []
    for sample in samples:
        content = sample.to_dict()
        content['uncertainty'] = {
            'mutual_information': sample.uncertainty.mutual_information[0].double().numpy()
        }
        content['gt_sem_seg'] = {'data': sample.gt_sem_seg.data[0].to(torch.uint8)}
        content['pred_sem_seg'] = PixelData(data=sample.pred_sem_seg.data)
        as_dicts.append(content)
    assert evaluate(as_dicts, scores=SCORES) == evaluate(samples, scores=SCORES)
