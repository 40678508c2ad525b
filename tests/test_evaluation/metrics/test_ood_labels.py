"""Which labels are OOD, which images count for what, and what is measured of odd test sets."""

import json

import numpy as np
import pytest
import torch

from helpers.evaluation_samples import (
    CLASSES,
    META,
    OOD,
    evaluate,
    make_sample,
    naive_detection,
    naive_segmentation,
    sklearn_numbers,
)

DETECTION = ('AUPR', 'AUROC', 'FPR95')
PLAIN = dict(classes=CLASSES)
ONLY_OOD = dict(classes=('in-distribution',), ood_id=1)


def relabel(sample, **ids):
    """Give the OOD pixels of the upper half and of the lower half other ids."""
    label = sample.gt_sem_seg.data
    for rows, new in ((slice(0, 6), ids['upper']), (slice(6, None), ids['lower'])):
        part = label[:, rows]
        part[part == OOD] = new
    return sample


@pytest.mark.parametrize(
    ('meta', 'arguments', 'upper', 'lower'),
    [
        (PLAIN, dict(ood_ids=[200]), 200, 200),
        (PLAIN, dict(ood_ids=200), 200, 200),
        (PLAIN, dict(ood_ids=[200, 201]), 200, 201),
        (dict(PLAIN, ood_id=200), {}, 200, 200),
        (dict(PLAIN, ood_id=(200, 201)), {}, 200, 201),
        (META, dict(ood_ids=[200]), 254, 200),
    ],
)
def test_ood_ids_in_one_line(meta, arguments, upper, lower):
    expected = evaluate([make_sample(seed) for seed in range(3)], scores=['msp'])
    samples = [relabel(make_sample(seed), upper=upper, lower=lower) for seed in range(3)]
    assert evaluate(samples, meta=meta, scores=['msp'], **arguments) == expected


def test_split_is_a_folder_where_samples_do_not_say_it():
    clean = [make_sample(seed, ood=False, folder='val') for seed in range(2)]
    strange = [make_sample(seed, folder='ood/town') for seed in range(2, 4)]
    other = [make_sample(9, folder='val_of_another')]
    result = evaluate(clean + strange + other, scores=['msp'], id_split='val', ood_split='ood')
    expected = naive_segmentation(clean) | naive_detection(strange, 'msp')
    assert {key: result[key] for key in expected} == pytest.approx(expected, abs=1e-3)
    assert result['num_images'] == 5


def only_ood_labels(seed):
    """A sample of four classes whose label says in-distribution (0), OOD (1) or ignored (255)."""
    sample = make_sample(seed)
    label = sample.gt_sem_seg.data
    label[label < len(CLASSES)] = 0
    label[label == OOD] = 1
    return sample


def test_labels_that_tell_no_classes_apart(tmp_path):
    samples = [only_ood_labels(seed) for seed in range(3)]
    result = evaluate(samples, meta=ONLY_OOD, scores=['msp'], report_dir=str(tmp_path))

    expected = naive_detection([make_sample(seed) for seed in range(3)], 'msp')
    numbers = ('num_images', 'num_images_without_ood', 'num_images_without_id')
    assert result.keys() == {*expected, 'pooled/gap', *numbers}
    assert {key: result[key] for key in expected} == pytest.approx(expected, abs=1e-3)
    report = json.loads((tmp_path / 'report.json').read_text())
    assert report['classes'] == []


def test_labels_that_tell_nothing_apart():
    sample = only_ood_labels(0)
    sample.gt_sem_seg.data[:] = 0
    with pytest.raises(
        ValueError, match=r'nothing can be measured: .*OOD ids are \[1\].*ood_ids=\[1\]'
    ):
        evaluate([sample], meta=ONLY_OOD)


def whole_ood(seed):
    sample = make_sample(seed, ood=False)
    label = sample.gt_sem_seg.data
    label[label != 255] = OOD
    return sample


def test_images_that_are_ood_entirely_beside_others():
    clean = [make_sample(seed, ood=False) for seed in range(2)]
    strange = [whole_ood(seed) for seed in range(2, 4)]
    result = evaluate(clean + strange, scores=['msp'])

    assert not result.keys() & {*DETECTION}
    expected = naive_segmentation(clean)
    labels, values = [], []
    for sample in clean + strange:
        label = sample.gt_sem_seg.data[0].numpy()
        p = torch.softmax(sample.seg_logits.data, 0).max(0)[0].numpy()
        labels.append(label[label != 255] == OOD)
        values.append(1 - p[label != 255])
    found = sklearn_numbers(np.concatenate(labels), np.concatenate(values))
    expected |= {f'pooled/{n}': 100 * v for n, v in zip(DETECTION, found, strict=True)}
    for name in ('ECE_all', 'pooled/ECE_all'):
        expected.pop(name)  # of the other images too
    assert {key: result[key] for key in expected} == pytest.approx(expected, abs=1e-3)
    assert result['num_images_without_ood'] == result['num_images_without_id'] == 2


def test_ood_images_alone_are_no_measurement():
    with pytest.raises(ValueError, match='no labelled in-distribution pixel was seen'):
        evaluate([whole_ood(0), whole_ood(1)])


def test_only_classes_that_the_miou_leaves_out():
    sample = make_sample(0, ood=False)
    label = sample.gt_sem_seg.data
    label[label != 255] = 0
    sample.seg_logits.data[0] += 100
    sample.pred_sem_seg.data[:] = 0
    result = evaluate([sample], meta=dict(META, not_in_miou=('road',)))
    assert 'mIoU' not in result
    assert result['aAcc'] == 100
