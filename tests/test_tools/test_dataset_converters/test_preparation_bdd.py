"""BDD-Anomaly: three layouts of labels, images without a label, splits by content."""

import json

import pytest

from helpers.preparation_samples import (
    bdd,
    image,
    label,
    published,
    read_tree,
    write_archive,
    write_tree,
)
from mmseg_abnn.datasets import BDDAnomalyDataset
from mmseg_abnn.datasets.file_checks import decode_label
from preparation import BDD_ANOMALY, prepare

LISTS = {
    'lpbnn': {'train': 2, 'val': 2, 'test': 2},
    'hendrycks': {'train': 1, 'val': 1, 'test': 4},
}
SMALL = published(BDD_ANOMALY, LISTS, train=3, val=3)
LAYOUTS = {
    'anomaly-seg': {},
    'bdd100k': dict(labels='seg/labels', shift=0),
    'bdd100k, newer': dict(
        images='images/10k', labels='labels/sem_seg/masks', suffix='.png', shift=0
    ),
    'mixed': dict(images='images/10k', labels='seg/labels', shift=0),
}


def listed(out, name):
    """Return the images of a list, without folders."""
    lines = (out / f'{name}.odgt').read_text().splitlines()
    return [json.loads(line)['fpath_img'].rsplit('/')[-1] for line in lines]


@pytest.mark.parametrize('layout', LAYOUTS)
@pytest.mark.parametrize('packed', [True, False])
def test_layouts_give_the_same_files(tmp_path, layout, packed):
    files = bdd(**LAYOUTS[layout])
    source = (
        write_archive(tmp_path / 'bdd100k.zip', files, 'bdd100k/')
        if packed
        else write_tree(tmp_path / 'in', files)
    )
    prepare(SMALL, [source], tmp_path / 'out')
    found = read_tree(tmp_path / 'out')
    assert {path: content for path, content in found.items() if path.startswith('seg')} == bdd()


def test_conversion_of_every_id(tmp_path):
    stored = (*range(19), 255)
    files = {
        'images/10k/train/a.jpg': image(kind='JPEG'),
        'labels/sem_seg/masks/train/a.png': label(*stored),
    }
    source = write_tree(tmp_path / 'in', files)
    prepare(BDD_ANOMALY, [source], tmp_path / 'out', partial=True)
    prepared = decode_label((tmp_path / 'out/seg/train_labels/train/a_train_id.png').read_bytes())
    assert prepared.ravel()[:20].tolist() == [*range(2, 21), 1]


def test_splits_by_content(tmp_path):
    prepare(SMALL, [write_tree(tmp_path / 'in', bdd())], tmp_path / 'out')
    out = tmp_path / 'out'
    assert listed(out, 'lpbnn_train') == ['a.jpg', 'b.jpg']
    assert listed(out, 'lpbnn_val') == ['d.jpg', 'f.jpg']
    assert listed(out, 'lpbnn_test') == ['c.jpg', 'e.jpg']
    assert listed(out, 'hendrycks_train') == ['a.jpg']
    assert listed(out, 'hendrycks_val') == ['d.jpg']
    assert listed(out, 'hendrycks_test') == ['b.jpg', 'c.jpg', 'e.jpg', 'f.jpg']
    first = (out / 'hendrycks_train.odgt').read_text().splitlines()[0]
    assert json.loads(first) == {
        'fpath_img': 'seg/images/train/a.jpg',
        'fpath_segm': 'seg/train_labels/train/a_train_id.png',
    }
    for protocol, counts in LISTS.items():
        for split, number in counts.items():
            data = BDDAnomalyDataset(data_root=str(out), split=split, protocol=protocol)
            assert len(data) == number
    manifest = json.loads((out / 'manifest.json').read_text())
    assert manifest['lists'] == {
        'lpbnn_train.odgt': 2,
        'lpbnn_val.odgt': 2,
        'lpbnn_test.odgt': 2,
        'hendrycks_train.odgt': 1,
        'hendrycks_val.odgt': 1,
        'hendrycks_test.odgt': 4,
    }
    assert {split: facts['pairs'] for split, facts in manifest['splits'].items()} == {
        'train': 3,
        'val': 3,
    }


def test_lists_of_another_length(tmp_path):
    source = write_tree(tmp_path / 'in', bdd())
    other = published(
        BDD_ANOMALY, {**LISTS, 'lpbnn': {'train': 2, 'val': 1, 'test': 3}}, train=3, val=3
    )
    message = 'lpbnn_val: 2 images, but 1 were published.*lpbnn_test: 2 images, but 3 were'
    with pytest.raises(ValueError, match=message):
        prepare(other, [source], tmp_path / 'out')
    assert not list((tmp_path / 'out').glob('*.odgt'))
    assert not (tmp_path / 'out' / 'manifest.json').exists()
    prepare(other, [source], tmp_path / 'out', partial=True)
    assert listed(tmp_path / 'out', 'lpbnn_val') == ['d.jpg', 'f.jpg']


def test_no_list_is_empty(tmp_path, capsys):
    out = tmp_path / 'out'
    prepare(SMALL, [write_tree(tmp_path / 'in', bdd())], out)
    capsys.readouterr()
    for path in [*(out / 'seg').rglob('c*'), *(out / 'seg').rglob('[d-f]*.*')]:
        path.unlink()
    prepare(published(BDD_ANOMALY, train=2), [out], out)
    output = capsys.readouterr().out
    assert 'missing: val' in output
    assert f'{out / "lpbnn_test.odgt"} is not written: there is no such image' in output
    assert {path.name for path in out.glob('*.odgt')} == {
        'lpbnn_train.odgt',
        'hendrycks_train.odgt',
        'hendrycks_test.odgt',
    }
    assert listed(out, 'hendrycks_test') == ['b.jpg']


def test_images_without_a_label_are_not_taken(tmp_path, capsys):
    files = bdd()
    for name in ('train/x', 'val/y', 'test/z'):
        files[f'seg/images/{name}.jpg'] = image(kind='JPEG')
    archive = write_archive(tmp_path / 'a.zip', files)
    prepare(SMALL, [archive], tmp_path / 'out')
    assert '2 images without a label are not taken' in capsys.readouterr().out
    found = read_tree(tmp_path / 'out')
    assert {path: content for path, content in found.items() if path.startswith('seg')} == bdd()

    images = {path: content for path, content in files.items() if path.endswith('.jpg')}
    source = write_tree(tmp_path / 'images', images)
    with pytest.raises(ValueError, match=r'^only 8 images, no label of BDD-Anomaly in '):
        prepare(SMALL, [source], tmp_path / 'none')
    files['seg/train_labels/val/w_train_id.png'] = label(2)
    source = write_tree(tmp_path / 'more', files)
    with pytest.raises(ValueError, match=r'val: 1 label\(s\) without an image: .*w_train_id.png'):
        prepare(SMALL, [source], tmp_path / 'none', partial=True)


def test_two_layouts_of_the_same_labels(tmp_path):
    files = {**bdd(), **bdd(labels='seg/labels', shift=0)}
    source = write_tree(tmp_path / 'in', files)
    message = (
        r'duplicate: .*; seg/(train_labels|labels)/train and seg/(train_labels|labels)/train are '
        'two layouts of the same files'
    )
    with pytest.raises(ValueError, match=message):
        prepare(SMALL, [source], tmp_path / 'out')
    assert not (tmp_path / 'out').exists()
    # each may hold some of them
    for path in bdd():
        if 'labels' in path:
            other = path.replace('train_labels', 'labels')
            (source / (path if 'train/' in path else other)).unlink()
    prepare(SMALL, [source], tmp_path / 'out')
    found = read_tree(tmp_path / 'out')
    assert {path: content for path, content in found.items() if path.startswith('seg')} == bdd()


def test_conversion_in_place_is_done_once(tmp_path):
    root = write_tree(tmp_path / 'data', bdd(labels='seg/labels', shift=0))
    prepare(SMALL, [root], root)
    first = read_tree(root)
    times = {path: (root / path).stat().st_mtime_ns for path in bdd()}
    assert bdd().items() <= first.items()
    prepare(SMALL, [root], root)
    assert read_tree(root) == first
    assert {path: (root / path).stat().st_mtime_ns for path in bdd()} == times


@pytest.mark.parametrize(
    ('broken', 'reason'),
    [
        (label(0, 18)[:-30], 'cannot be read'),
        (image(), 'got mode RGB'),
        (label(0, 19), r'unknown stored id\(s\) \[21\]'),
    ],
    ids=['truncated', 'RGB', 'unknown id'],
)
def test_a_label_that_cannot_be_converted(tmp_path, broken, reason):
    files = bdd(labels='seg/labels', shift=0)
    good = files['seg/labels/val/f_train_id.png']
    source = write_tree(tmp_path / 'in', files)
    (source / 'seg/labels/val/f_train_id.png').write_bytes(broken)
    message = f'1 pair.*seg/train_labels/val/f_train_id.png: .*{reason}'
    with pytest.raises(ValueError, match=message):
        prepare(SMALL, [source], tmp_path / 'out')
    # once it is mended, it is taken
    (source / 'seg/labels/val/f_train_id.png').write_bytes(good)
    prepare(SMALL, [source], tmp_path / 'out')
    found = read_tree(tmp_path / 'out')
    assert {path: content for path, content in found.items() if path.startswith('seg')} == bdd()
