"""Which files readers see: as MMSegmentation's own readers, links and hidden files included."""

import numpy as np
import pytest
from mmengine.registry import init_default_scope
from mmseg.datasets import BaseSegDataset
from PIL import Image

from mmseg_abnn.datasets import StreetHazardsDataset
from mmseg_abnn.datasets.visible_files import visible_files


def write(path, content=b''):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def names(folder, suffix='.png'):
    return [path.relative_to(folder).as_posix() for path in visible_files(folder, suffix)]


def test_links_are_followed_and_what_is_hidden_is_not(tmp_path):
    write(tmp_path / 'elsewhere/b.png')
    write(tmp_path / 'elsewhere/c.jpg')
    root = tmp_path / 'data'
    for name in ('town0/a.png', 'town0/._a.png', '.hidden/x.png', 'z.png', 'not.png.txt'):
        write(root / name)
    (root / 'town1').symlink_to(tmp_path / 'elsewhere')
    (root / 'town2').symlink_to(tmp_path / 'elsewhere')
    (root / 'town0/link.png').symlink_to(tmp_path / 'elsewhere/b.png')
    assert names(root) == ['town0/a.png', 'town0/link.png', 'town1/b.png', 'town2/b.png', 'z.png']


def test_loops_of_links_end(tmp_path):
    write(tmp_path / 'a/b/0.png')
    (tmp_path / 'a/b/up').symlink_to(tmp_path / 'a')
    (tmp_path / 'self').symlink_to(tmp_path)
    assert names(tmp_path) == ['a/b/0.png']


def test_link_to_nothing_is_an_error(tmp_path):
    (tmp_path / '0.png').symlink_to(tmp_path / 'gone.png')
    with pytest.raises(FileNotFoundError, match=r'0.png is a link to .*gone.png: nothing is there'):
        names(tmp_path)


def test_towns_that_are_links(tmp_path):
    """Our reader takes the same images as MMSegmentation's."""
    for folder, town, number in (('data', 't0', 3), ('disk', 't1', 4)):
        for index in range(number):
            for kind, shape in (('images', (4, 5, 3)), ('annotations', (4, 5))):
                path = tmp_path / folder / f'train/{kind}/training/{town}/{index}.png'
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(np.ones(shape, np.uint8)).save(path)
                path.with_name(f'._{index}.png').write_bytes(b'of macOS')
    for kind in ('images', 'annotations'):
        link = tmp_path / f'data/train/{kind}/training/t1'
        link.symlink_to(tmp_path / f'disk/train/{kind}/training/t1')
    init_default_scope('mmseg')
    ours = StreetHazardsDataset(data_root=str(tmp_path / 'data'), split='train')
    folders = dict(img_path='train/images/training', seg_map_path='train/annotations/training')
    theirs = BaseSegDataset(
        data_root=str(tmp_path / 'data'),
        data_prefix=folders,
        img_suffix='.png',
        seg_map_suffix='.png',
    )
    pairs = [
        [(info['img_path'], info['seg_map_path']) for info in map(d.get_data_info, range(len(d)))]
        for d in (ours, theirs)
    ]
    assert len(pairs[0]) == 7
    assert pairs[0] == pairs[1]
