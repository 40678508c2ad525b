"""What UncertaintyMetric logs and writes."""

import csv
import json
import sys

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
    make_evaluator,
    make_sample,
    naive_score,
    table_rows,
)
from mmseg_abnn.evaluation.functional import expected_calibration_error
from mmseg_abnn.evaluation.metrics.common import detection_figures

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
    for sample in split_samples:
        stem = tmp_path / sample.img_path.removesuffix('.png')  # data/<split>/<folder>/...
        prediction = np.asarray(Image.open(f'{stem}_pred.png'))
        assert prediction.dtype == np.uint8
        np.testing.assert_array_equal(prediction, sample.pred_sem_seg.data[0].numpy())
        for score in SCORES:
            values = np.load(f'{stem}_{score}.npy')
            assert values.dtype == np.float32
            np.testing.assert_allclose(values, naive_score(sample, score), atol=1e-6)
    assert len(list(tmp_path.rglob('*.*'))) == 3 * 4


def test_output_names_and_format(tmp_path, samples):
    evaluator = make_evaluator(
        scores=['entropy', 'mutual_information', 'energy'],
        output_dir=str(tmp_path),
        output_format='png',
    )
    evaluator.metrics[0].output_names = {samples[0].img_path: 'x/y'}
    evaluator.process(samples[:1])
    names = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob('*.*')}
    assert names == {f'x/y_{end}.png' for end in ('pred', *evaluator.metrics[0].settings.scores)}
    ends = {}
    for name in ('entropy', 'mutual_information', 'energy'):
        file = tmp_path / f'x/y_{name}.png'
        ends[name] = json.loads(Image.open(file).text['score_range'])
    # what the score can be at most, the same for all images; of the energy there is no such end
    assert ends['entropy'] == [0, pytest.approx(np.log(4))]
    assert ends['mutual_information'] == [0, pytest.approx(np.log(4))]
    energy = -samples[0].seg_logits.data.logsumexp(0)
    assert ends['energy'] == pytest.approx([float(energy.min()), float(energy.max())])


def test_two_images_of_one_name_are_refused(tmp_path, samples):
    samples[1].set_metainfo(dict(img_path=samples[0].img_path.replace('.png', '.jpg')))
    message = r'000000.jpg: .*000000.png and .*000000.jpg would both be saved as'
    with pytest.raises(ValueError, match=message):
        evaluate(samples[:2], output_dir=str(tmp_path), scores=['msp'])
    # a second test writes anew
    evaluator = make_evaluator(output_dir=str(tmp_path), scores=['msp'])
    for sample in samples[:2]:
        evaluator.process([sample])
        evaluator.evaluate(1)


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


@pytest.fixture
def impossible(samples):
    """Samples of which one has a pixel whose true class has the probability 0."""
    logits, label = samples[1].seg_logits.data, samples[1].gt_sem_seg.data[0]
    row, column = (int(i) for i in (label < 4).nonzero()[0])
    logits[int(label[row, column]), row, column] = -float('inf')
    samples[1].pred_sem_seg = PixelData(data=logits.argmax(0, keepdim=True))
    return samples


def test_an_infinite_nll(impossible, tmp_path, log):
    """It is named as such everywhere, and all other numbers are as they are."""
    result = evaluate(impossible, scores=SCORES, report_dir=str(tmp_path))
    assert result['NLL'] == result['pooled/NLL'] == float('inf')
    others = {name: value for name, value in result.items() if 'NLL' not in name}
    assert np.isfinite(list(others.values())).all()
    metrics = json.loads((tmp_path / 'report.json').read_text(), parse_constant=pytest.fail)[
        'metrics'
    ]
    assert metrics.pop('not_finite') == {'NLL': 'infinite', 'pooled/NLL': 'infinite'}
    assert metrics == {**result, 'NLL': None, 'pooled/NLL': None}
    lines = (tmp_path / 'per_image.jsonl').read_text().splitlines()
    rows = [json.loads(line, parse_constant=pytest.fail) for line in lines]
    assert [row.get('not_finite') for row in rows] == [None, {'NLL': 'infinite'}, *[None] * 3]
    assert rows[1]['NLL'] is None
    assert rows[0]['NLL'] > 0
    with (tmp_path / 'per_image.csv').open() as file:
        assert [row['NLL'] == 'inf' for row in csv.DictReader(file)] == [False, True, *[False] * 3]
    assert {path.stem for path in tmp_path.glob('*.png')} == {
        *CURVES,
        'reliability',
        'risk_coverage',
    }
    assert row_of(log, 'NLL') == ['inf', 'inf']


def no_space(*_, **__):
    raise OSError(28, 'No space left on device')


@pytest.mark.parametrize(
    ('name', 'missing'),
    [
        ('report.write_json', {'report.json'}),
        ('report.write_csv', {'per_image.csv', 'per_class.csv'}),
        ('matplotlib', {'*.png'}),
        ('figure', {'roc.png'}),
    ],
)
def test_a_file_that_fails_costs_no_figure(name, missing, samples, tmp_path, log, monkeypatch):
    expected = evaluate(samples)
    if name == 'matplotlib':
        module = 'mmseg_abnn.evaluation.metrics.common.detection_figures'
        monkeypatch.setitem(sys.modules, module, None)
    elif name == 'figure':
        monkeypatch.setattr(detection_figures, 'roc_figure', no_space)
    else:
        monkeypatch.setattr(f'mmseg_abnn.evaluation.metrics.segmentation.{name}', no_space)
    log.clear()
    assert evaluate(samples, report_dir=str(tmp_path)) == expected
    warnings = [text for text in log if 'could not be written' in text]
    assert {text.split(' could')[0] for text in warnings} == {str(tmp_path / m) for m in missing}
    # the tables come before what may fail
    assert log.index(warnings[0]) > min(i for i, text in enumerate(log) if 'AUPR' in text)
    pictures = {path.name for path in tmp_path.glob('*.png')}
    assert ('reliability.png' in pictures) is (name != 'matplotlib')
    assert {'report.json', 'per_image.jsonl', 'per_image.csv', 'per_class.csv'} - missing == {
        path.name for path in tmp_path.iterdir()
    } - pictures


def test_a_report_without_its_folder_costs_no_figure(samples, tmp_path, log):
    (tmp_path / 'report').write_text('a file where the folder should be')
    assert evaluate(samples, report_dir=str(tmp_path / 'report')) == evaluate(samples)
    assert sum('report.json could not be written' in text for text in log) == 1


LABELLED_FIGURES = ('mIoU', 'aAcc', 'ECE', 'MCE', 'NLL', 'Brier', 'AURC', 'AUPR', 'AUROC', 'FPR95')


def without_labels(samples):
    for sample in samples:
        del sample.gt_sem_seg
    return samples


@pytest.mark.parametrize('splits', [{}, dict(id_split='test_id', ood_split='test_ood')])
def test_no_labels(splits, samples, tmp_path, log):
    """Predictions and maps are those of images with labels; nothing is measured, and it is said."""
    settings = dict(scores=SCORES, **splits)
    labelled = [make_sample(seed) for seed in range(5)]
    evaluate(labelled, scores=SCORES, output_dir=str(tmp_path / 'labelled'))
    log.clear()
    found = evaluate(
        without_labels(samples),
        output_dir=str(tmp_path / 'out'),
        report_dir=str(tmp_path / 'report'),
        **settings,
    )
    assert found == {'num_images': 5}
    text = log[-1]
    assert text.startswith('no labels: ')
    assert all(f' {name}' in text for name in LABELLED_FIGURES)
    report = json.loads((tmp_path / 'report/report.json').read_text())
    assert report['not_measured'] == text
    assert report['metrics'] == {'num_images': 5}
    with (tmp_path / 'report/per_image.csv').open() as file:
        rows = list(csv.DictReader(file))
    assert rows == [{'img_path': sample.img_path, 'split': ''} for sample in samples]
    assert not list((tmp_path / 'report').glob('*.png'))
    files = {path.relative_to(tmp_path / 'out') for path in (tmp_path / 'out').rglob('*.*')}
    assert len(files) == 5 * 4
    for file in files:
        expected = (tmp_path / 'labelled' / file).read_bytes()
        assert (tmp_path / 'out' / file).read_bytes() == expected
