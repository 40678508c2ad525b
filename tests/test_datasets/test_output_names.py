"""Names of what is written about images: the same each time, and none for two."""

import os
from pathlib import Path

import pytest
from mmengine.config import ConfigDict
from mmseg.registry import DATASETS
from PIL import Image

from mmseg_abnn.datasets.output_names import (
    dataset_output_names,
    default_name,
    name_of,
    output_names,
)


def test_names():
    paths = ['data/test/t5/1.x.png', 'data/test/t5/2.png', 'data/test/t6/1.png']
    assert list(output_names(paths)) == paths
    assert list(output_names(paths).values()) == ['t5/1.x', 't5/2', 't6/1']
    assert list(output_names(paths[:2]).values()) == ['1.x', '2']
    assert list(output_names(paths, 'data').values()) == ['test/t5/1.x', 'test/t5/2', 'test/t6/1']
    assert output_names(['/data/1.png']) == {'/data/1.png': '1'}
    assert output_names(['1.png', 'a/1.png'])['1.png'] == '1'
    assert output_names([]) == {}


def test_suffixes_stay_where_names_would_be_the_same():
    assert list(output_names(['a/1.png', 'a/2.jpg']).values()) == ['1', '2']
    assert list(output_names(['a/1.png', 'a/1.jpg']).values()) == ['1.png', '1.jpg']
    # the stem of one is the whole name of another's stem
    assert list(output_names(['a/1.png', 'a/1.png.jpg']).values()) == ['1', '1.png']


def test_one_file_spelt_in_two_ways_has_one_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    paths = ['d/1.png', str(tmp_path / 'd/1.png'), 'd/../d/1.png', 'd/2.png']
    assert list(output_names(paths, 'd').values()) == ['1', '1', '1', '2']


def test_a_file_beside_the_root():
    with pytest.raises(ValueError, match=r"must lie below `root` 'a/b', got 'a/1.png'"):
        output_names(['a/b/1.png', 'a/1.png'], 'a/b')


def test_default_name(tmp_path, monkeypatch):
    (tmp_path / 'here').mkdir()
    monkeypatch.chdir(tmp_path / 'here')
    assert default_name('d/1.x.png') == 'd/1.x'
    assert default_name(str(tmp_path / 'here/1.png')) == '1'
    whole = str(tmp_path / 'there/1.png')
    assert default_name(whole) == default_name('../there/1.png') == whole[1:].removesuffix('.png')
    assert name_of({'a.png': 'b'}, 'a.png') == 'b'
    assert name_of({'a.png': 'b'}, 'c.png') == name_of(None, 'c.png') == 'c'


def make_images(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new('RGB', (2, 2)).save(path)


def plain(**settings):
    return dict(type='BaseSegDataset', metainfo=dict(classes=('a',)), img_suffix='.png', **settings)


def names(cfg):
    found = dataset_output_names(DATASETS.build(ConfigDict(cfg)))
    return {os.path.basename(os.path.dirname(path)): name for path, name in found.items()}


def test_names_below_the_root_of_the_data(tmp_path):
    make_images(tmp_path, 'd/images/seq0/0.png', 'd/images/seq1/0.png')
    whole = {'seq0': 'images/seq0/0', 'seq1': 'images/seq1/0'}
    cfg = plain(data_root=str(tmp_path / 'd'), data_prefix=dict(img_path='images'))
    assert names(cfg) == whole
    # a part of the images has the same names
    assert names(dict(cfg, indices=1)) == {'seq0': 'images/seq0/0'}
    folder = str(tmp_path / 'd/images')
    cfg = plain(data_prefix=dict(img_path=folder))
    assert names(cfg) == {'seq0': 'seq0/0', 'seq1': 'seq1/0'}
    assert names(dict(type='RepeatDataset', times=2, dataset=cfg)) == names(cfg)
    # images that lie elsewhere than below the root that is said
    make_images(tmp_path, 'other/0.png')
    cfg = plain(data_root=str(tmp_path / 'other'), data_prefix=dict(img_path=folder))
    assert names(cfg) == {'seq0': 'seq0/0', 'seq1': 'seq1/0'}


def test_two_data_sets_whose_paths_are_alike(tmp_path):
    make_images(tmp_path, 'a/im/0.png', 'b/im/0.png')
    parts = [
        plain(data_root=str(tmp_path / root), data_prefix=dict(img_path='im')) for root in 'ab'
    ]
    found = dataset_output_names(DATASETS.build(ConfigDict(type='ConcatDataset', datasets=parts)))
    assert {Path(path).relative_to(tmp_path).as_posix(): name for path, name in found.items()} == {
        'a/im/0.png': 'a/im/0',
        'b/im/0.png': 'b/im/0',
    }
