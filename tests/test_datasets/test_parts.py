"""Datasets inside wrappers."""

import pytest
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS

from mmseg_abnn.datasets import MiniStreetsDataset
from mmseg_abnn.datasets.parts import dataset_parts, skip_label_checks


def streets(root, split):
    return dict(type='MiniStreetsDataset', data_root=str(root), split=split)


def build(cfg):
    init_default_scope('mmseg')
    return DATASETS.build(ConfigDict(cfg))


def test_parts_of_wrappers(rendered):
    two = [streets(rendered, 'test_id'), streets(rendered, 'test_ood')]
    train = streets(rendered, 'train')
    for cfg, names in [
        (train, ['train']),
        (dict(type='RepeatDataset', times=3, dataset=train), ['train']),
        (dict(type='SeededDataset', dataset=train), ['train']),
        (dict(type='MultiImageMixDataset', pipeline=[], dataset=train), ['train']),
        (dict(type='ConcatDataset', datasets=two), ['test_id', 'test_ood']),
        (
            dict(type='SeededDataset', dataset=dict(type='ConcatDataset', datasets=two)),
            ['test_id', 'test_ood'],
        ),
    ]:
        parts = dataset_parts(build(cfg), 'loader')
        assert list(parts) == names
        for name, part in parts.items():
            assert type(part) is MiniStreetsDataset
            assert part.split == name


def test_parts_of_the_same_name_are_numbered(rendered):
    twice = [streets(rendered, 'val'), streets(rendered, 'train'), streets(rendered, 'val')]
    parts = dataset_parts(build(dict(type='ConcatDataset', datasets=twice)), 'loader')
    assert list(parts) == ['val_0', 'train', 'val_1']


def test_parts_without_a_split_are_named_as_the_loader(rendered):
    plain = dict(
        type='BaseSegDataset',
        metainfo=dict(classes=('a',)),
        img_suffix='.png',
        data_prefix=dict(img_path=str(rendered / 'train/leftImg8bit')),
    )
    assert list(dataset_parts(build(plain), 'train')) == ['train']
    both = build(dict(type='ConcatDataset', datasets=[plain, plain]))
    assert list(dataset_parts(both, 'test')) == ['test_0', 'test_1']


@pytest.mark.parametrize('kind', ['MiniStreetsDataset', MiniStreetsDataset])
def test_checks_are_skipped_inside_wrappers(kind):
    ours = dict(type=kind, split='train')
    plain = dict(type='BaseSegDataset')
    inner = dict(type='ConcatDataset', datasets=[dict(ours), dict(plain)])
    cfg = ConfigDict(type='SeededDataset', dataset=inner)
    skip_label_checks(cfg)
    assert cfg == dict(
        type='SeededDataset',
        dataset=dict(type='ConcatDataset', datasets=[dict(ours, check_labels=False), plain]),
    )
