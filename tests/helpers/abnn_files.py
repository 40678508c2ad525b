"""A small ABNN in a file, as a training leaves it, and the images that it is given."""

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from helpers.monte_carlo import perturbed
from helpers.networks import TINY, build_segmentor, segmentor_config
from mmseg_abnn.apis.member_files import save_ensemble, save_member
from mmseg_abnn.apis.origin import origin_of
from mmseg_abnn.checkpoint import BaseNetwork, state_hash
from mmseg_abnn.conversion import convert_to_abnn

ALPHA = 0.3
CLASSES = ['road', 'wall', 'tree', 'sky', 'car']
PALETTE = [[128, 64, 128], [70, 70, 70], [0, 128, 0], [70, 130, 180], [0, 0, 142]]
PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(64, 48), keep_ratio=True),
    dict(type='LoadOODAnnotations', keep_ood=True),
    dict(type='PackSegInputs'),
]


def section_config(**section) -> Config:
    """Return the config of a small segmentor with a section ``abnn``."""
    data = dict(type='BaseSegDataset', data_root='/somewhere/data', pipeline=PIPELINE)
    return Config(
        dict(
            default_scope='mmseg',
            model=segmentor_config(**TINY, test_cfg=dict(mode='whole')),
            abnn=dict(alpha=ALPHA, num_members=2, num_samples=2, include=['*'], **section),
            load_from='/somewhere/base.pth',
            work_dir='/somewhere/work',
            train_dataloader=dict(dataset=dict(data, metainfo=dict(classes=CLASSES))),
            # as a test of OOD detection has it
            test_dataloader=dict(dataset=dict(type='ConcatDataset', datasets=[data, data])),
        ),
        format_python_code=False,
    )


def save_abnn(folder, cfg, meta=True):
    """Write ``abnn.pth`` and ``base.pth``; return the path of the first.

    Args:
        folder: Where to.
        cfg: Of :func:`section_config`, expanded.
        meta: Whether the base network tells its classes.
    """
    init_default_scope('mmseg')
    state = build_segmentor(**TINY).state_dict()
    facts = dict(dataset_meta=dict(classes=CLASSES, palette=PALETTE)) if meta else {}
    torch.save(dict(state_dict=state, meta=facts), folder / 'base.pth')
    model = build_segmentor(**TINY, type='MCEncoderDecoder')
    convert_to_abnn(model, alpha=ALPHA)
    paths = []
    for member in range(2):
        paths.append(str(folder / f'member_{member}.safetensors'))
        save_member(
            paths[-1],
            perturbed(model, member),
            dict(
                member=member,
                seed=member,
                base_hash=state_hash(state),
                alpha=ALPHA,
                noise_shape='channel',
                config=dict(train_dataloader=dict(data_root='/somewhere/data')),
                made_with=origin_of(cfg),
            ),
        )
    path = str(folder / 'abnn.pth')
    save_ensemble(path, BaseNetwork.read(str(folder / 'base.pth')), paths)
    return path


def picture(seed, height=48, width=64):
    """Return a made-up image, uint8 of shape (H, W, 3)."""
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return cv2.GaussianBlur(noise, (7, 7), 2)
