"""What UncertaintyMetric logs and writes."""

import csv
import json

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from mmengine.structures import PixelData
from PIL import Image

from helpers.evaluation_samples import (
    META,
    OOD,
    SHAPE,
    evaluate,
    make_sample,
    naive_score,
    table_rows,
)
from mmseg_abnn.evaluation.functional import expected_calibration_error

DETECTION = ('AUPR', 'AUROC', 'FPR95')
SCORES = ('msp', 'entropy', 'mutual_information')


@pytest.fixture
def samples():
    return [make_sample(seed) for seed in range(5)]


def row_of(log, first):
    """The cells after the first one of the logged table row that starts with ``first``."""
    return table_rows(log, first)[0][1:]


def test_report(samples, tmp_path):
    result = evaluate(samples, scores=SCORES, report_dir=str(tmp_path))
    report = json.loads((tmp_path / 'report.json').read_text())
    assert report['metrics'] == result
    assert report['settings']['scores'] == list(SCORES)
    for name, (low, high) in report['bounds'].items():
        assert low <= result[name] <= high
    labels = np.stack([sample.gt_sem_seg.data[0].numpy() for sample in samples])
    predictions = np.stack([sample.pred_sem_seg.data[0].numpy() for sample in samples])
    confidence = np.stack([s.seg_logits.data.softmax(0).amax(0).numpy() for s in samples])
    for k, row in enumerate(report['classes']):
        chosen = (labels < 4) & (predictions == k)
        assert row['labelled_pixels'] == (labels == k).sum()
        assert row['predicted_pixels'] == chosen.sum()
        right = labels == predictions
        error = expected_calibration_error(confidence[chosen], right[chosen])
        assert row['ECE'] == pytest.approx(100 * error, abs=1e-5)
    with (tmp_path / 'per_image.csv').open() as file:
        rows = list(csv.DictReader(file))
    lines = (tmp_path / 'per_image.jsonl').read_text().splitlines()
    assert len(rows) == len(lines) == 5
    for sample, row, line in zip(samples, rows, lines, strict=True):
        alone = evaluate([sample], scores=SCORES)
        for key in ('mIoU', 'ECE', 'ECE_all', 'NLL', 'AUPR', 'mutual_information/FPR95'):
            assert float(row[key]) == json.loads(line)[key] == pytest.approx(alone[key])
        assert row['img_path'] == sample.img_path
        assert int(row['num_ood']) == (sample.gt_sem_seg.data == OOD).sum()


CURVES = {'roc', 'precision_recall', *(f'scores_{score}' for score in SCORES)}


@pytest.mark.parametrize(
    ('ood', 'arguments', 'names'),
    [
        (True, {}, {*CURVES, 'reliability', 'risk_coverage'}),
        (True, dict(pooled=False), {'reliability', 'risk_coverage'}),
        (False, {}, {'reliability', 'risk_coverage'}),
    ],
)
def test_plots(ood, arguments, names, tmp_path):
    """A picture of each curve, with the colors of its parts."""
    made = [make_sample(seed, ood=ood) for seed in range(3)]
    evaluate(made, scores=SCORES, report_dir=str(tmp_path), **arguments)
    assert {path.stem for path in tmp_path.glob('*.png')} == names
    parts = {'roc': 'C0 C1 C2', 'precision_recall': 'C0 C1 C2', 'reliability': 'C0 C3 black'}
    parts['risk_coverage'] = 'C0 C2'
    for name in names:
        picture = np.asarray(Image.open(tmp_path / f'{name}.png').convert('RGB'))
        assert picture.shape[1] == 5.5 * 120
        for color in parts.get(name, 'C0 C1').split():  # of a distribution the two classes
            expected = np.round(255 * np.array(to_rgb(color)))
            found = (np.abs(picture - expected) <= 1).all(axis=2).sum()
            assert found > 10, (name, color)


def test_output_dir(tmp_path):
    split_samples = [
        make_sample(0, 'test_id', ood=False, name='000000_leftImg8bit'),
        make_sample(1, 'test_ood', name='000000_leftImg8bit'),
        make_sample(2, 'test_ood', name='000000_leftImg8bit', folder='town'),
    ]
    evaluate(
        split_samples,
        output_dir=str(tmp_path),
        keep_results=True,  # as MMSegmentation's test tool sets it
        scores=SCORES,
        id_split='test_id',
        ood_split='test_ood',
    )
    folders = [('test_id', 'images'), ('test_ood', 'images'), ('test_ood', 'town')]
    for sample, folder in zip(split_samples, folders, strict=True):
        stem = tmp_path.joinpath(*folder, '000000_leftImg8bit')
        prediction = np.asarray(Image.open(f'{stem}_pred.png'))
        assert prediction.dtype == np.uint8
        np.testing.assert_array_equal(prediction, sample.pred_sem_seg.data[0].numpy())
        for score in SCORES:
            values = np.load(f'{stem}_{score}.npy')
            assert values.dtype == np.float32
            np.testing.assert_allclose(values, naive_score(sample, score), atol=1e-6)
    assert len(list(tmp_path.rglob('*.*'))) == 3 * 4


def test_output_dir_without_splits(tmp_path, samples):
    evaluate(samples[:1], output_dir=str(tmp_path), scores=['msp'])
    names = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob('*.*')}
    assert names == {'images/000000_pred.png', 'images/000000_msp.npy'}


def test_logged_tables(samples, log):
    result = evaluate(samples)
    keys = [f'{pooled}entropy/{key}' for pooled in ('', 'pooled/') for key in DETECTION]
    assert row_of(log, 'entropy') == [f'{result[key]:.2f}' for key in keys]
    keys = [f'{pooled}{key}' for pooled in ('', 'pooled/') for key in DETECTION]
    assert row_of(log, 'msp') == [f'{result[key]:.2f}' for key in keys]
    for name in ('ECE', 'ECE_all', 'MCE'):
        assert row_of(log, name) == [f'{result[key]:.2f}' for key in (name, f'pooled/{name}')]
    assert row_of(log, 'NLL') == [f'{result[key]:.4f}' for key in ('NLL', 'pooled/NLL')]
    for name in ('mIoU', 'aAcc'):
        assert row_of(log, name) == ['-', f'{result[name]:.2f}']
    assert row_of(log, 'AURC') == ['-', f'{result["pooled/AURC"]:.2f}']
    labels = torch.cat([s.gt_sem_seg.data for s in samples])
    predictions = torch.cat([s.pred_sem_seg.data for s in samples])
    union = ((labels == 1) | (predictions == 1)) & (labels < 4)
    iou = 100 * ((labels == 1) & (predictions == 1)).sum() / union.sum()
    assert row_of(log, 'car')[0] == f'{iou:.2f}'


def test_classes_that_do_not_occur_have_no_iou(log):
    meta = dict(META, classes=(*META['classes'], 'train'))
    sample = make_sample(0)
    logits = torch.cat([sample.seg_logits.data, torch.full((1, *SHAPE), -9.0)])
    sample.seg_logits = PixelData(data=logits)
    evaluate([sample], meta=meta)
    assert row_of(log, 'train') == ['-', '-']
