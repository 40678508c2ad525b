"""Rendered scenes in the formats of the benchmarks, against the same scenes in MiniStreets' own."""

import json
from functools import partial

import numpy as np
import pytest
from PIL import Image

from helpers.sharing import made_once
from mini_streets import Settings, open_folder, write_images
from mmseg_abnn.datasets import MUADDataset, StreetHazardsDataset

COUNTS = {'train': 2, 'val': 1, 'test_id': 1, 'test_ood': 2}
# road sidewalk building pole sign vegetation sky person car animal object unlabelled
RENDERED = (0, 1, 2, 5, 7, 8, 10, 11, 13, 19, 20, 255)
STREET_HAZARDS = dict(zip(RENDERED, (8, 9, 2, 6, 13, 10, 1, 5, 11, 14, 14, 1), strict=True))
BDD = dict(zip(RENDERED, (2, 3, 4, 7, 9, 10, 12, 13, 15, 18, 19, 1), strict=True))


@pytest.fixture(scope='module')
def write(tmp_path_factory):
    """Render once for each format."""

    def render(name, root):
        settings = Settings(seed=5, size=(64, 128), counts=COUNTS, format=name)
        for _ in write_images(root, settings, open_folder(root, settings), workers=1):
            pass
        assert open_folder(root, settings) == []

    return lambda name: made_once(tmp_path_factory, f'rendered_{name}', partial(render, name))


def pixels(path):
    return np.asarray(Image.open(path))


def plain(root, split, index):
    folder = root / split
    return (
        pixels(folder / f'leftImg8bit/{index:06d}_leftImg8bit.png'),
        pixels(folder / f'leftLabel/{index:06d}_leftLabel.png'),
    )


def mapped(label, ids):
    result = np.zeros_like(label)
    for rendered in np.unique(label):
        result[label == rendered] = ids[rendered]
    return result


def files(root):
    return {path.relative_to(root).as_posix() for path in root.rglob('*') if path.is_file()}


def test_muad(write):
    root, own = write('muad'), write('mini_streets')
    assert files(root) == files(own)
    for split, count in COUNTS.items():
        for index in range(count):
            image, label = plain(own, split, index)
            ids = {stored: stored for stored in RENDERED} | {255: (21, 255)[index]}
            np.testing.assert_array_equal(plain(root, split, index)[0], image)
            np.testing.assert_array_equal(plain(root, split, index)[1], mapped(label, ids))
    assert len(MUADDataset(data_root=str(root), split='test_ood')) == 2


def test_street_hazards(write):
    root, own = write('street_hazards'), write('mini_streets')
    names = {
        ('train', 0): ('train', 'training/t1-3/0.png'),
        ('train', 1): ('train', 'training/t4/1.png'),
        ('val', 0): ('train', 'validation/t5/0.png'),
        ('test_id', 0): ('test', 'test/t5/0.png'),
        ('test_ood', 0): ('test', 'test/t6/0.png'),
        ('test_ood', 1): ('test', 'test/t6/1.png'),
    }
    for (split, index), (part, name) in names.items():
        image, label = plain(own, split, index)
        np.testing.assert_array_equal(pixels(root / part / 'images' / name), image)
        stored = pixels(root / part / 'annotations' / name)
        np.testing.assert_array_equal(stored, mapped(label, STREET_HAZARDS))
    sizes = {
        split: len(StreetHazardsDataset(data_root=str(root), split=split))
        for split in StreetHazardsDataset.SPLITS
    }
    assert sizes == {'train': 2, 'val': 1, 'test': 3}


def test_lists_of_street_hazards(write):
    root = write('street_hazards')
    array = json.loads((root / 'train/train.odgt').read_text())
    lines = (root / 'train/validation.odgt').read_text().splitlines()
    test = json.loads((root / 'test/test.odgt').read_text())
    entries = [('train', entry) for entry in (*array, *map(json.loads, lines))]
    entries += [('test', entry) for entry in test]
    for part, entry in entries:
        assert (root / part / entry['fpath_img']).is_file()
        assert (root / part / entry['fpath_segm']).is_file()
    assert [len(array), len(lines), len(test)] == [2, 1, 3]


def test_bdd_anomaly(write):
    root, own = write('bdd_anomaly'), write('mini_streets')
    folders = {'train': ['train'] * 2, 'val': ['val'], 'test_id': ['val']}
    folders['test_ood'] = ['train', 'val']
    found = set()
    for number, (split, places) in enumerate(folders.items()):
        for index, folder in enumerate(places):
            image, label = plain(own, split, index)
            name = f'{number:08x}-{index:08x}'
            paths = (f'seg/images/{folder}/{name}.jpg', f'seg/train_labels/{folder}/{name}')
            stored = pixels(root / f'{paths[1]}_train_id.png')
            np.testing.assert_array_equal(stored, mapped(label, BDD))
            assert np.isin(stored, (18, 19)).any() == (split == 'test_ood')
            compressed = Image.open(root / paths[0])
            assert compressed.format == 'JPEG'
            assert np.abs(np.asarray(compressed) - image.astype(float)).mean() < 6
            found |= {paths[0], f'{paths[1]}_train_id.png'}
    assert files(root) == found | {'mini_streets.json'}


def test_unknown_format():
    with pytest.raises(ValueError, match=r"`format` must be one of \['mini_streets', 'muad',"):
        Settings(seed=0, size=(64, 128), counts=COUNTS, format='cityscapes')
