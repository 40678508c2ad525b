"""What ClassificationUncertaintyMetric logs and writes."""

import csv
import json

import pytest

from helpers.classification_samples import (
    META,
    SIZES,
    evaluate,
    make_images,
    naive_in_distribution,
    naive_score,
)
from helpers.evaluation_samples import table_rows
from mmseg_abnn.evaluation.metrics.classification import classification_metric

SCORES = ('msp', 'entropy', 'mutual_information')


@pytest.fixture
def samples():
    return make_images()


@pytest.mark.parametrize('meta', [META, None, {'ood_sets': ()}])
def test_no_ood_image(meta, log):
    inside = make_images({'': 12})
    for sample in inside[:5]:
        sample.pop('ood_set')
    result = evaluate(inside, meta=meta)
    for sample in inside[:5]:
        sample.set_metainfo(dict(ood_set=''))
    assert result == pytest.approx(naive_in_distribution(inside), abs=1e-4)
    assert sum('no OOD image was seen' in message for message in log) == 1
    assert not any('AUROC |' in message for message in log)


def test_ood_images_only(log):
    result = evaluate(make_images({'svhn': 3}))
    assert result == {'num_images': 0, 'svhn/num_images': 3}
    assert sum('no in-distribution image was seen' in message for message in log) == 1
    assert table_rows(log, 'svhn') == [['svhn', '3', score, '-', '-', '-'] for score in SCORES[:2]]


def test_logged_tables(samples, log):
    result = evaluate(samples, scores=SCORES)
    cells = [f'{result[name]:.2f}' for name in ('accuracy', 'ECE', 'MCE')]
    cells += [f'{result[name]:.4f}' for name in ('NLL', 'Brier')]
    assert table_rows(log, '40') == [['40', *cells]]
    for name in ('svhn', 'noise'):
        expected = []
        for score in SCORES:
            prefix = f'{name}/' if score == 'msp' else f'{name}/{score}/'
            numbers = [f'{result[prefix + key]:.2f}' for key in ('AUPR', 'AUROC', 'FPR95')]
            expected.append([name, str(SIZES[name]), score, *numbers])
        assert table_rows(log, name) == expected


def test_report(samples, tmp_path):
    result = evaluate(samples, scores=SCORES, report_dir=str(tmp_path / 'new' / 'report'))
    folder = tmp_path / 'new' / 'report'
    assert json.loads((folder / 'report.json').read_text()) == {
        'metrics': result,
        'settings': {'scores': list(SCORES), 'ece_bins': 15, 'fpr_rule': 'first'},
    }
    with (folder / 'per_image.csv').open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(samples)
    for row, sample in zip(rows, samples, strict=True):
        assert row['ood_set'] == sample.ood_set
        assert row['label'] == ('' if sample.ood_set else str(sample.gt_label.item()))
        assert int(row['prediction']) == sample.pred_label.item()
        assert float(row['confidence']) == sample.pred_score.max().item()
        for score in SCORES:
            assert float(row[score]) == pytest.approx(naive_score(sample, score), abs=1e-6)
        assert (row['NLL'] == row['Brier'] == '') is bool(sample.ood_set)
        if not sample.ood_set:
            expected = -sample.log_score[sample.gt_label].item()
            assert float(row['NLL']) == pytest.approx(expected, abs=1e-6)
        assert row['img_path'] == sample.img_path
        assert int(row['sample_idx']) == sample.sample_idx


@pytest.mark.parametrize(('writer', 'missing'), [('json', 'report.json'), ('csv', 'per_image.csv')])
def test_a_file_that_fails_costs_no_figure(writer, missing, samples, tmp_path, log, monkeypatch):
    def no_space(*_):
        raise OSError(28, 'No space left on device')

    expected = evaluate(samples)
    monkeypatch.setattr(classification_metric, f'write_{writer}', no_space)
    log.clear()
    assert evaluate(samples, report_dir=str(tmp_path)) == expected
    assert f'{tmp_path / missing} could not be written' in log[-1]
    assert len(list(tmp_path.iterdir())) == 1


def test_an_infinite_number(samples, tmp_path, monkeypatch):
    """An NLL that overflows is null with a word."""
    summarize = classification_metric.summarize_images

    def infinite(*arguments):
        return {**summarize(*arguments), 'NLL': float('inf')}

    monkeypatch.setattr(classification_metric, 'summarize_images', infinite)
    assert evaluate(samples, report_dir=str(tmp_path))['NLL'] == float('inf')
    text = (tmp_path / 'report.json').read_text()
    metrics = json.loads(text, parse_constant=pytest.fail)['metrics']
    assert metrics['NLL'] is None
    assert metrics['not_finite'] == {'NLL': 'infinite'}
