"""Counts of labels, by hand."""

import json

import numpy as np
import pytest
from mmseg.datasets import BaseSegDataset
from PIL import Image

from mmseg_abnn.datasets import MiniStreetsDataset, statistics
from mmseg_abnn.datasets.statistics import count_labels

ROAD, CAR, ANIMAL, OBJECT, IGNORED = 0, 13, 19, 20, 255  # as MUAD stores them


def write(write_split, labels):
    """Write labels of 2x4 pixels; return the dataset and the folder of the labels."""
    arrays = {name: np.array(ids, np.uint8).reshape(2, 4) for name, ids in labels.items()}
    root = write_split(arrays)
    dataset = MiniStreetsDataset(data_root=str(root), split='train', check_labels=False)
    return dataset, root / 'train/leftLabel'


def label_path(folder, name):
    return str(folder / f'{name}_leftLabel.png')


LABELS = {
    '000000': [ROAD, ROAD, ROAD, CAR, CAR, 30, 30, 30],
    '000001': [ROAD, ROAD, ANIMAL, OBJECT, OBJECT, IGNORED, IGNORED, IGNORED],
    '000002': [ROAD, 30, 30, 31, ANIMAL, ANIMAL, ANIMAL, ANIMAL],
}


def test_counts_by_hand(write_split):
    dataset, folder = write(write_split, LABELS)
    found = count_labels(dataset)
    first, second, third = (label_path(folder, name) for name in LABELS)

    def row(pixels, images, path=first, **names):
        return dict(**names, pixels=pixels, images=images, first=path, share=pixels / 24)

    absent = dict(pixels=0, images=0, first=None, share=0.0)
    classes = [dict(absent, name=name) for name in MiniStreetsDataset.METAINFO['classes']]
    classes[0] = row(6, 3, name='road')
    classes[8] = row(2, 1, name='car')
    assert found.as_dict() == dict(
        images=3,
        pixels=24,
        classes=classes,
        ood=row(3 + 4, 2, second),  # animals and objects of one image are one occurrence
        ignored=row(3, 1, second),
        unknown=[row(3 + 2, 2, id=30), row(1, 1, third, id=31)],
        broken=[],
    )
    assert not found.is_clean
    assert json.loads(json.dumps(found.as_dict())) == found.as_dict()


def test_clean_labels(write_split):
    dataset, _ = write(write_split, {'000001': LABELS['000001']})
    assert count_labels(dataset).is_clean


def test_classes_that_were_left_out_are_ignored(write_split):
    dataset, _ = write(write_split, {'000000': [ROAD, ROAD, CAR, CAR, CAR, ANIMAL, IGNORED, 30]})
    subset = MiniStreetsDataset(
        data_root=dataset.data_root,
        split='train',
        check_labels=False,
        metainfo={'classes': ['car']},
    )
    found = count_labels(subset)
    assert [kind.pixels for kind in found.per_class] == [3]
    assert (found.ood.pixels, found.ignored.pixels) == (1, 3)
    assert {stored: kind.pixels for stored, kind in found.unknown.items()} == {30: 1}


def test_broken_labels_are_named_and_not_counted(write_split):
    dataset, folder = write(write_split, LABELS)
    first, second, third = (label_path(folder, name) for name in LABELS)
    Image.fromarray(np.zeros((2, 5), np.uint8)).save(first)
    with open(third, 'r+b') as file:
        file.truncate(40)
    found = count_labels(dataset)
    assert found.images == 1
    assert found.pixels == 8
    assert list(found.broken) == [first, third]
    assert found.broken[first] == 'is 5x2, but its image is 4x2'
    assert found.broken[third].startswith('cannot be read')
    assert [entry['file'] for entry in found.as_dict()['broken']] == [first, third]
    assert found.ood.first == second
    assert not found.unknown
    assert not found.is_clean


def test_nothing_readable(write_split):
    dataset, folder = write(write_split, {'000000': LABELS['000000']})
    (folder / '000000_leftLabel.png').unlink()
    found = count_labels(dataset).as_dict()
    assert found['pixels'] == found['ignored']['share'] == 0


@pytest.mark.parametrize('at_a_time', [1, 2, 3, 100])
def test_how_many_are_counted_at_a_time_does_not_matter(write_split, monkeypatch, at_a_time):
    rng = np.random.default_rng(0)
    ids = [ROAD, CAR, ANIMAL, OBJECT, IGNORED, 30]
    labels = {f'{k:06d}': rng.choice(ids, 8) for k in range(7)}
    dataset, _ = write(write_split, labels)
    monkeypatch.setattr(statistics, '_AT_A_TIME', at_a_time)
    calls = []
    found = count_labels(dataset, lambda: calls.append(1))
    everything = np.stack(list(labels.values()))
    assert len(calls) == found.images == 7
    assert found.per_class[0].pixels == (everything == ROAD).sum()
    assert found.ood.pixels == np.isin(everything, [ANIMAL, OBJECT]).sum()
    assert found.ood.images == np.isin(everything, [ANIMAL, OBJECT]).any(1).sum()
    assert found.unknown[30].images == (everything == 30).any(1).sum()


def plain_dataset(folder, label, **settings):
    Image.fromarray(np.zeros((*label.shape, 3), np.uint8)).save(folder / 'x.jpg')
    Image.fromarray(label).save(folder / 'x.png')
    settings.setdefault('metainfo', dict(classes=('a', 'b')))
    settings.setdefault('data_prefix', dict(img_path='', seg_map_path=''))
    return BaseSegDataset(data_root=str(folder), **settings)


@pytest.mark.parametrize(
    ('settings', 'classes', 'ood', 'ignored', 'unknown'),
    [
        ({}, [1, 2], 0, 6, {2: 3, 3: 4, 9: 5}),
        (dict(reduce_zero_label=True), [2, 3], 0, 1 + 6, {3: 4, 9: 5}),
        (dict(metainfo=dict(classes=('a', 'b'), ood_id=9)), [1, 2], 5, 6, {2: 3, 3: 4}),
    ],
)
def test_plain_datasets(tmp_path, settings, classes, ood, ignored, unknown):
    label = np.repeat([0, 1, 2, 3, 9, 255], [1, 2, 3, 4, 5, 6]).astype(np.uint8).reshape(3, 7)
    found = count_labels(plain_dataset(tmp_path, label, **settings))
    assert [kind.pixels for kind in found.per_class] == classes
    assert (found.ood.pixels, found.ignored.pixels) == (ood, ignored)
    assert {stored: kind.pixels for stored, kind in found.unknown.items()} == unknown


def test_plain_dataset_without_labels(tmp_path):
    label = np.zeros((2, 2), np.uint8)
    found = count_labels(plain_dataset(tmp_path, label, data_prefix=dict(img_path='')))
    assert list(found.broken) == [str(tmp_path / 'x.jpg')]
    assert found.broken[str(tmp_path / 'x.jpg')].startswith('has no label')


def test_no_classes(tmp_path):
    dataset = plain_dataset(tmp_path, np.zeros((2, 2), np.uint8), metainfo={})
    with pytest.raises(ValueError, match='`metainfo` names no `classes`'):
        count_labels(dataset)
