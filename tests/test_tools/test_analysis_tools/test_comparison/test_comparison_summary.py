"""Means, standard errors, costs and tables, against values that are computed by hand."""

import csv
import io
import json
import math

import pytest
from PIL import Image, ImageColor

from comparison import (
    Comparison,
    Estimate,
    Measured,
    Method,
    PredictionTimes,
    Storage,
    TrainingCost,
    csv_table,
    estimate,
    explain,
    markdown_tables,
    summarize,
    text_tables,
    write_comparison,
)

TIMES = PredictionTimes({'det': 0.2, 'abnn': 1.8}, 5, 'CPU, 2 threads')


def metrics(base, **more):
    """Numbers of a test, all of them different."""
    names = ['mIoU', 'ECE', 'pooled/ECE']
    for score in ('', 'entropy/'):
        names += [f'{p}{score}{n}' for p in ('', 'pooled/') for n in ('AUPR', 'AUROC', 'FPR95')]
    return {name: float(base + i) for i, name in enumerate(names)} | more


def make(seeds=(0, 1)):
    methods = (
        Method('det', 'c', 'p', ('msp',), ('base/{seed}',)),
        Method('abnn', 'c', 'p', ('msp', 'entropy'), ('base/{seed}', 'abnn/{seed}')),
    )
    comparison = Comparison('Title', seeds, 'det', methods)
    base = {0: TrainingCost(100.0, 1000, ()), 1: TrainingCost(200.0, 1000, ())}
    fine = {0: TrainingCost(10.0, 30, ()), 1: TrainingCost(40.0, 30, ())}
    measured = {
        'det': Measured(
            {seed: metrics(10 + seed) for seed in seeds},
            {seed: {f'base/{seed}': base[seed]} for seed in seeds},
            Storage(4_000_000, 0, 12_000_000),
            0.2,
        ),
        'abnn': Measured(
            {seed: metrics(20 + 3 * seed) for seed in seeds},
            {s: {f'base/{s}': base[s], f'abnn/{s}': fine[s]} for s in seeds},
            Storage(4_000_000, 120_000, 4_200_000),
            1.8,
        ),
    }
    return comparison, measured


def cells(table):
    """The cells of each row of each table."""
    lines = [line for line in table.splitlines() if line.startswith('|')]
    return [[cell.strip() for cell in line.strip('|').split('|')] for line in lines]


def test_mean_and_standard_error():
    # the sample standard deviation of 1, 2, 6 is sqrt(7)
    assert estimate([1.0, 2.0, 6.0]) == Estimate(3.0, pytest.approx(math.sqrt(7 / 3)))
    assert estimate([2.0, 4.0]) == Estimate(3.0, 1.0)
    assert estimate([5.0]) == Estimate(5.0, None)
    for undefined in ([], [None], [1.0, None], [1.0, math.nan], [math.inf]):
        assert estimate(undefined) is None


def test_rows():
    comparison, measured = make()
    rows = summarize(comparison, measured)
    assert [(row.method, row.score) for row in rows] == [
        ('det', 'msp'),
        ('abnn', 'msp'),
        ('abnn', 'entropy'),
    ]
    det, msp, entropy = (row.values for row in rows)
    assert det['mIoU'] == Estimate(10.5, 0.5)
    assert msp['mIoU'] == entropy['mIoU'] == Estimate(21.5, 1.5)
    # the first score has no name in the metric's keys
    order = list(metrics(0))
    for values, score in ((msp, ''), (entropy, 'entropy/')):
        for pooled in ('', 'pooled/'):
            for name in ('AUPR', 'AUROC', 'FPR95'):
                mean = 21.5 + order.index(f'{pooled}{score}{name}')
                assert values[pooled + name] == Estimate(mean, 1.5)
    # 110 / 100 and 240 / 200; 10 / 100 and 40 / 200
    assert msp['training_time'] == Estimate(pytest.approx(1.15), pytest.approx(0.05))
    assert msp['added_training_time'] == Estimate(pytest.approx(0.15), pytest.approx(0.05))
    assert (msp['trained_parameters'].mean, msp['added_trained_parameters'].mean) == (1030, 30)
    assert det['training_time'] == Estimate(1.0, 0.0)
    assert det['added_training_time'] == Estimate(0.0, 0.0)
    assert msp['prediction_time'] == Estimate(pytest.approx(9.0))
    assert (msp['storage'], msp['storage_share']) == (Estimate(120_000), Estimate(0.03))


def test_costs_that_are_not_known():
    comparison, measured = make()
    measured['abnn'].training[1]['abnn/1'] = TrainingCost(None, 30, ('no log',))
    values = summarize(comparison, measured)[1].values
    assert values['training_time'] is values['added_training_time'] is None
    assert values['trained_parameters'].mean == 1030
    # without the reference's time nothing is relative to it
    measured['det'].training[0]['base/0'] = TrainingCost(None, None, ('no log',))
    values = summarize(comparison, measured)[0].values
    assert values['training_time'] is values['trained_parameters'] is None


def test_text_tables():
    means, pooled = text_tables(summarize(*make())).split('\n\n')
    assert means.startswith('mean over images')
    assert pooled.startswith('pooled over pixels')
    head, det, msp, entropy = cells(means)
    assert head == [
        *('method', 'score', 'mIoU ↑', 'ECE ↓', 'AUPR ↑', 'AUROC ↑', 'FPR95 ↓'),
        *('training time ↓', 'trained parameters ↓', 'prediction time ↓', 'storage ↓'),
    ]
    quality = ['10.50 ± 0.50', '11.50 ± 0.50', '13.50 ± 0.50', '14.50 ± 0.50', '15.50 ± 0.50']
    assert det == ['det', 'msp', *quality, '1.00', '1,000', '1.00', '0.00 MB']
    costs = ['1.15 ± 0.05 (+0.15)', '1,030 (+30)', '9.00', '0.12 MB (+3.00 %)']
    assert msp[:3] + msp[7:] == ['abnn', 'msp', '21.50 ± 1.50', *costs]
    assert entropy[:5] + entropy[7:] == [
        *('abnn', 'entropy', '21.50 ± 1.50', '22.50 ± 1.50', '30.50 ± 1.50'),
        *('', '', '', ''),
    ]
    assert cells(pooled)[3][3:5] == ['23.50 ± 1.50', '33.50 ± 1.50']


def test_markdown_marks_the_best():
    comparison, measured = make()
    # what looks the same is equally good
    measured['det'].metrics[0]['mIoU'] = measured['det'].metrics[1]['mIoU'] = 21.504
    head, line, det, msp, entropy = cells(markdown_tables(summarize(comparison, measured)))[:5]
    assert (len(head), line[:3]) == (11, ['---', '---', '---:'])
    assert det[2:4] == ['**21.50 ± 0.00**', '**11.50 ± 0.50**']
    assert msp[2:5] == ['**21.50 ± 1.50**', '22.50 ± 1.50', '24.50 ± 1.50']
    assert entropy[4:7] == ['**30.50 ± 1.50**', '**31.50 ± 1.50**', '32.50 ± 1.50']
    assert det[6:] == ['**15.50 ± 0.50**', '**1.00**', '**1,000**', '**1.00**', '**0.00 MB**']
    assert msp[7:] == ['1.15 ± 0.05 (+0.15)', '1,030 (+30)', '9.00', '0.12 MB (+3.00 %)']
    assert entropy[7:] == [''] * 4


def test_one_seed_and_undefined_numbers():
    comparison, measured = make(seeds=(0,))
    del measured['det'].metrics[0]['AUPR']
    measured['abnn'].metrics[0]['ECE'] = math.nan
    rows = summarize(comparison, measured)
    _, det, msp, _ = cells(text_tables(rows))[:4]
    assert det[2:5] == ['10.00', '11.00', '-']
    assert msp[2:5] == ['20.00', '-', '23.00']
    assert 'Seed 0.' in explain(comparison, TIMES)
    assert '**-**' not in markdown_tables(rows)


def test_csv():
    rows = list(csv.DictReader(io.StringIO(csv_table(summarize(*make())))))
    assert [(row['method'], row['score']) for row in rows][2] == ('abnn', 'entropy')
    assert float(rows[0]['mIoU']) == 10.5
    assert float(rows[1]['mIoU standard error']) == 1.5
    assert float(rows[2]['training_time']) == pytest.approx(1.15)
    assert rows[0]['prediction_time standard error'] == ''


def test_files(tmp_path):
    comparison, measured = make()
    rows = summarize(comparison, measured)
    measured['det'].metrics[1]['NLL'] = math.nan
    assert write_comparison(tmp_path, comparison, measured, rows, TIMES) == []
    content = json.loads((tmp_path / 'compare.json').read_text())
    assert content['seeds'] == [0, 1]
    found = content['measured']['det']['metrics']['1']
    assert found.pop('NLL') is None
    assert found == metrics(11)
    assert content['measured']['abnn']['training']['1']['abnn/1']['seconds'] == 40.0
    assert content['prediction_times']['seconds'] == {'det': 0.2, 'abnn': 1.8}
    assert content['rows'][2]['values']['AUPR'] == {'mean': 30.5, 'standard_error': 1.5}
    assert (tmp_path / 'compare.csv').read_text() == csv_table(rows)
    text = (tmp_path / 'compare.md').read_text()
    assert text.startswith('# Title\n\nMean over images')
    assert 'Mean ± standard error of 2 seeds (0, 1). Training and prediction time' in text
    picture = Image.open(tmp_path / 'cost_vs_aupr.png').convert('RGB')
    assert picture.size == (1050, 708)  # 4.5 inches, and a row of the legend
    colors = {color: count for count, color in picture.getcolors(1 << 20)}
    for method in ('#1f77b4', '#ff7f0e'):  # a marker each, there and in the legend
        assert colors[ImageColor.getrgb(method)] > 100
    assert ImageColor.getrgb('#2ca02c') not in colors


def test_notes(tmp_path):
    comparison, measured = make()
    problem = TrainingCost(None, None, ('base: no log',))
    for seed in (0, 1):
        for found in measured.values():
            found.training[seed][f'base/{seed}'] = problem
    other = Method('other', 'c', 'p', ('msp',))
    comparison = Comparison('Title', (0, 1), 'det', (*comparison.methods, other))
    measured['other'] = Measured(measured['det'].metrics, {0: {}, 1: {}}, Storage(1, 0, 1), 1.0)
    (tmp_path / 'cost_vs_aupr.png').touch()
    rows = summarize(comparison, measured)
    notes = write_comparison(tmp_path, comparison, measured, rows, TIMES)
    assert notes == [
        'other: no training cost, as the list names no `trained_in`',
        'base: no log',
        'cost_vs_aupr.png: no method has both a training time and an AUPR',
    ]
    assert not (tmp_path / 'cost_vs_aupr.png').exists()
    assert '- base: no log' in (tmp_path / 'compare.md').read_text()
    assert json.loads((tmp_path / 'compare.json').read_text())['notes'] == notes
    row = next(row for row in cells(text_tables(rows)) if row[0] == 'other')
    assert row[7:9] == ['-', '-']
