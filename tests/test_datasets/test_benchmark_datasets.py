"""StreetHazards, BDD-Anomaly and MUAD: every stored id, under every protocol, in every layout."""

import json
import logging

import numpy as np
import pytest
from mmengine.logging import MMLogger
from mmseg.datasets import CityscapesDataset
from PIL import Image

from mmseg_abnn.datasets import (
    BDDAnomalyDataset,
    LoadOODAnnotations,
    MUADDataset,
    StreetHazardsDataset,
)
from mmseg_abnn.datasets.odgt import read_odgt, write_odgt

OOD, IGNORED = 254, 255
CITYSCAPES = tuple(name.replace(' ', '_') for name in CityscapesDataset.METAINFO['classes'])


def write_pair(image, label, ids):
    """Write an image and a label that holds each of the ids."""
    for path in (image, label):
        path.parent.mkdir(parents=True, exist_ok=True)
    ids = np.resize(np.array(ids, dtype=np.uint8), (4, 8))
    Image.fromarray(np.zeros((4, 8, 3), np.uint8)).save(image)
    Image.fromarray(ids).save(label)


def loaded(dataset, index=0):
    """Stored id to the id after loading, as a test sees it."""
    info = LoadOODAnnotations(keep_ood=True)(dataset.get_data_info(index))
    stored = np.asarray(Image.open(info['seg_map_path']))
    found = {
        (int(a), int(b)) for a, b in zip(stored.ravel(), info['gt_seg_map'].ravel(), strict=False)
    }
    assert len(found) == len(np.unique(stored))
    return dict(found)


@pytest.fixture
def street_hazards(tmp_path):
    for part, split in (('train', 'training'), ('train', 'validation'), ('test', 'test')):
        ids = range(1, 15) if part == 'test' else range(1, 14)
        for town in ('t1', 't2'):
            name = f'{split}/{town}/{town}_0.png'
            write_pair(
                tmp_path / part / 'images' / name, tmp_path / part / 'annotations' / name, ids
            )
    return tmp_path


@pytest.fixture
def bdd(tmp_path):
    pairs = []
    for folder, ids in (('train', [1, *range(2, 18), 20]), ('val', range(1, 21))):
        image = tmp_path / f'seg/images/{folder}/0a.jpg'
        label = tmp_path / f'seg/train_labels/{folder}/0a_train_id.png'
        write_pair(image, label, list(ids))
        pairs.append((image, label))
    for protocol in ('lpbnn', 'hendrycks'):
        for split, chosen in (('train', pairs[:1]), ('test', pairs[1:])):
            write_odgt(tmp_path / f'{protocol}_{split}.odgt', chosen, tmp_path)
    return tmp_path


@pytest.fixture
def muad(tmp_path):
    for split in ('train', 'test_id', 'test_ood'):
        folder = tmp_path / split
        write_pair(
            folder / 'leftImg8bit/000000_leftImg8bit.png',
            folder / 'leftLabel/000000_leftLabel.png',
            [*range(22), 255],
        )
    return tmp_path


def test_street_hazards_ids(street_hazards):
    dataset = StreetHazardsDataset(data_root=str(street_hazards), split='test')
    expected = {stored: stored - 1 for stored in range(1, 14)} | {14: OOD}
    assert loaded(dataset) == expected
    assert len(dataset) == 2
    assert dataset.metainfo['classes'][:3] == ('unlabeled', 'building', 'fence')
    assert len(dataset.metainfo['palette']) == 13
    assert dataset.metainfo['palette'][7] == [128, 64, 128]
    assert dataset.metainfo['ood_id'] == OOD
    for split in ('train', 'val'):
        dataset = StreetHazardsDataset(data_root=str(street_hazards), split=split)
        assert loaded(dataset) == {stored: stored - 1 for stored in range(1, 14)}


def test_street_hazards_in_training_ignores_anomalies(street_hazards):
    dataset = StreetHazardsDataset(data_root=str(street_hazards), split='test')
    labels = LoadOODAnnotations()(dataset.get_data_info(0))['gt_seg_map']
    assert OOD not in labels
    assert IGNORED in labels


@pytest.mark.parametrize(('number', 'left_out'), [(13, ()), (12, ('unlabeled',))])
def test_street_hazards_classes_of_the_mean(street_hazards, number, left_out):
    dataset = StreetHazardsDataset(data_root=str(street_hazards), split='test', miou_classes=number)
    assert dataset.metainfo['not_in_miou'] == left_out
    assert len(dataset.metainfo['classes']) == 13


BDD_LPBNN = {1: IGNORED} | {stored: stored - 2 for stored in range(2, 18)}
BDD_LPBNN |= {18: OOD, 19: OOD, 20: 16}
BDD_HENDRYCKS = {**BDD_LPBNN, 20: OOD}


@pytest.mark.parametrize(
    ('protocol', 'expected', 'left_out'),
    [
        ('lpbnn', BDD_LPBNN, {'train', 'motorcycle'}),
        ('hendrycks', BDD_HENDRYCKS, {'train', 'motorcycle', 'bicycle'}),
    ],
)
def test_bdd_anomaly_ids(bdd, protocol, expected, left_out):
    dataset = BDDAnomalyDataset(data_root=str(bdd), split='test', protocol=protocol)
    assert loaded(dataset) == expected
    classes = tuple(name for name in CITYSCAPES if name not in left_out)
    assert dataset.metainfo['classes'] == classes
    assert len(dataset.metainfo['palette']) == len(classes)
    assert dataset.get_data_info(0)['split'] == 'test'


MUAD_PAPER = {stored: stored for stored in range(19)} | {
    19: OOD,
    20: OOD,
    21: IGNORED,
    255: IGNORED,
}
MUAD_CHALLENGE = {stored: stored if stored < 16 else OOD for stored in (*range(22), 255)}
MUAD_TORCH = {stored: stored for stored in range(12)} | {13: 12, 14: 13, 15: 14}
MUAD_TORCH |= dict.fromkeys((12, 16, 17, 18, 19, 20), OOD) | {21: IGNORED, 255: IGNORED}


@pytest.mark.parametrize(
    ('protocol', 'expected', 'number'),
    [
        ('paper', MUAD_PAPER, 19),
        ('challenge', MUAD_CHALLENGE, 16),
        ('torch_uncertainty', MUAD_TORCH, 15),
    ],
)
def test_muad_ids(muad, protocol, expected, number):
    dataset = MUADDataset(data_root=str(muad), split='test_ood', protocol=protocol)
    assert loaded(dataset) == expected
    assert len(dataset.metainfo['classes']) == len(dataset.metainfo['palette']) == number
    names = {new: CITYSCAPES[stored] for stored, new in expected.items() if new < OOD}
    assert dataset.metainfo['classes'] == tuple(names[new] for new in range(number))


def test_muad_of_the_other_release(muad):
    (muad / 'test_id').rename(muad / 'test')
    (muad / 'test_ood').rename(muad / 'ood')
    for split, folder in (('test_id', 'test'), ('test_ood', 'ood')):
        info = MUADDataset(data_root=str(muad), split=split).get_data_info(0)
        assert info['img_path'] == str(muad / folder / 'leftImg8bit/000000_leftImg8bit.png')
        assert info['split'] == split


def test_a_part_of_the_classes_leaves_ood_pixels_as_they_are(muad):
    dataset = MUADDataset(
        data_root=str(muad), split='test_ood', metainfo=dict(classes=('car', 'road'))
    )
    expected = dict.fromkeys((*range(22), 255), IGNORED)
    assert loaded(dataset) == expected | {13: 0, 0: 1, 19: OOD, 20: OOD}


@pytest.mark.parametrize('spelling', ['lines', 'array'])
def test_odgt_in_both_spellings(street_hazards, spelling):
    name = 'test/t2/t2_0.png'
    entry = dict(
        fpath_img=f'test/images/{name}', fpath_segm=f'test/annotations/{name}', width=8, height=4
    )
    text = json.dumps(entry) + '\n\n' if spelling == 'lines' else json.dumps([entry], indent=1)
    (street_hazards / 'some.odgt').write_text(text)
    dataset = StreetHazardsDataset(
        data_root=str(street_hazards), split='test', ann_file='some.odgt'
    )
    assert len(dataset) == 1
    info = dataset.get_data_info(0)
    assert info['img_path'] == str(street_hazards / entry['fpath_img'])
    assert loaded(dataset)[14] == OOD


@pytest.mark.parametrize('list_path', ['train/train.odgt', 'train.odgt'])
def test_lists_as_the_authors_of_street_hazards_write_them(street_hazards, list_path):
    """Paths are relative to ``train``, the list lies in there or above."""
    names = [f'training/{town}/{town}_0.png' for town in ('t2', 't1')]
    entries = [dict(fpath_img=f'images/{name}', fpath_segm=f'annotations/{name}') for name in names]
    (street_hazards / list_path).write_text(json.dumps(entries))
    dataset = StreetHazardsDataset(data_root=str(street_hazards), split='train', ann_file=list_path)
    part = street_hazards / 'train'
    assert [dataset.get_data_info(i)['img_path'] for i in range(2)] == [
        str(part / f'images/{name}') for name in names
    ]
    assert dataset.get_data_info(0)['seg_map_path'] == str(part / f'annotations/{names[0]}')


def test_the_first_root_that_fits_holds_for_the_whole_list(tmp_path):
    a, b, c = (tmp_path / name for name in 'abc')
    for root in (b, c):
        write_pair(root / '0.png', root / 'l0.png', [0])
    write_pair(c / '1.png', c / 'l1.png', [0])
    entries = [dict(fpath_img=f'{i}.png', fpath_segm=f'l{i}.png') for i in range(2)]
    path = tmp_path / 'list.odgt'
    path.write_text(json.dumps(entries))
    assert read_odgt(path, a, c, b) == [(c / f'{i}.png', c / f'l{i}.png') for i in range(2)]
    with pytest.raises(FileNotFoundError, match='names 2 files that do not exist') as caught:
        read_odgt(path, a, b, c)
    assert f'below {b}, the first is {b / "1.png"}' in str(caught.value)
    with pytest.raises(FileNotFoundError, match='the image of entry 1 of') as caught:
        read_odgt(path, a, tmp_path)
    assert str(caught.value).endswith(f'list.odgt, 0.png, is not below any of {a}, {tmp_path}')


def test_roots_that_a_dataset_tries(street_hazards):
    entry = dict(fpath_img='elsewhere/x.png', fpath_segm='elsewhere/y.png')
    (street_hazards / 'lists').mkdir()
    (street_hazards / 'lists' / 'some.odgt').write_text(json.dumps(entry))
    with pytest.raises(FileNotFoundError, match=r'elsewhere/x.png, is not below any') as caught:
        StreetHazardsDataset(
            data_root=str(street_hazards), split='test', ann_file='lists/some.odgt'
        )
    roots = ', '.join(str(street_hazards / name) for name in ('', 'lists', 'test'))
    assert str(caught.value).endswith(f'is not below any of {roots}')


@pytest.mark.parametrize(
    ('text', 'error', 'message'),
    [
        ('', ValueError, 'is empty: it names no image'),
        ('[]', ValueError, 'is empty: it names no image'),
        ('{"fpath_img": "a.png"', ValueError, 'neither JSON lines nor a JSON array'),
        ('{"fpath_img": "a.png"}', ValueError, r"entry 1 must hold \('fpath_img', 'fpath_segm'\)"),
        ('[3]', ValueError, 'entry 1 must hold'),
        ('{"fpath_img": "a", "fpath_segm": "b"}\n' * 2, ValueError, 'entries 1 and 2 name the'),
        ('{"fpath_img": "a", "fpath_segm": "b"}', FileNotFoundError, 'a, is not below any of'),
    ],
)
def test_wrong_lists(tmp_path, text, error, message):
    path = tmp_path / 'list.odgt'
    path.write_text(text)
    with pytest.raises(error, match=message) as caught:
        read_odgt(path, tmp_path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (lambda r: MUADDataset(data_root=r, split='ood'), "`split` must be one of .*got 'ood'"),
        (lambda r: MUADDataset(data_root=r, split='val', protocol='x'), r'`protocol` must be one'),
        (lambda r: BDDAnomalyDataset(data_root=r, split='val', protocol='muad'), '`protocol` must'),
        (lambda r: StreetHazardsDataset(data_root=r, split='x'), '`split` must be one of'),
        (
            lambda r: StreetHazardsDataset(data_root=r, split='val', miou_classes=14),
            '`miou_classes` must be 12 or 13, got 14',
        ),
    ],
)
def test_wrong_arguments(tmp_path, make, message):
    with pytest.raises(ValueError, match=message):
        make(str(tmp_path))


def test_missing_data(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'the list of images .*lpbnn_val.odgt does not'):
        BDDAnomalyDataset(data_root=str(tmp_path), split='val')
    with pytest.raises(FileNotFoundError, match=r'the image folder .*leftImg8bit does not exist'):
        MUADDataset(data_root=str(tmp_path), split='val')


def test_broken_labels_are_named_or_left_out(muad):
    folder = muad / 'train'
    for name, ids in (('000001', [0, 30]), ('000002', [1])):
        image = folder / f'leftImg8bit/{name}_leftImg8bit.png'
        write_pair(image, folder / f'leftLabel/{name}_leftLabel.png', ids)
    cut = folder / 'leftLabel/000002_leftLabel.png'
    cut.write_bytes(cut.read_bytes()[:40])
    message = r'2 of 3 label\(s\) are wrong.*000001_leftLabel.png: unknown stored id\(s\) \[30\]'
    with pytest.raises(ValueError, match=message):
        MUADDataset(data_root=str(muad), split='train')
    records = []
    handler = logging.Handler()
    handler.emit = lambda record: records.append(record.getMessage())
    logger = MMLogger.get_current_instance()
    logger.addHandler(handler)
    dataset = MUADDataset(data_root=str(muad), split='train', skip_broken=True)
    logger.removeHandler(handler)
    assert len(dataset) == 1
    assert '000001_leftLabel.png' in records[0]
    assert '000002_leftLabel.png' in records[0]
    # nothing is left out silently if nothing would be left
    for path in (folder / 'leftLabel').glob('000000*'):
        Image.fromarray(np.full((4, 8), 77, np.uint8)).save(path)
    with pytest.raises(ValueError, match=r'3 of 3 label\(s\) are wrong'):
        MUADDataset(data_root=str(muad), split='train', skip_broken=True)
