"""The configs of members, without training them."""

import random

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import InfiniteSampler
from torch.utils.data import DataLoader, Dataset

from mmseg_abnn.apis.member_config import check_config, decisive_settings, member_config
from mmseg_abnn.datasets import SeededDataset, SeededInfiniteSampler


@pytest.fixture
def cfg():
    return Config(
        dict(
            model=dict(
                type='MCEncoderDecoder',
                pretrained='open-mmlab://resnet50_v1c',
                backbone=dict(
                    type='SwinTransformer',
                    init_cfg=dict(type='Pretrained', checkpoint='https://example.org/swin.pth'),
                ),
                decode_head=dict(init_cfg=dict(type='Normal', std=0.01)),
            ),
            train_dataloader=dict(
                num_workers=4,
                batch_size=2,
                sampler=dict(type=InfiniteSampler, shuffle=True),
                dataset=dict(type='CityscapesDataset'),
            ),
            work_dir='work_dirs/abnn',
        )
    )


def test_a_member_downloads_nothing_and_repeats_its_augmentations(cfg):
    member = member_config(cfg, 2)
    assert member.model.pretrained is None
    assert member.model.backbone.init_cfg is None
    assert member.model.decode_head.init_cfg == dict(type='Normal', std=0.01)
    assert member.train_dataloader.sampler.type == 'SeededInfiniteSampler'
    assert member.train_dataloader.dataset.type == 'SeededDataset'
    assert member.train_dataloader.dataset.dataset.type == 'CityscapesDataset'
    assert (member.randomness.seed, member.work_dir) == (2, 'work_dirs/abnn/member_2')
    assert cfg.model.pretrained == 'open-mmlab://resnet50_v1c'  # the user's config is untouched


def test_how_a_member_predicts_does_not_decide_what_it_is(cfg):
    cfg.model.test_cfg = dict(mode='slide', num_samples=3, seed=1, temperature=2.0)
    member = member_config(cfg, 0)
    assert member.model.test_cfg == cfg.model.test_cfg  # its config is written down
    other = member_config(cfg, 0)
    other.model.test_cfg = dict(mode='whole')
    assert decisive_settings(other) == decisive_settings(member)


def test_what_decides_about_a_member(cfg):
    settings = decisive_settings(member_config(cfg, 0))
    other = member_config(cfg, 0)
    other.train_dataloader.num_workers = 0
    assert decisive_settings(other) == settings
    other.train_dataloader.batch_size = 4
    assert decisive_settings(other) != settings


def test_a_config_without_a_visualizer(cfg):
    for nothing in ({}, dict(visualizer=None)):
        cfg.merge_from_dict(nothing)
        assert member_config(cfg, 1).get('visualizer') is None
    cfg.visualizer = dict(type='SegLocalVisualizer', name='visualizer')
    assert member_config(cfg, 1).visualizer.name == 'abnn_member_1'


ITERATIONS = dict(type='IterBasedTrainLoop', max_iters=80)
SAVED = dict(type='CheckpointHook', by_epoch=False, interval=20, max_keep_ckpts=1)


@pytest.mark.parametrize(
    ('loop', 'hooks', 'expected'),
    [
        (ITERATIONS, None, SAVED),
        (ITERATIONS, dict(logger=dict(type='LoggerHook')), SAVED),
        # it counts epochs, of which there is none before the end
        (ITERATIONS, dict(checkpoint=dict(type='CheckpointHook', interval=1)), SAVED),
        (ITERATIONS, dict(checkpoint=dict(by_epoch=False)), dict(by_epoch=False)),
        (ITERATIONS, dict(checkpoint=None), None),
        (dict(type='EpochBasedTrainLoop', max_epochs=3), None, 'of MMEngine'),
    ],
)
def test_the_checkpoints_of_a_config_without_a_section(cfg, loop, hooks, expected):
    cfg.train_cfg, cfg.default_hooks = loop, hooks
    found = (member_config(cfg, 0).default_hooks or {}).get('checkpoint', 'of MMEngine')
    assert found == expected


@pytest.mark.parametrize(
    ('loop', 'often'),
    [
        (dict(type='IterBasedTrainLoop', max_iters=1000), False),
        (dict(type='IterBasedTrainLoop', max_iters=1001), True),  # every 1000 is MMEngine's default
        (dict(type='IterBasedTrainLoop', max_iters=80, val_interval=80), False),
        (dict(type='IterBasedTrainLoop', max_iters=80, val_interval=40), True),
        (dict(type='IterBasedTrainLoop', max_iters=80, val_interval=79), True),
        (dict(type='IterBasedTrainLoop', max_iters=80, val_interval=40, val_begin=41), False),
        (dict(type='IterBasedTrainLoop', max_iters=80, val_interval=80, val_begin=1), False),
        (dict(by_epoch=True, max_epochs=2), True),
        (dict(by_epoch=True, max_epochs=1), False),
    ],
)
def test_the_best_of_several_checkpoints_is_refused(cfg, loop, often):
    cfg.num_members, cfg.load_from = 2, 'network.pth'
    cfg.custom_hooks = [dict(type='ABNNConversionHook')]
    cfg.val_dataloader, cfg.val_cfg, cfg.train_cfg = dict(batch_size=1), dict(), loop
    check_config(cfg)
    cfg.default_hooks = dict(checkpoint=dict(type='CheckpointHook', save_best='mIoU'))
    if often:
        with pytest.raises(ValueError, match=r"save_best` is 'mIoU', .* Set save_best=None, or"):
            check_config(cfg)
        cfg.val_dataloader = cfg.val_cfg = None
    check_config(cfg)


class Augmented(Dataset):
    """Every sample is its index and three random numbers."""

    metainfo = 'passed through'

    def __len__(self):
        return 5

    def __getitem__(self, index):
        assert type(index) is int
        return torch.tensor([index, random.random(), np.random.rand(), torch.rand(()).item()])


def stream(workers, skip=0, seed=0, count=12):
    dataset = SeededDataset(Augmented())
    assert dataset.metainfo == 'passed through'
    sampler = SeededInfiniteSampler(dataset, seed=seed)
    loader = iter(DataLoader(dataset, batch_size=2, sampler=sampler, num_workers=workers))
    batches = [next(loader) for _ in range(count)]
    return torch.cat(batches)[2 * skip :]


def test_augmentations_depend_on_seed_and_position_only():
    reference = stream(0)
    random.seed(99)
    np.random.seed(99)
    torch.manual_seed(99)
    assert torch.equal(stream(0), reference)
    assert torch.equal(stream(1), reference)
    assert torch.equal(stream(2), reference)
    assert not torch.equal(stream(0, seed=1), reference)
    # the same image is augmented in another way each time it comes
    first = reference[reference[:, 0] == 0]
    assert first[:, 1].unique().numel() == len(first) > 2
    # the same images in the same order as MMEngine's own sampler
    plain = iter(InfiniteSampler(Augmented(), seed=0))
    assert reference[:, 0].tolist() == [next(plain) for _ in range(24)]


@pytest.mark.skipif(
    not hasattr(InfiniteSampler, 'skip'), reason='MMEngine 0.10.7 loads what a resume skips'
)
def test_skipping_samples_keeps_their_augmentations():
    dataset = SeededDataset(Augmented())
    sampler = SeededInfiniteSampler(dataset, seed=0)
    sampler.skip(6)
    loader = iter(DataLoader(dataset, batch_size=2, sampler=sampler))
    assert torch.equal(next(loader), stream(0)[6:8])
