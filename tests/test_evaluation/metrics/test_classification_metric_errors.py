"""Each wrong input of ClassificationUncertaintyMetric has its own message."""

import pytest
import torch

from helpers.classification_samples import META, evaluate, make_image, make_images
from mmseg_abnn.evaluation import ClassificationUncertaintyMetric


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(scores='msp'), "`scores` must be a non-empty sequence of names, got 'msp'"),
        (dict(scores=()), '`scores` must be a non-empty sequence'),
        (dict(scores=('a/b',)), "`scores` must hold names of letters.*got 'a/b'"),
        (dict(scores=('msp', 'msp')), '`scores` must not hold a name twice'),
        (dict(scores=('label',)), r"`scores` must not hold the column names .*got \['label'\]"),
        (dict(ece_bins=0), '`ece_bins` must be an integer >= 1, got 0'),
        (dict(ece_bins=1.5), '`ece_bins` must be an integer >= 1, got 1.5'),
        (dict(fpr_rule='last'), r"`fpr_rule` must be one of \('first', 'nearest'\), got 'last'"),
        (dict(report_dir=''), "`report_dir` must be None or a non-empty string, got ''"),
        (dict(collect_device='tpu'), "`collect_device` must be 'cpu' or 'gpu', got 'tpu'"),
    ],
)
def test_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        ClassificationUncertaintyMetric(**arguments)


@pytest.mark.parametrize(
    ('name', 'value', 'message'),
    [
        ('pred_score', None, 'the data sample has no `pred_score`, only .*gt_label'),
        ('pred_score', torch.ones(2, 2), r'`pred_score` must have shape \(4,\), got \(2, 2\)'),
        ('pred_score', torch.ones(3) / 3, r'`pred_score` must have shape \(4,\), got \(3,\)'),
        (
            'pred_score',
            torch.tensor([float('nan'), 1, 0, 0]),
            '`pred_score` is NaN or infinite at 1 of 4 classes',
        ),
        (
            'pred_score',
            torch.tensor([3.0, -1, -1, 0]),
            'must hold probabilities, .* the smallest -1 and the sum 1',
        ),
        ('pred_score', torch.ones(4), 'must hold probabilities, .* and the sum 4'),
        (
            'log_score',
            torch.tensor([0, 0, -float('inf'), 0]),
            '`log_score` is NaN or infinite at 1 of 4 classes',
        ),
        ('log_score', torch.zeros(5), r'`log_score` must have shape \(4,\), got \(5,\)'),
        ('gt_label', None, 'has neither `gt_label`, .* nor `ood_set`, only'),
        ('gt_label', torch.tensor([4]), r'`gt_label` must be in 0..3, got 4'),
        ('gt_label', torch.tensor([0, 1]), r'`gt_label` must hold one integer, got \[0, 1\]'),
        ('pred_label', torch.tensor([-1]), r'`pred_label` must be in 0..3, got -1'),
        ('ood_set', 'a/b', "`ood_set` must be a string without '/', got 'a/b'"),
        ('ood_set', 3, "`ood_set` must be a string without '/', got 3"),
        (
            'uncertainty',
            None,
            r"score 'mutual_information' is not available; from `pred_score`: \['entropy', 'msp'\],"
            r' from `uncertainty`: \[\]; MCImageClassifier gives expected_entropy, mutual_info',
        ),
        (
            'uncertainty',
            {'energy': torch.tensor(1.0)},
            r"'mutual_information' is not available; .* `uncertainty`: \['energy'\]",
        ),
        (
            'uncertainty',
            {'mutual_information': torch.tensor(float('inf'))},
            "score 'mutual_information' must be finite, got inf",
        ),
        (
            'uncertainty',
            {'mutual_information': torch.zeros(2, 3)},
            r"score 'mutual_information' must be a single value, got shape \(2, 3\)",
        ),
    ],
)
def test_data_samples(name, value, message):
    spoiled = make_image(7).to_dict() | {name: value}
    if value is None:
        del spoiled[name]
    with pytest.raises(ValueError, match=f'^data/test/007.png: .*{message}'):
        evaluate([make_image(0), spoiled], scores=['msp', 'mutual_information'])


@pytest.mark.parametrize(
    ('meta', 'name'),
    [
        (dict(img_path=None, ood_set=''), 'image with `sample_idx` 7: '),
        (dict(img_path=None, ood_set='x'), "image with `sample_idx` 7 of OOD set 'x': "),
        (dict(img_path=None, sample_idx=None), 'image 2 of this process: '),
    ],
)
def test_images_without_a_path_have_a_name(meta, name):
    spoiled = make_image(7).to_dict() | meta | {'pred_score': torch.zeros(4)}
    with pytest.raises(ValueError, match=f'^{name}`pred_score` must hold'):
        evaluate([make_image(0), make_image(1), spoiled])


def test_sets_that_are_announced_must_be_seen():
    samples = make_images({'': 2, 'svhn': 2})
    with pytest.raises(ValueError, match=r"the OOD sets \['noise'\] .*; sets seen: \['svhn'\]"):
        evaluate(samples, meta=META | {'ood_sets': ['svhn', 'noise']})
    with pytest.raises(ValueError, match=r"OOD sets \['svhn'\] were seen, but .* names \[\]"):
        evaluate(samples, meta=META | {'ood_sets': []})


def test_no_image():
    with pytest.raises(ValueError, match='no image was seen'):
        evaluate([])


def test_images_of_different_sizes_in_one_batch():
    batch = dict(inputs=[torch.zeros(3, 16, 16), torch.zeros(3, 40, 16)])
    metric = ClassificationUncertaintyMetric()
    with pytest.raises(ValueError, match=r'different sizes \(16x16, 40x16; .*`batch_size=1`'):
        metric.process(batch, [image.to_dict() for image in make_images({'': 2})])
