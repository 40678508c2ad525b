"""One test set of an in-distribution set and several OOD sets."""

import copy
import pickle

import numpy as np
import pytest
import torch

pytest.importorskip('mmpretrain', reason='classification needs MMPretrain')
from mmpretrain.registry import DATASETS
from mmpretrain.structures import DataSample

from mmseg_abnn.datasets.classification import (
    DigitsDataset,
    OODTestSet,
    UnlabeledSample,
)

pytestmark = pytest.mark.mmpretrain

PACK = [dict(type='PackInputs')]


def digits(split='test', **changes):
    settings = dict(split=split, size=32, pipeline=PACK, indices=3)
    return dict(type='DigitsDataset', **{**settings, **changes})


def test_items_are_those_of_the_sets(parts):
    whole = DATASETS.build(dict(type='OODTestSet', **copy.deepcopy(parts)))
    single = [('', DATASETS.build(parts['dataset']))]
    single += [(name, DATASETS.build(part)) for name, part in parts['ood'].items()]
    expected = [(name, part, i) for name, part in single for i in range(len(part))]
    assert len(whole) == len(expected) == 7 + 4 + 6
    for index, (name, part, i) in enumerate(expected):
        item, alone = whole[index], part[i]
        assert item.keys() == alone.keys() == {'inputs', 'data_samples'}
        assert torch.equal(item['inputs'], alone['inputs'])
        found = item['data_samples'].to_dict()
        wanted = {**alone['data_samples'].to_dict(), 'ood_set': name}
        assert wanted['gt_label'].shape == (1,)
        if name:
            del wanted['gt_label']
        else:
            assert torch.equal(found['gt_label'], alone['data_samples'].gt_label)
        assert found == wanted
        assert item['data_samples'].metainfo['ood_set'] == name
        assert isinstance(item['data_samples'], DataSample)
        info, alone = whole.get_data_info(index), part.get_data_info(i)
        assert info.pop('ood_set') == name
        if name:
            del alone['gt_label']
        np.testing.assert_equal(info, alone)


def test_metainfo(parts):
    whole = OODTestSet(**parts)
    cifar = DATASETS.build(parts['dataset']).metainfo
    assert whole.metainfo == {**cifar, 'ood_sets': ('SVHN', 'DTD')}
    whole.metainfo['ood_sets'] = ()
    whole.metainfo['classes'] = ()
    assert whole.metainfo == {**cifar, 'ood_sets': ('SVHN', 'DTD')}


def test_indices():
    whole = OODTestSet(digits(), dict(a=digits('unseen', indices=1), b=digits('textures')))
    names = [whole[i]['data_samples'].ood_set for i in range(-7, 7)]
    assert names == ['', '', '', 'a', 'b', 'b', 'b'] * 2
    assert torch.equal(whole[-1]['inputs'], whole[6]['inputs'])
    for index in (-8, 7):
        with pytest.raises(IndexError, match=r'must be in \[-7, 7\)'):
            whole[index]
    assert len(list(whole)) == 7


def test_built_sets_and_wrappers_are_taken():
    pair = DATASETS.build(dict(type='ConcatDataset', datasets=[digits(), digits('val', indices=2)]))
    unseen = DigitsDataset('unseen', indices=2, pipeline=PACK)
    whole = OODTestSet(pair, {'of the same kind': unseen})
    assert [whole[i]['data_samples'].ood_set for i in range(7)] == [''] * 5 + [
        'of the same kind'
    ] * 2
    assert whole.metainfo['classes'] == tuple('01234567')


def test_scores_of_ood_images_are_removed():
    def score(results):
        return {**results, 'gt_score': [1.0, 0.0]}

    whole = OODTestSet(digits(), dict(a=digits('unseen', pipeline=[score, *PACK])))
    sample = whole[3]['data_samples']
    assert 'gt_score' not in sample
    assert 'gt_label' not in sample


def test_lazy(parts, tmp_path):
    for part in (parts['dataset'], *parts['ood'].values()):
        part['lazy_init'] = True
    whole = OODTestSet(**parts, lazy_init=True)
    assert not any(part._fully_initialized for part in whole.datasets)
    assert whole.metainfo['ood_sets'] == ('SVHN', 'DTD')
    whole.full_init()
    assert all(part._fully_initialized for part in whole.datasets)
    (tmp_path / 'test_32x32.mat').unlink()  # nothing is read again
    whole.full_init()
    assert len(whole) == 17
    assert OODTestSet(digits(), dict(a=digits('unseen')), lazy_init=True)[4] is not None
    assert len(OODTestSet(digits(), dict(a=digits('unseen')), lazy_init=True)) == 6


@pytest.mark.parametrize(
    ('ood', 'message'),
    [
        ({}, '`ood` must name at least one OOD set'),
        ({'': digits('unseen')}, "names in `ood` must be non-empty, .*, got ''"),
        ({' ': digits('unseen')}, "names in `ood` must be non-empty, .*, got ' '"),
        ({'a': digits('unseen'), 'a/b': digits('unseen')}, 'without "/", got \'a/b\''),
        ({1: digits('unseen')}, 'names in `ood` must be non-empty, .*, got 1'),
        ({'a': digits('unseen', indices=0, serialize_data=False)}, "the OOD set 'a' is empty"),
        (
            {'a': digits('unseen', pipeline=[])},
            r"the pipeline of the OOD set 'a' must end in PackInputs.* dict of \['gt_label', 'img'",
        ),
        ({'a': digits('unseen', pipeline=[lambda x: x['img']])}, 'but an item is ndarray'),
    ],
)
def test_wrong_ood_sets(ood, message):
    with pytest.raises(ValueError, match=message):
        OODTestSet(digits(), ood)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(indices=0, serialize_data=False), 'the in-distribution set is empty'),
        (dict(pipeline=[]), 'the pipeline of the in-distribution set must end in PackInputs'),
    ],
)
def test_wrong_in_distribution_sets(changes, message):
    with pytest.raises(ValueError, match=message):
        OODTestSet(digits(**changes), dict(a=digits('unseen')))


@pytest.mark.parametrize(
    ('dataset', 'ood', 'message'),
    [
        (digits(), digits('unseen'), r"`ood\['type'\]` must be a data set .* got 'DigitsDataset'"),
        (digits(), [digits('unseen')], '`ood` must map names to data sets, got list'),
        ([digits()], dict(a=digits('unseen')), '`dataset` must be a data set or its config'),
    ],
)
def test_wrong_types(dataset, ood, message):
    with pytest.raises(TypeError, match=message):
        OODTestSet(dataset, ood)


def test_samples_are_copied_and_stored():
    whole = OODTestSet(digits(), dict(a=digits('unseen')))
    sample = whole[3]['data_samples']
    copies = [copy.deepcopy(sample), sample.clone(), sample.cpu(), sample.new()]
    for other in (*copies, pickle.loads(pickle.dumps(sample))):
        assert type(other) is UnlabeledSample
        assert other.to_dict() == sample.to_dict()
        assert 'gt_label' not in other
    assert type(whole[0]['data_samples']) is DataSample
