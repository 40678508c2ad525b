"""Files that are broken: each is found, named, and refused or set aside."""

import io
import json
import shutil

import numpy as np
import pytest
from PIL import Image, ImageFile

from helpers.preparation_samples import (
    image,
    label,
    muad,
    published,
    read_tree,
    write_archive,
    write_tree,
)
from mmseg_abnn.datasets import MUADDataset
from preparation import BDD_ANOMALY, MUAD, prepare

IMAGE = 'train/leftImg8bit/{}_leftImg8bit.png'
LABEL = 'train/leftLabel/{}_leftLabel.png'
SIZE = (64, 48)


def png(array):
    file = io.BytesIO()
    Image.fromarray(array).save(file, 'PNG')
    return file.getvalue()


def cut(data, share=0.6):
    return data[: int(len(data) * share)]


def flipped(data):
    """Return a PNG with one bit of its pixels changed."""
    changed = bytearray(data)
    changed[data.find(b'IDAT') + 20] ^= 1
    return bytes(changed)


GOOD_IMAGE, GOOD_LABEL = image(size=SIZE), label(0, 13, 19, size=SIZE)
BROKEN = {
    'a truncated label': (GOOD_IMAGE, cut(GOOD_LABEL), 'label', 'cannot be read'),
    'a damaged label': (GOOD_IMAGE, flipped(GOOD_LABEL), 'label', 'cannot be read'),
    'an empty label': (GOOD_IMAGE, b'', 'label', 'cannot be read (not an image)'),
    'an RGB label': (GOOD_IMAGE, GOOD_IMAGE, 'label', 'expected one 8-bit channel, got mode RGB'),
    'a 16-bit label': (
        GOOD_IMAGE,
        png(np.zeros(SIZE[::-1], np.uint16)),
        'label',
        'expected one 8-bit channel, got mode I;16',
    ),
    'an unknown id': (
        GOOD_IMAGE,
        label(0, 22, 254, size=SIZE),
        'label',
        'unknown stored id(s) [22, 254]',
    ),
    'a label of another size': (
        GOOD_IMAGE,
        label(0, size=(32, 24)),
        'label',
        'is 32x24, but its image is 64x48',
    ),
    'a truncated PNG': (cut(GOOD_IMAGE), GOOD_LABEL, 'image', 'cannot be read'),
    'a PNG without its end': (GOOD_IMAGE[:-20], GOOD_LABEL, 'image', 'cannot be read'),
    'a damaged PNG': (flipped(GOOD_IMAGE), GOOD_LABEL, 'image', 'cannot be read'),
    'a text': (b'<html>', GOOD_LABEL, 'image', 'cannot be read (not an image)'),
}


@pytest.mark.parametrize('case', BROKEN)
def test_each_kind_of_broken_file(tmp_path, case):
    broken_image, broken_label, wrong, reason = BROKEN[case]
    files = {
        **muad(['train']),
        IMAGE.format('000001'): broken_image,
        LABEL.format('000001'): broken_label,
    }
    source = write_tree(tmp_path / 'in', files)
    with pytest.raises(ValueError, match=r'^1 pair\(s\) are broken') as caught:
        prepare(published(MUAD, train=2), [source], tmp_path / 'out')
    name = (IMAGE if wrong == 'image' else LABEL).format('000001')
    assert f'{name}: {reason}' in str(caught.value)
    assert (tmp_path / 'out' / 'broken.txt').read_text().startswith(f'{name}: {reason}')
    assert not (tmp_path / 'out' / 'manifest.json').exists()


@pytest.mark.parametrize('filled_up', [False, True])
def test_truncated_jpeg(tmp_path, filled_up, monkeypatch):
    """Whatever a library told Pillow to do with it."""
    monkeypatch.setattr(ImageFile, 'LOAD_TRUNCATED_IMAGES', filled_up)
    jpeg = image(size=SIZE, kind='JPEG')
    files = {
        'seg/images/train/a.jpg': jpeg,
        'seg/images/train/b.jpg': cut(jpeg),
        'seg/train_labels/train/a_train_id.png': label(2, size=SIZE),
        'seg/train_labels/train/b_train_id.png': label(2, size=SIZE),
    }
    source = write_tree(tmp_path / 'in', files)
    with pytest.raises(ValueError, match=r'seg/images/train/b.jpg: cannot be read \(.*truncated'):
        prepare(BDD_ANOMALY, [source], tmp_path / 'out', partial=True)
    assert ImageFile.LOAD_TRUNCATED_IMAGES is filled_up


@pytest.fixture
def five(tmp_path):
    """A source of one right pair and four broken ones."""
    files = muad(['train'])
    for number in range(1, 5):
        files[IMAGE.format(f'{number:06d}')] = image(number)
        files[LABEL.format(f'{number:06d}')] = label(0, 29 + number)
    files[IMAGE.format('000002')] = cut(image())
    files[LABEL.format('000002')] = label(0)
    return write_tree(tmp_path / 'in', files)


def test_all_broken_files_are_listed(tmp_path, five):
    with pytest.raises(ValueError, match=r'^4 pair\(s\) are broken, all are listed in') as caught:
        prepare(published(MUAD, train=5), [five], tmp_path / 'out')
    assert str(caught.value).endswith('; ...')
    lines = (tmp_path / 'out' / 'broken.txt').read_text().splitlines()
    assert len(lines) == 4
    assert lines[0].startswith(f'{IMAGE.format("000002")}: cannot be read (')
    assert lines[1:] == [
        f'{LABEL.format(f"{number:06d}")}: unknown stored id(s) [{29 + number}]'
        for number in (1, 3, 4)
    ]


@pytest.mark.parametrize('packed', [True, False])
def test_broken_pairs_are_set_aside(tmp_path, five, packed, capsys):
    files = read_tree(five)
    source = write_archive(tmp_path / 'a.tar', files) if packed else five
    out = tmp_path / 'out'
    benchmark = published(MUAD, train=5)
    prepare(benchmark, [source], out, skip_broken=True)
    good = muad(['train'])
    found = read_tree(out)
    listed, manifest = found.pop('broken.txt'), found.pop('manifest.json')
    assert found == {
        path if path in good else f'broken/{path}': content for path, content in files.items()
    }
    assert len(listed.splitlines()) == 4
    assert json.loads(manifest)['broken'] == listed.decode().splitlines()
    assert json.loads(manifest)['splits']['train']['pairs'] == 1
    assert len(MUADDataset(data_root=str(out), split='train')) == 1
    assert '1 pairs are ready in' in capsys.readouterr().out

    # later runs know of them: nothing comes back, nothing is wrong, from the source or in place
    for again in ([source], [out], [out, source]):
        prepare(benchmark, again, out)
        assert '4 broken pairs were set aside' in capsys.readouterr().out
        after = read_tree(out)
        assert after.pop('broken.txt') == listed
        assert json.loads(after.pop('manifest.json'))['broken'] == listed.decode().splitlines()
        assert after == found


def test_nothing_right_is_an_error(tmp_path):
    files = {IMAGE.format('000001'): image(), LABEL.format('000001'): label(30)}
    source = write_tree(tmp_path / 'in', files)
    with pytest.raises(ValueError, match=r'no pair in .*out is right'):
        prepare(published(MUAD), [source], tmp_path / 'out', skip_broken=True)
    assert not (tmp_path / 'out' / 'manifest.json').exists()


def test_the_list_of_broken_files_goes_when_they_are_mended(tmp_path, five):
    benchmark = published(MUAD, train=5)
    with pytest.raises(ValueError, match='4 pair'):
        prepare(benchmark, [five], five)
    for number in range(1, 5):
        (five / IMAGE.format(f'{number:06d}')).write_bytes(image())
        (five / LABEL.format(f'{number:06d}')).write_bytes(label(1))
    prepare(benchmark, [five], five)
    assert not (five / 'broken.txt').exists()


@pytest.mark.parametrize('packed', [True, False])
def test_a_mended_source_replaces_what_was_broken(tmp_path, five, packed):
    def source(files):
        shutil.rmtree(five)  # other files, not the same ones with another content
        folder = write_tree(five, files)
        return write_archive(tmp_path / 'a.tar.gz', files) if packed else folder

    files, benchmark, out = read_tree(five), published(MUAD, train=5), tmp_path / 'out'
    with pytest.raises(ValueError, match='4 pair'):
        prepare(benchmark, [source(files)], out)
    for number in range(1, 5):
        before = files[IMAGE.format(f'{number:06d}')]
        # of the same size: no size tells that the file is another one
        files[IMAGE.format(f'{number:06d}')] = image(9).ljust(len(before), b'\0')
        files[LABEL.format(f'{number:06d}')] = label(1)
    prepare(benchmark, [source(files)], out)
    found = read_tree(out)
    assert {path: found[path] for path in files} == files


def test_files_of_the_user_are_never_removed(tmp_path, five):
    before = read_tree(five)
    linked = tmp_path / 'linked'
    linked.mkdir()
    (linked / 'train').symlink_to(five / 'train')
    for sources, out in (([five], five), ([five, linked], linked), ([five], tmp_path / 'out')):
        with pytest.raises(ValueError, match='4 pair'):
            prepare(published(MUAD, train=5), sources, out)
        assert {path: read_tree(five)[path] for path in before} == before
