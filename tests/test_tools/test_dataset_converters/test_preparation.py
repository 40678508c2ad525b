"""A whole preparation: the report, what is written, what a rerun does, the manifest."""

import json
import shutil
from collections import namedtuple

import pytest

import mmseg_abnn
from helpers.preparation_samples import (
    image,
    label,
    muad,
    published,
    read_tree,
    street_hazards,
    write_archive,
    write_tree,
)
from mmseg_abnn.datasets import MUADDataset, StreetHazardsDataset
from preparation import BDD_ANOMALY, MUAD, STREET_HAZARDS, prepare
from preparation.sources import TarArchive

SMALL_STREET_HAZARDS = published(STREET_HAZARDS, train=2)
SMALL_MUAD = published(MUAD)


def rows(output):
    """Return the table that was printed: split to cells."""
    cells = [line.strip('| ').split('|') for line in output.splitlines() if line.startswith('|')]
    return {first.strip(): [cell.strip() for cell in rest] for first, *rest in cells}


def test_published_numbers():
    numbers = {
        benchmark.name: {split.name: split.published for split in benchmark.splits}
        for benchmark in (STREET_HAZARDS, BDD_ANOMALY, MUAD)
    }
    assert numbers == {
        'street_hazards': {'train': 5125, 'val': 1031, 'test': 1500},
        'bdd_anomaly': {'train': 7000, 'val': 1000},
        'muad': {
            'train': 3420,
            'val': 492,
            'test_id': 551,
            'test_ood': 1668,
            'test_id_low_adv': 605,
            'test_id_high_adv': 602,
            'test_ood_low_adv': 1552,
            'test_ood_high_adv': 1421,
        },
    }
    assert {content.name: content.published for content in BDD_ANOMALY.content_splits} == {
        'lpbnn': {'train': 6688, 'val': 951, 'test': 361},
        'hendrycks': {'train': 6280, 'val': 910, 'test': 810},
    }
    assert STREET_HAZARDS.stored_ids == tuple(range(1, 15))
    assert BDD_ANOMALY.stored_ids == tuple(range(1, 21))
    assert MUAD.stored_ids == (*range(22), 255)


def test_dataset_classes_read_what_is_prepared(tmp_path):
    archive = write_archive(tmp_path / 'a.tar', street_hazards(), 'top/')
    prepare(SMALL_STREET_HAZARDS, [archive], tmp_path / 'sh')
    for split, number in (('train', 2), ('val', 1), ('test', 1)):
        assert len(StreetHazardsDataset(data_root=str(tmp_path / 'sh'), split=split)) == number

    other_release = muad(['train', 'val', 'test', 'ood', 'test_id_low_adv'])
    prepare(SMALL_MUAD, [write_archive(tmp_path / 'm.zip', other_release)], tmp_path / 'muad')
    for split in ('train', 'val', 'test_id', 'test_ood', 'test_id_low_adv'):
        assert len(MUADDataset(data_root=str(tmp_path / 'muad'), split=split)) == 1


def test_report_of_a_dry_run_which_writes_nothing(tmp_path, capsys):
    files = muad(['train', 'test_id'])
    archive = write_archive(tmp_path / 'muad.zip', files)
    done = 'train/leftLabel/000000_leftLabel.png'
    write_tree(tmp_path / 'out', {done: files[done]})
    prepare(SMALL_MUAD, [archive], tmp_path / 'out', dry_run=True)
    output = capsys.readouterr().out
    assert rows(output) == {
        'split': ['images', 'labels', 'published', 'to write', 'already there'],
        'train': ['1', '1', '1', '1', '1'],
        'val': ['missing', 'missing', '1', '0', '0'],
        'test_id': ['1', '1', '1', '2', '0'],
        'test_ood': ['missing', 'missing', '1', '0', '0'],
        'test_id_low_adv': ['-', '-', '1', '0', '0'],
        'test_id_high_adv': ['-', '-', '1', '0', '0'],
        'test_ood_low_adv': ['-', '-', '1', '0', '0'],
        'test_ood_high_adv': ['-', '-', '1', '0', '0'],
    }
    assert 'missing: val, test_ood\n' in output
    size = sum(map(len, files.values())) - len(files[done])
    assert f'to write: 3 files, {size} bytes' in output
    assert read_tree(tmp_path / 'out') == {done: files[done]}


def test_images_and_labels_that_do_not_pair(tmp_path, capsys):
    files = muad(['train', 'val'])
    for number in range(5):
        files[f'val/leftImg8bit/00001{number}_leftImg8bit.png'] = image()
    files['train/leftLabel/000007_leftLabel.png'] = label(0)
    source = write_tree(tmp_path / 'in', files)
    for dry_run in (False, True):
        with pytest.raises(ValueError, match=r'train: 1 label\(s\) without an image') as caught:
            prepare(SMALL_MUAD, [source], tmp_path / 'out', dry_run=dry_run, partial=True)
        assert 'train/leftLabel/000007_leftLabel.png' in str(caught.value)
        assert (
            'val: 5 image(s) without a label: val/leftImg8bit/000010_leftImg8bit.png, '
            'val/leftImg8bit/000011_leftImg8bit.png, val/leftImg8bit/000012_leftImg8bit.png, ...'
        ) in str(caught.value)
        assert rows(capsys.readouterr().out)['val'] == ['6', '1', '1', '7', '0']
    assert not (tmp_path / 'out').exists()


def test_other_numbers_than_published(tmp_path):
    source = write_tree(tmp_path / 'in', muad())
    with pytest.raises(ValueError, match=r'train: 1 images with labels, but 3420 were published'):
        prepare(MUAD, [source], tmp_path / 'out')
    assert not (tmp_path / 'out').exists()
    prepare(MUAD, [source], tmp_path / 'out', partial=True)
    assert (tmp_path / 'out' / 'manifest.json').is_file()


def test_a_run_that_is_cut_off_is_taken_up(tmp_path, monkeypatch):
    archive = write_archive(tmp_path / 'a.tar.gz', street_hazards())
    out = tmp_path / 'out'
    contents = TarArchive.contents

    def cut_off(self, wanted):
        for number, (path, pieces) in enumerate(contents(self, wanted)):
            yield path, self.stop(pieces) if number == 5 else pieces

    def stop(self, pieces):
        yield next(pieces)[:10]
        raise KeyboardInterrupt

    monkeypatch.setattr(TarArchive, 'contents', cut_off)
    monkeypatch.setattr(TarArchive, 'stop', stop, raising=False)
    with pytest.raises(KeyboardInterrupt):
        prepare(SMALL_STREET_HAZARDS, [archive], out)
    whole = read_tree(out)
    assert len(whole) == 5
    assert whole.items() <= street_hazards().items()
    monkeypatch.undo()

    # a file of another size is no result of ours, and written again
    first = next(iter(whole))
    (out / first).write_bytes(b'x')
    times = {path: (out / path).stat().st_mtime_ns for path in whole if path != first}
    prepare(SMALL_STREET_HAZARDS, [archive], out)
    found = read_tree(out)
    manifest = found.pop('manifest.json')
    assert found == street_hazards()
    assert {path: (out / path).stat().st_mtime_ns for path in times} == times

    # and once more, with nothing left to do, or with the archive in the folder itself
    times = {path: (out / path).stat().st_mtime_ns for path in found}
    prepare(SMALL_STREET_HAZARDS, [archive], out)
    archive.rename(out / 'a.tar.gz')
    prepare(SMALL_STREET_HAZARDS, [out], out)
    assert {path: (out / path).stat().st_mtime_ns for path in found} == times
    assert (out / 'manifest.json').read_bytes() == manifest


def test_a_full_disk_is_noticed_before(tmp_path, monkeypatch):
    usage = namedtuple('usage', 'total used free')
    size = sum(map(len, street_hazards().values()))
    archive = write_archive(tmp_path / 'a.zip', street_hazards())
    monkeypatch.setattr(shutil, 'disk_usage', lambda _: usage(10**6, 10**6, size - 1))
    with pytest.raises(OSError, match=rf'out needs {size} bytes more, but only {size - 1} bytes'):
        prepare(SMALL_STREET_HAZARDS, [archive], tmp_path / 'out')
    assert not (tmp_path / 'out').exists()
    # links need no room
    prepare(SMALL_STREET_HAZARDS, [write_tree(tmp_path / 'in', street_hazards())], tmp_path / 'out')
    monkeypatch.setattr(shutil, 'disk_usage', lambda _: usage(10**6, 10**6, size))
    prepare(SMALL_STREET_HAZARDS, [archive], tmp_path / 'again')


def test_manifest(tmp_path):
    files = muad(['train', 'val'])
    files['train/leftLabel/000009_leftLabel.png'] = label(13, size=(4, 2))
    files['train/leftImg8bit/000009_leftImg8bit.png'] = image(size=(4, 2))
    archive = write_archive(tmp_path / 'muad.tar', files)
    prepare(published(MUAD, train=2), [archive], tmp_path / 'out', workers=2)
    # a label of 48 pixels that repeats five ids: 10 10 10 9 9
    five = {'0': 10, '13': 10, '19': 10, '21': 9, '255': 9}
    nothing = {'pairs': 0, 'image_sizes': [], 'pixels': {}, 'images': {}}
    assert json.loads((tmp_path / 'out' / 'manifest.json').read_text()) == {
        'dataset': 'muad',
        'mmseg_abnn': mmseg_abnn.__version__,
        'sources': [{'name': 'muad.tar', 'bytes': archive.stat().st_size}],
        'splits': {
            'train': {
                'pairs': 2,
                'image_sizes': [[4, 2], [8, 6]],
                'pixels': {**five, '13': 18},
                'images': {**dict.fromkeys(five, 1), '13': 2},
            },
            'val': {
                'pairs': 1,
                'image_sizes': [[8, 6]],
                'pixels': five,
                'images': dict.fromkeys(five, 1),
            },
            **{split.name: nothing for split in MUAD.splits[2:]},
        },
        'broken': [],
    }


def test_manifest_is_the_same_for_the_same_data(tmp_path):
    write_tree(tmp_path / 'in', street_hazards())
    prepare(SMALL_STREET_HAZARDS, [tmp_path / 'in'], tmp_path / 'a', workers=1)
    prepare(SMALL_STREET_HAZARDS, [tmp_path / 'in'], tmp_path / 'b', workers=3)
    prepare(SMALL_STREET_HAZARDS, [tmp_path / 'in'], tmp_path / 'b')
    a, b = ((tmp_path / name / 'manifest.json').read_bytes() for name in 'ab')
    assert a == b
    size = sum(map(len, street_hazards().values()))
    assert json.loads(a)['sources'] == [{'name': 'in', 'bytes': size}]


def test_no_manifest_says_that_broken_data_are_well(tmp_path):
    root = write_tree(tmp_path / 'data', street_hazards())
    prepare(SMALL_STREET_HAZARDS, [root], root)
    (root / 'test/annotations/test/t6/3.png').write_bytes(label(15))
    with pytest.raises(ValueError, match='1 pair'):
        prepare(SMALL_STREET_HAZARDS, [root], root)
    assert not (root / 'manifest.json').exists()


def test_archives_one_after_the_other(tmp_path, capsys):
    """What an earlier run prepared counts, in the table and in the manifest."""
    files = muad()
    for split in ('train', 'val', 'test_id', 'test_ood'):
        part = {path: content for path, content in files.items() if path.startswith(f'{split}/')}
        write_archive(tmp_path / f'{split}.zip', part)
    out = tmp_path / 'out'
    prepare(SMALL_MUAD, [tmp_path / 'train.zip'], out)
    assert 'missing: val, test_id, test_ood' in capsys.readouterr().out
    prepare(SMALL_MUAD, [tmp_path / 'val.zip', tmp_path / 'test_id.zip'], out)
    output = capsys.readouterr().out
    assert rows(output)['train'] == ['1', '1', '1', '0', '2']
    assert rows(output)['val'] == ['1', '1', '1', '2', '0']
    assert 'missing: test_ood\n' in output
    prepare(SMALL_MUAD, [tmp_path / 'test_ood.zip'], out)
    assert 'missing' not in capsys.readouterr().out
    manifest = json.loads((out / 'manifest.json').read_text())
    assert [facts['pairs'] for facts in manifest['splits'].values()] == [1, 1, 1, 1, 0, 0, 0, 0]
    (out / 'manifest.json').unlink()
    assert read_tree(out) == files

    # but a source without anything is an error, and an archive without anything is named
    write_archive(tmp_path / 'depth.zip', {'train/leftDepth/000000_leftDepth.exr': b'x'})
    with pytest.raises(ValueError, match=r'no file of MUAD in .*depth\.zip'):
        prepare(SMALL_MUAD, [tmp_path / 'depth.zip'], out)
    prepare(SMALL_MUAD, [tmp_path / 'depth.zip', tmp_path / 'val.zip'], out)
    assert f'nothing of MUAD in {tmp_path / "depth.zip"}\n' in capsys.readouterr().out


@pytest.mark.parametrize('workers', [0, -1])
def test_wrong_number_of_workers(tmp_path, workers):
    with pytest.raises(ValueError, match=f'`workers` must be >= 1, got {workers}'):
        prepare(MUAD, [tmp_path], tmp_path / 'out', workers=workers)
