"""Each wrong input of UncertaintyMetric has its own message."""

import numpy as np
import pytest
import torch
from mmengine.structures import PixelData
from PIL import Image

from helpers.evaluation_samples import META, OOD, SHAPE, evaluate, make_evaluator, make_sample
from mmseg_abnn.evaluation import UncertaintyMetric
from mmseg_abnn.evaluation.metrics.segmentation import uncertainty_metric


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(scores='msp'), "`scores` must be a non-empty sequence of names, got 'msp'"),
        (dict(scores=()), '`scores` must be a non-empty sequence'),
        (dict(scores=('a/b',)), "`scores` must hold names of letters.*got 'a/b'"),
        (dict(scores=('pooled',)), "other than 'pooled'"),
        (dict(scores=(3,)), '`scores` must hold names.*got 3'),
        (dict(scores=('msp', 'msp')), '`scores` must not hold a name twice'),
        (dict(id_split=''), "`id_split` must be None or a non-empty string, got ''"),
        (dict(ood_split=3), '`ood_split` must be None or a non-empty string, got 3'),
        (dict(output_dir=''), '`output_dir` must be None or a non-empty string'),
        (dict(output_format='tif'), r"`output_format` must be one of \('npy', 'png', 'pth'\)"),
        (
            dict(output_dir='x', output_format='pth', scores=['entropy']),
            r"`output_format` 'pth' needs 'msp' in `scores`, got \('entropy',\)",
        ),
        (dict(ece_bins=0), '`ece_bins` must be an integer >= 1, got 0'),
        (dict(ece_bins=1.5), '`ece_bins` must be an integer >= 1, got 1.5'),
        (dict(ece_scope='ood'), r"`ece_scope` must be one of \('id', 'all'\), got 'ood'"),
        (dict(fpr_rule='last'), r"`fpr_rule` must be one of \('first', 'nearest'\), got 'last'"),
        (dict(ood_ids='200'), "`ood_ids` must be an integer or several of them, got '200'"),
        (dict(ood_ids=[200, 1.5]), r'`ood_ids` must be an integer or several.*got \[200, 1.5\]'),
        (dict(ood_ids=True), '`ood_ids` must be an integer or several of them, got True'),
        (dict(ignore_index=None), '`ignore_index` must be an integer, got None'),
        (dict(pooled='no'), "`pooled` must be True or False, got 'no'"),
        (dict(histogram_bits=24), '`histogram_bits` must be an integer from 1 to 23, got 24'),
        (dict(report_dir=3), '`report_dir` must be None or a non-empty string, got 3'),
        (dict(collect_device='tpu'), "`collect_device` must be 'cpu' or 'gpu', got 'tpu'"),
        (dict(collect_device='gpu', collect_dir='x'), 'could only be configured'),
    ],
)
def test_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        UncertaintyMetric(**arguments)


def unknown_label(sample):
    sample.gt_sem_seg.data[0, 3, :2] = torch.tensor([99, 77])


def nan_logits(sample):
    sample.seg_logits.data[1, 2, 3] = float('nan')


def infinite_map(sample):
    sample.uncertainty.mutual_information[0, 0, :3] = float('inf')


def no_labels(sample):
    del sample.gt_sem_seg


def labels_not_loaded(sample):
    del sample.gt_sem_seg
    sample.set_metainfo(dict(seg_map_path='l/0.png'))


def other_size(sample):
    sample.gt_sem_seg = PixelData(data=torch.zeros(1, 5, 5, dtype=torch.long))


def too_many_classes(sample):
    sample.seg_logits = PixelData(data=torch.zeros(9, *SHAPE))


def map_of_other_size(sample):
    sample.uncertainty = PixelData(mutual_information=torch.zeros(1, 5, 5))


@pytest.mark.parametrize(
    ('spoil', 'message'),
    [
        (
            unknown_label,
            r'the unknown ids \[77, 99\]; known are the classes 0..3, the OOD ids \[254\] and the '
            r'ignored id 255. If they mark OOD pixels, write '
            r'UncertaintyMetric\(ood_ids=\[77, 99\]\), or metainfo=dict\(ood_id=\[77, 99\]\)',
        ),
        (nan_logits, r"score 'msp' is NaN or infinite at 1 of 204 pixels"),
        (infinite_map, r"score 'mutual_information' is NaN or infinite at 3 of 204 pixels"),
        (no_labels, r'the image has no labels \(`gt_sem_seg`\), and .*000001.png has some: test'),
        (
            labels_not_loaded,
            'its label l/0.png was not loaded, the data sample has no `gt_sem_seg`',
        ),
        (
            other_size,
            r'`pred_sem_seg` must have shape \(5, 5\), as `gt_sem_seg` has, got \(12, 17\)',
        ),
        (too_many_classes, r'`seg_logits` must have shape \(4, 12, 17\).*got \(9, 12, 17\)'),
        (map_of_other_size, r"score 'mutual_information' must have shape \(12, 17\)"),
    ],
)
def test_samples(spoil, message):
    sample = make_sample(0)
    spoil(sample)
    with pytest.raises(ValueError, match=r'data/None/images/000000.png: .*' + message):
        evaluate([make_sample(1), sample], scores=['msp', 'mutual_information'])


def test_nan_is_found_where_no_score_is_computed_from_logits():
    sample = make_sample(0)
    nan_logits(sample)
    with pytest.raises(ValueError, match='`confidence` must be finite'):
        evaluate([sample], scores=['mutual_information'])


def test_score_that_is_not_there():
    sample = make_sample(0)
    message = (
        r"000000.png: score 'density' is not available; from `seg_logits`: "
        r"\['energy', 'entropy', 'max_logit', 'msp'\], from `uncertainty`: \['mutual_information'\]"
    )
    with pytest.raises(ValueError, match=message):
        evaluate([sample], scores=['density'])
    del sample.uncertainty
    with pytest.raises(ValueError, match=r'from `uncertainty`: \[\]'):
        evaluate([sample], scores=['density'])


def test_sample_without_path():
    content = make_sample(0).to_dict()
    del content['img_path']
    with pytest.raises(ValueError, match='unnamed image: the data sample has no `img_path`'):
        evaluate([content])


def test_ood_pixels_are_unknown_to_a_dataset_without_ood_id():
    with pytest.raises(ValueError, match=rf'unknown ids \[{OOD}\].*the OOD ids \[\]'):
        evaluate([make_sample(0)], meta={'classes': META['classes']})


@pytest.mark.parametrize(
    ('meta', 'arguments', 'message'),
    [
        ({}, {}, '`metainfo` must hold `classes`'),
        (dict(META, ood_id=2), {}, r'`ood_id` \[2\] must not be a class id \(0..3\)'),
        (
            META,
            dict(ood_ids=[1, 254]),
            r"\[1\] must not be .*classes=\('in-distribution',\), ood_id=1",
        ),
        (dict(META, ood_id='x'), {}, "`ood_id` of the dataset's `metainfo` must be an integer or"),
        (dict(META, ood_id=255), {}, r'`ignore_index` 255 must be neither a class id.*\[255\]'),
        (META, dict(ignore_index=1), '`ignore_index` 1 must be neither a class id'),
    ],
)
def test_ids_that_contradict_each_other(meta, arguments, message):
    with pytest.raises(ValueError, match=message):
        evaluate([make_sample(0)], meta=meta, **arguments)


def test_image_in_folders_of_both_splits():
    sample = make_sample(0)
    sample.set_metainfo(dict(img_path='data/test_id/test_ood/0.png'))
    with pytest.raises(
        ValueError, match=r"folders of the names \['test_id', 'test_ood'\].*`meta_keys`"
    ):
        evaluate([sample], id_split='test_id', ood_split='test_ood')


@pytest.mark.parametrize('name', ['id_split', 'ood_split'])
def test_split_that_was_never_seen(name):
    samples = [make_sample(0, 'b'), make_sample(1, 'a')]
    message = rf"`{name}` is 'c', but no image of it was seen; splits seen: \['a', 'b'\]"
    with pytest.raises(ValueError, match=message):
        evaluate(samples, **{name: 'c'})


def test_nothing_to_measure():
    sample = make_sample(0, ood=False)
    sample.gt_sem_seg.data[:] = 255
    with pytest.raises(ValueError, match='no labelled in-distribution pixel was seen'):
        evaluate([sample])


def test_labels_of_some_images():
    labelled, other = make_sample(0), make_sample(1)
    del other.gt_sem_seg
    with pytest.raises(
        ValueError, match=r'000000.png: the image has labels .*1.png has none: test'
    ):
        evaluate([other, labelled])
    # as two processes come together
    shares = []
    for sample in (labelled, other):
        metric = make_evaluator().metrics[0]
        metric.process(None, [sample.to_dict()])
        shares.append(uncertainty_metric._Share(metric._rows, metric._new_counts()))
    with pytest.raises(
        ValueError, match=r'1 of 2 images have no labels, the first is .*1.png: test'
    ):
        metric.compute_metrics(shares)


@pytest.mark.parametrize('field', ['gt_sem_seg', 'pred_sem_seg'])
def test_labels_that_are_no_integers(field):
    sample = make_sample(0)
    sample.get(field).data = sample.get(field).data.float() + 0.4
    with pytest.raises(ValueError, match=f'000000.png: `{field}` must hold integers, got float32'):
        evaluate([sample])


def test_label_that_was_padded_or_resized():
    sample = make_sample(0)
    sample.set_metainfo(dict(ori_shape=SHAPE))
    sample.gt_sem_seg = PixelData(data=torch.zeros(1, 32, 32, dtype=torch.long))
    message = (
        r'\(32, 32\).* stored image is \(12, 17\): labels must be loaded behind .*size_divisor=32'
    )
    with pytest.raises(ValueError, match=message):
        evaluate([sample])


def test_images_of_different_sizes_in_one_batch():
    batch = dict(inputs=[torch.zeros(3, 4, 5), torch.zeros(3, 6, 5)])
    metric = UncertaintyMetric()
    with pytest.raises(ValueError, match=r'different sizes \(4x5, 6x5; .*`batch_size=1`'):
        metric.process(batch, [make_sample(0).to_dict(), make_sample(1).to_dict()])


def test_label_file_of_sixteen_bits(tmp_path):
    sample = make_sample(0)
    path = tmp_path / 'label.png'
    Image.fromarray(np.arange(768, 773, dtype=np.uint16)[None]).save(path)
    sample.set_metainfo(dict(seg_map_path=str(path)))
    with pytest.raises(
        ValueError, match=r'label.png: .* 0 to 255, got \[768, 769, 770, 771, 772\]'
    ):
        evaluate([sample])
