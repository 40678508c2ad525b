"""Stored numbers: what is kept, and what tables and page make of it."""

import json
import re

import numpy as np
import pytest

from ablation import (
    Results,
    Variant,
    load_results,
    save_results,
    summarize_group,
    text_tables,
    write_page,
)
from ablation.page import group_panels
from ablation.summary import extreme_rows
from ablation.variants import DETERMINISTIC_VARIANT, REFERENCE_VARIANT
from comparison import Estimate
from helpers.ablation_lists import make_ablation, make_group
from helpers.pictures import count_panels, places_of, read_picture

LOW = Variant('g/low', 'low', train={'abnn.alpha': '0.1'}, value=0.1, series='tuned')
HIGH = Variant('g/high', 'high', train={'abnn.alpha': '1'}, value=1.0, series='tuned')
NOISY = Variant('g/noisy', 'noisy', 'noisy', value=0.1, series='not tuned')
GROUP = make_group(
    LOW, HIGH, NOISY, scores=('msp', 'entropy'), axis='alpha', answer='So.', remark='All.'
)
NAMES = ('mIoU', 'ECE', 'AUPR', 'AUROC', 'FPR95')
FACTS = dict(
    split='some images',
    data_root='images',
    config='c.py',
    base='b.py',
    reference={'alpha': 0.1},
    train={},
    test={'a.b': '1', 'c': 'True'},
)


def numbers(first, **scores):
    """Numbers that begin with ``first``, of the score msp; ``None`` for the pooled ones."""
    pooled = {f'pooled/{name}': None for name in NAMES[1:]}
    of_msp = {**{name: first + i for i, name in enumerate(NAMES)}, **pooled}
    return {'msp': of_msp, **scores}


def stored(variant, fingerprint='f'):
    return {**variant.settings(), 'fingerprint': fingerprint}


@pytest.fixture
def results():
    found = Results(FACTS)
    for seed, (base, low, high) in enumerate([(10, 13, 20), (11, 15, 20), (12, 14, 20)]):
        found.add('deterministic', stored(DETERMINISTIC_VARIANT), seed, numbers(base))
        found.add('g/low', stored(LOW), seed, numbers(low, entropy=numbers(low + 50)['msp']))
        if seed:
            found.add('g/high', stored(HIGH), seed, numbers(high))
    found.add('g/high', stored(HIGH), 7, numbers(26))  # of no seed of the deterministic network
    return found


def test_they_are_stored_as_they_are(results, tmp_path):
    path = tmp_path / 'docs/found.json'
    results.entries['g/low'].numbers[0]['msp']['mIoU'] = 1 / 3
    results.entries['g/low'].numbers[0]['msp']['AUPR'] = float('nan')
    save_results(path, results)
    again = load_results(path)
    assert again.facts == FACTS
    results.entries['g/low'].numbers[0]['msp']['AUPR'] = None
    assert again.entries == results.entries
    assert again.entries['g/low'].numbers[0]['msp']['mIoU'] == 1 / 3
    assert load_results(tmp_path / 'nothing.json').entries == {}
    path.write_text(json.dumps({'results': {'a': 1}}))
    with pytest.raises(ValueError, match='does not hold the results of an ablation'):
        load_results(path)


def test_new_ones_replace_their_seed_alone(results):
    results.add('g/low', stored(LOW), 1, numbers(40))
    found = results.entries['g/low'].numbers
    assert [found[seed]['msp']['mIoU'] for seed in (0, 1, 2)] == [13, 40, 14]


def test_only_what_was_made_with_the_same_settings_is_kept(results):
    wanted = {v.key: stored(v) for v in (DETERMINISTIC_VARIANT, LOW, HIGH)}
    assert results.drop_outdated(wanted) == []
    wanted['g/low'] = stored(LOW, fingerprint='other')  # a default has changed
    del wanted['g/high']  # the variant is gone
    assert results.drop_outdated(wanted) == ['g/low', 'g/high']
    assert list(results.entries) == ['deterministic']


def test_means_and_paired_differences(results):
    rows, missing = summarize_group(GROUP, results)
    assert missing == ['reference', 'noisy']
    found = {(row.variant.name, row.score): row for row in rows}
    assert list(found) == [
        ('deterministic', 'msp'),
        ('low', 'msp'),
        ('low', 'entropy'),
        ('high', 'msp'),
    ]
    base = found['deterministic', 'msp']
    assert base.values['mIoU'] == Estimate(11, pytest.approx(1 / 3**0.5))
    assert base.differences == {}
    low = found['low', 'msp']
    assert low.seeds == (0, 1, 2)
    assert low.values['ECE'] == Estimate(15, pytest.approx(1 / 3**0.5))
    # 3, 4 and 2, which is not what the two standard errors alone would say
    assert low.differences['ECE'] == Estimate(3, pytest.approx(1 / 3**0.5))
    assert low.values['pooled/ECE'] is None
    assert low.differences['pooled/ECE'] is None
    # with a score that the deterministic network was not measured with
    assert found['low', 'entropy'].values['mIoU'].mean == 64
    assert found['low', 'entropy'].differences == {}
    high = found['high', 'msp']
    assert high.seeds == (1, 2, 7)
    assert high.values['FPR95'] == Estimate(26, pytest.approx(2))
    # of the seeds 1 and 2: 9 and 8
    assert high.differences['FPR95'] == Estimate(8.5, pytest.approx(0.5))


def test_what_stands_in_every_table_is_of_the_seeds_of_the_group(results):
    del results.entries['g/low'].numbers[0]
    rows, _ = summarize_group(make_group(LOW), results)
    assert [(row.variant.name, row.seeds) for row in rows] == [
        ('deterministic', (1, 2)),
        ('low', (1, 2)),
    ]
    assert rows[0].values['mIoU'].mean == 11.5


def test_what_the_list_says_otherwise_now_is_not_shown(results):
    changed = Variant('g/low', 'low', train={'abnn.alpha': '0.2'})
    rows, missing = summarize_group(make_group(changed), results)
    assert [row.variant.name for row in rows] == ['deterministic']
    assert missing == ['reference', 'low']


def test_tables(results):
    lines = text_tables(summarize_group(GROUP, results)[0]).splitlines()
    assert lines[0] == 'mean over images, in percent'
    cells = [[cell.strip() for cell in line.split('|')[1:-1]] for line in lines if '|' in line]
    assert cells[0] == [
        'variant',
        'score',
        'seeds',
        'mIoU ↑',
        'ECE ↓',
        'AUPR ↑',
        'AUROC ↑',
        'FPR95 ↓',
    ]
    assert cells[1][:4] == ['deterministic', 'msp', '3', '11.00 ± 0.58']
    assert cells[2][:4] == ['low', 'msp', '3', '14.00 ± 0.58']
    assert cells[3][:4] == ['', '', '', '(+3.00 ± 0.58)']
    assert cells[-1] == ['', '', '', '(+8.50 ± 0.50)', '(-)', '(-)', '(-)', '(-)']


def test_the_page(results, tmp_path):
    empty = make_group(NOISY, name='empty')
    page, pictures = tmp_path / 'docs/ablation.md', tmp_path / 'docs/ablation/found'
    stale = tmp_path / 'docs/ablation/found_empty.png'
    stale.parent.mkdir(parents=True)
    stale.touch()
    written = write_page(page, pictures, make_ablation(GROUP, empty), results)
    picture = tmp_path / 'docs/ablation/found_g.png'
    assert written == [page, picture]
    shown = read_picture(picture)
    assert count_panels(shown) == 5
    # a curve in each
    for part in np.array_split(shown, 5, axis=1):
        assert len(places_of(part, 'C0')) > 20
    assert picture.stat().st_size < 60_000
    assert not stale.exists()
    text = page.read_text()
    assert text.startswith('# Ablation: T\n\nMeasured on some images (`images`), with `c.py` and')
    assert 'The reference is the ABNN with `alpha=0.1`.' in text
    assert 'Options of each test: `a.b=1`, `c=True`.' in text
    assert 'Options of each training' not in text
    top, details = text.split('\n## Details\n')
    high, low = (
        f'*{name}* (3 seeds): '
        + ', '.join(f'{key} {value}' for key in ('AUPR', 'FPR95', 'mIoU', 'ECE'))
        for name, value in (('high', '+8.50 ± 0.50'), ('low', '+3.00 ± 0.58'))
    )
    assert [line for line in top.splitlines() if line.startswith('|')] == [
        '| question | answer | figures |',
        '| --- | --- | --- |',
        f'| **Title.** Why? | So. | {high}<br>{low} |',
        '| **Title.** Why? |  | not measured |',
    ]
    assert 'are in [found.json](ablation/found.json).' in details
    parts = re.split('^<details>\n', details, flags=re.MULTILINE)[1:]
    assert all(part.rstrip().endswith('\n\n</details>') for part in parts)
    settings, first, second = (part.rstrip().removesuffix('\n\n</details>') for part in parts)
    assert settings.startswith(
        '<summary>How it was measured</summary>\n\nThe reference is the ABNN'
    )
    head = '<summary><b>Title.</b> Why?</summary>\n\n'
    assert first.startswith(f'{head}All.\n\nMean over images, in percent:\n\n| variant | score |')
    assert '| low | msp | 3 | 14.00 ± 0.58<br>(+3.00 ± 0.58) | 15.00 ± 0.58<br>(+3.00 ±' in first
    assert '![Title](ablation/found_g.png)\n\n*Means over images, in percent; score: msp.*' in first
    assert '4 seeds (0, 1, 2, 7); measured on some images.' in first
    assert first.endswith('Not measured: reference, noisy.')
    assert second == f'{head}Not measured: reference, noisy.'


def test_the_rows_behind_an_answer(results):
    def names(*variants, scores=('msp',)):
        group = make_group(*variants, scores=scores)
        rows = extreme_rows(group, summarize_group(group, results)[0])
        assert all(row.score == scores[0] for row in rows)
        return [row.variant.name for row in rows]

    assert names(LOW) == ['low']
    assert names(LOW, HIGH, scores=('msp', 'entropy')) == ['high', 'low']
    # the deterministic network was not measured with the entropy: there is no difference
    assert names(LOW, HIGH, scores=('entropy', 'msp')) == []
    for seed, value in enumerate([12, 12, 13]):
        results.add('reference', stored(REFERENCE_VARIANT), seed, numbers(value))
    assert names(LOW, HIGH) == ['high', 'reference']
    assert names(NOISY) == []  # the reference alone answers nothing
    for seed, value in enumerate([12, 12, 13]):
        results.add('g/noisy', stored(NOISY), seed, numbers(value))
    assert names(NOISY) == ['noisy', 'reference']  # they are the same
    assert names(LOW, NOISY, HIGH) == ['high', 'reference']
    assert names(LOW, NOISY) == ['low', 'reference']


def test_what_is_drawn(results):
    results.add(NOISY.key, stored(NOISY), 0, numbers(5))
    rows, _ = summarize_group(GROUP, results)
    panels = group_panels(GROUP, rows)
    assert [panel.title for panel in panels] == ['mIoU ↑', 'ECE ↓', 'AUPR ↑', 'AUROC ↑', 'FPR95 ↓']
    tuned, not_tuned = panels[0].curves
    assert (tuned.label, not_tuned.label, panels[0].level) == ('tuned', 'not tuned', 11)
    assert [(point.value, point.mean) for point in tuned.points] == [(0.1, 14), (1.0, 22)]
    assert tuned.points[1].error == pytest.approx(2)
    assert [(point.mean, point.error) for point in not_tuned.points] == [(5, None)]
    plain = make_group(REFERENCE_VARIANT)
    assert group_panels(plain, summarize_group(plain, results)[0]) == []


def test_nothing_to_show(tmp_path):
    with pytest.raises(ValueError, match='no results are stored yet'):
        write_page(tmp_path / 'p.md', tmp_path / 'p', make_ablation(GROUP), Results())
