"""Folders and archives: what they hold, and what is refused before anything is written."""

import gzip
import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from helpers.preparation_samples import (
    ARCHIVES,
    image,
    muad,
    read_tree,
    street_hazards,
    write_archive,
    write_tree,
)
from preparation import MUAD, STREET_HAZARDS, prepare
from preparation.sources import find_sources

NAME = 'train/images/training/t1/0.png'


def prepare_street_hazards(out, *sources, **options):
    prepare(STREET_HAZARDS, sources, out, partial=True, **options)


def prepared(out):
    """Return what was prepared, without what is written about it."""
    files = read_tree(out)
    del files['manifest.json']
    return files


@pytest.mark.parametrize('suffix', ARCHIVES)
@pytest.mark.parametrize('top', ['', './', 'StreetHazards/v1/'])
def test_archives_of_all_kinds_give_the_same_files(tmp_path, suffix, top):
    archive = write_archive(tmp_path / f'download{suffix}', street_hazards(), top)
    prepare_street_hazards(tmp_path / 'out', archive)
    assert prepared(tmp_path / 'out') == street_hazards()


def test_a_folder_is_searched_and_its_archives_too(tmp_path):
    files = street_hazards()
    test = {path: content for path, content in files.items() if path.startswith('test')}
    train = {path: content for path, content in files.items() if path not in test}
    folder = tmp_path / 'downloads'
    write_tree(folder / 'deep' / 'er', train)
    write_archive(folder / 'streethazards_test.tar', test)
    # not directly in the folder: no source
    write_archive(folder / 'deep' / 'copy.tar', train)
    prepare_street_hazards(tmp_path / 'out', folder)
    assert prepared(tmp_path / 'out') == files
    # on one disk the files take no room twice
    assert (tmp_path / 'out' / 'train/images/training/t4/0.png').stat().st_nlink == 2


def test_files_are_copied_where_they_cannot_be_linked(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError('another disk')

    monkeypatch.setattr(os, 'link', refuse)
    prepare_street_hazards(tmp_path / 'out', write_tree(tmp_path / 'in', street_hazards()))
    assert prepared(tmp_path / 'out') == street_hazards()
    assert (tmp_path / 'out' / 'train/images/training/t4/0.png').stat().st_nlink == 1


def test_in_place(tmp_path):
    root = write_tree(tmp_path / 'data', street_hazards())
    inodes = {path: (root / path).stat().st_ino for path in street_hazards()}
    prepare_street_hazards(root, root)
    assert prepared(root) == street_hazards()
    assert {path: (root / path).stat().st_ino for path in street_hazards()} == inodes


def test_linked_folders_are_followed_once(tmp_path):
    write_tree(tmp_path / 'disk', street_hazards())
    (tmp_path / 'data').mkdir()
    for part in ('train', 'test'):
        (tmp_path / 'data' / part).symlink_to(tmp_path / 'disk' / part)
    (tmp_path / 'disk' / 'train' / 'loop').symlink_to(tmp_path / 'disk')
    prepare_street_hazards(tmp_path / 'out', tmp_path / 'data')
    assert prepared(tmp_path / 'out') == street_hazards()


def test_a_folder_that_may_not_be_read_is_an_error(tmp_path, monkeypatch):
    def scandir(path):
        if Path(path).name == 'annotations':
            raise PermissionError(13, 'Permission denied', str(path))
        return real(path)

    real = os.scandir
    source = write_tree(tmp_path / 'in', street_hazards())
    monkeypatch.setattr(os, 'scandir', scandir)
    with pytest.raises(PermissionError, match='annotations'):
        prepare_street_hazards(tmp_path / 'out', source)


def test_hidden_files_and_other_files_are_no_part_of_it(tmp_path):
    others = {
        'train/images/training/t4/._0.png': b'x',
        '__MACOSX/train/images/training/t4/0.png': b'x',
        '.cache/train/images/training/t4/0.png': b'x',
        'train/images/training/readme.png': b'x',
        'train/images/other/t4/0.png': b'x',
        'xtrain/images/training/t4/0.png': b'x',
        'train.odgt': b'x',
    }
    archive = write_archive(tmp_path / 'a.zip', {**others, **street_hazards()})
    folder = write_tree(tmp_path / 'b', {**others, **street_hazards()})
    for number, source in enumerate((archive, folder)):
        prepare_street_hazards(tmp_path / f'out{number}', source)
        assert prepared(tmp_path / f'out{number}') == street_hazards()


def test_muad_takes_its_own_folders_only(tmp_path):
    files = muad(['train', 'test', 'ood', 'test_ood_low_adv'])
    depth = {
        'train/leftDepth/000000_leftDepth.exr': b'x',
        'train/leftLabel/a_leftLabel.png': b'x',
        'unknown/leftImg8bit/000000_leftImg8bit.png': b'x',
    }
    archive = write_archive(tmp_path / 'muad.tar.gz', {**files, **depth}, 'MUAD/')
    prepare(MUAD, [archive], tmp_path / 'out', partial=True)
    names = {'train': 'train', 'test': 'test_id', 'ood': 'test_ood'}
    expected = {}
    for path, content in files.items():
        split, rest = path.split('/', 1)
        expected[f'{names.get(split, split)}/{rest}'] = content
    assert prepared(tmp_path / 'out') == expected


def damaged_tar_header(files):
    """Return a tar whose second header is overwritten."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode='w') as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    data = bytearray(file.getvalue())
    start = 512 + -(-len(next(iter(files.values()))) // 512) * 512
    data[start : start + 300] = b'?' * 300
    return bytes(data)


@pytest.mark.parametrize('suffix', [*ARCHIVES, 'header.tar', 'text.tar', 'text.zip'])
def test_damaged_archives_are_named(tmp_path, suffix):
    path = tmp_path / f'download{suffix}'
    if suffix == 'header.tar':
        path.write_bytes(damaged_tar_header(street_hazards()))
    elif suffix.startswith('text'):
        path.write_bytes(b'<html>404</html>')
    else:
        content = write_archive(path, street_hazards()).read_bytes()
        path.write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(ValueError, match='is damaged, cut off or not readable') as caught:
        prepare_street_hazards(tmp_path / 'out', path)
    assert str(path) in str(caught.value)
    assert not (tmp_path / 'out').exists()


def test_a_flipped_bit_in_a_compressed_tar_is_noticed(tmp_path):
    """Where the damage still unpacks, only the checksum at the end tells."""
    path = tmp_path / 'a.tar.gz'
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode='w') as archive:
        for name, content in street_hazards().items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    # stored, not deflated: the flipped bit changes one byte of an image and nothing else
    data = bytearray(gzip.compress(file.getvalue(), compresslevel=0))
    image = next(content for name, content in street_hazards().items() if name.endswith('.png'))
    data[data.index(image) + len(image) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r'a\.tar\.gz is damaged, cut off or not readable: CRC'):
        prepare_street_hazards(tmp_path / 'out', path, dry_run=True)


def test_a_tar_that_is_cut_between_two_files_is_noticed(tmp_path):
    path = write_archive(tmp_path / 'a.tar', street_hazards())
    with tarfile.open(path) as archive:
        last = archive.getmembers()[-1]
    path.write_bytes(path.read_bytes()[: last.offset])
    with pytest.raises(ValueError, match='ends without the mark that ends a tar'):
        prepare_street_hazards(tmp_path / 'out', path, dry_run=True)


def test_damage_inside_a_zip_is_named_and_leaves_no_half_file(tmp_path):
    files = street_hazards()
    path = write_archive(tmp_path / 'a.zip', files)
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        last = archive.infolist()[-1]
    data[last.header_offset + 30 + len(last.filename) + 5] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r'a\.zip is damaged'):
        prepare_street_hazards(tmp_path / 'out', path)
    del files[last.filename]
    assert read_tree(tmp_path / 'out') == files


@pytest.mark.parametrize('suffix', ['.tar.gz', '.zip'])
@pytest.mark.parametrize('evil', ['../x.txt', '/x.txt', 'a/../../x.png', '..\\x.png', 'C:\\x.png'])
def test_paths_that_lead_out_refuse_the_archive(tmp_path, suffix, evil):
    path = write_archive(tmp_path / f'a{suffix}', {**street_hazards(), evil: b'x'})
    with pytest.raises(ValueError, match='leads out of it') as caught:
        prepare_street_hazards(tmp_path / 'out', path)
    assert str(path) in str(caught.value)
    assert evil in str(caught.value)
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('kind', [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_members_of_a_tar_that_are_no_files(tmp_path, kind):
    def write(name):
        path = write_archive(tmp_path / 'a.tar', street_hazards())
        with tarfile.open(path, 'a') as archive:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, 'train/images/training/t4/0.png'
            archive.addfile(info)
        return path

    with pytest.raises(ValueError, match=r't1/0\.png is a link, a folder or .*nothing is taken'):
        prepare_street_hazards(tmp_path / 'out', write(NAME))
    assert not (tmp_path / 'out').exists()
    # somewhere else it does no harm
    prepare_street_hazards(tmp_path / 'out', write('latest'))


def test_members_of_a_zip_that_are_no_files(tmp_path):
    path = write_archive(tmp_path / 'link.zip', street_hazards())
    with zipfile.ZipFile(path, 'a') as archive:
        info = zipfile.ZipInfo(NAME)
        info.create_system, info.external_attr = 3, 0o120777 << 16
        archive.writestr(info, '/etc/passwd')
    with pytest.raises(ValueError, match=r't1/0\.png is a link, a folder or'):
        prepare_street_hazards(tmp_path / 'out', path)

    path = write_archive(tmp_path / 'secret.zip', {NAME: image()})
    data = bytearray(path.read_bytes())
    data[data.find(b'PK\1\2') + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r't1/0\.png is encrypted'):
        prepare_street_hazards(tmp_path / 'out', path)
    assert not (tmp_path / 'out').exists()


def test_duplicates_are_named(tmp_path):
    files = street_hazards()
    first = write_archive(tmp_path / 'first.tar', files)
    second = write_archive(tmp_path / 'second.zip', files)
    with pytest.raises(ValueError, match='duplicate') as caught:
        prepare_street_hazards(tmp_path / 'out', first, second)
    assert str(first) in str(caught.value)
    assert str(second) in str(caught.value)

    with tarfile.open(first, 'a') as archive:
        archive.addfile(tarfile.TarInfo('v2/train/images/training/t4/0.png'))
    message = r'duplicate: .* from train/images/training/t4/0.png in .*first.tar and from v2/train/'
    with pytest.raises(ValueError, match=message):
        prepare_street_hazards(tmp_path / 'out', first)
    assert not (tmp_path / 'out').exists()


def test_what_is_named_twice_counts_once(tmp_path):
    folder = tmp_path / 'in'
    write_tree(folder / 'a', street_hazards())
    archive = write_archive(folder / 'a' / 'other.tar', {'x/y.txt': b''})
    prepare_street_hazards(tmp_path / 'out', folder, folder / 'a', folder, archive)
    assert prepared(tmp_path / 'out') == street_hazards()


def test_wrong_sources(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'the source .*nowhere does not exist'):
        prepare_street_hazards(tmp_path / 'out', tmp_path / 'nowhere')
    (tmp_path / 'a.rar').write_bytes(b'Rar!')
    with pytest.raises(ValueError, match=r'a\.rar is neither a folder nor an archive \(\.tar, '):
        prepare_street_hazards(tmp_path / 'out', tmp_path / 'a.rar')
    folder = write_tree(tmp_path / 'cityscapes', {'leftImg8bit/train/ulm/x_leftImg8bit.png': b'x'})
    with pytest.raises(ValueError, match=r'no file of StreetHazards in .*cityscapes') as caught:
        prepare_street_hazards(tmp_path / 'out', folder)
    assert 'train/images/training/*.png' in str(caught.value)
    assert 'found: leftImg8bit/train/ulm/x_leftImg8bit.png' in str(caught.value)
    (tmp_path / 'file').write_bytes(b'')
    with pytest.raises(FileExistsError, match='file is a file'):
        prepare_street_hazards(tmp_path / 'file', folder)


def test_a_compressed_archive_is_only_read_forwards(tmp_path, monkeypatch):
    """Going back would unpack it again from its beginning."""
    path = write_archive(tmp_path / 'a.tar.gz', street_hazards())
    rewound = []
    monkeypatch.setattr(gzip._GzipReader, '_rewind', lambda self: rewound.append(self))
    source = find_sources([path], tmp_path / 'broken')[0]
    assert {member.path for member in source.members()} == street_hazards().keys()
    found = {name: b''.join(pieces) for name, pieces in source.contents(street_hazards())}
    assert found == street_hazards()
    assert rewound == []
