"""Test sets without labels, with some, and with all."""

import pytest
from mmengine.config import ConfigDict
from mmseg.registry import DATASETS
from PIL import Image

from mmseg_abnn.datasets.hidden_labels import check_labels_exist, drop_label_loading

CLASSES = dict(classes=('a', 'b'))


@pytest.fixture
def root(tmp_path):
    for name in ('images/0.png', 'images/1.png', 'labels/0.png', 'labels/1.png'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new('L', (2, 2)).save(tmp_path / name)
    return tmp_path


def plain(root, labels=True, **settings):
    prefix = dict(img_path='images') | (dict(seg_map_path='labels') if labels else {})
    kind = dict(type='BaseSegDataset', metainfo=CLASSES, img_suffix='.png')
    return dict(**kind, data_root=str(root), data_prefix=prefix, **settings)


def build(cfg):
    return DATASETS.build(ConfigDict(cfg))


def together(*parts):
    return dict(type='ConcatDataset', datasets=list(parts))


def test_all_or_none(root):
    without = plain(root, labels=False)
    for cfg in (without, dict(without, test_mode=True), together(without, without)):
        assert check_labels_exist(build(cfg)) is False
    assert check_labels_exist(build(plain(root))) is True
    assert check_labels_exist([1, 2]) is True  # what is known of it is nothing


@pytest.mark.parametrize('order', [1, -1])
def test_some(root, order):
    cfg = together(*[plain(root), plain(root, labels=False)][::order])
    message = r'2 of 4 images have no label, the first is .*images/0.png: test those'
    with pytest.raises(ValueError, match=message):
        check_labels_exist(build(cfg))


def test_a_label_file_is_missing(root):
    (root / 'labels/1.png').unlink()
    message = r'images/1.png has no label: there is no file .*labels/1.png. A folder without any'
    with pytest.raises(ValueError, match=message):
        check_labels_exist(build(plain(root)))
    # what lies elsewhere than on a disk is not looked for
    assert check_labels_exist(build(plain(root, backend_args=dict(backend='local')))) is True


def test_our_data_sets_without_labels(rendered, tmp_path):
    cfg = dict(type='MiniStreetsDataset', data_root=str(rendered), split='test_id')
    labelled = build(cfg)
    dataset = build(dict(cfg, with_labels=False))
    assert not check_labels_exist(dataset)
    assert len(dataset) == len(labelled) > 0
    for index in range(len(dataset)):
        info, other = dataset.get_data_info(index), labelled.get_data_info(index)
        assert other.pop('seg_map_path')
        assert info == other
    with pytest.raises(FileNotFoundError, match=r'the image folder .*leftImg8bit does not exist'):
        build(dict(cfg, data_root=str(tmp_path), with_labels=False))
    with pytest.raises(ValueError, match=r"is for folders, got `ann_file` 'list.odgt'"):
        build(dict(cfg, ann_file='list.odgt', with_labels=False))


LOAD, PACK = dict(type='LoadImageFromFile'), dict(type='PackSegInputs')


@pytest.mark.parametrize('labels', [dict(type='LoadAnnotations'), dict(type='LoadOODAnnotations')])
@pytest.mark.parametrize('wrapped', [False, True])
def test_labels_are_not_loaded(root, labels, wrapped):
    cfg = plain(root, labels=False, pipeline=[LOAD, labels, PACK])
    if wrapped:
        cfg = together(dict(type='RepeatDataset', times=1, dataset=cfg))
    dataset = build(cfg)
    drop_label_loading(dataset)
    sample = dataset[1]['data_samples']
    assert sample.img_path.endswith('images/1.png')
    assert 'gt_sem_seg' not in sample


def test_labels_are_not_loaded_in_augmentations(root):
    views = [[dict(type='RandomFlip', prob=0.0), dict(type='RandomFlip', prob=1.0)]]
    views += [[dict(type='LoadAnnotations')], [PACK]]
    steps = [LOAD, dict(type='TestTimeAug', transforms=views)]
    dataset = build(plain(root, labels=False, pipeline=steps))
    drop_label_loading(dataset)
    samples = dataset[0]['data_samples']
    assert [sample.flip for sample in samples] == [False, True]
    assert all('gt_sem_seg' not in sample for sample in samples)
