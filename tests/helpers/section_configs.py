"""Configs with a section `abnn`, and reading them as the tools do."""

import argparse

from mmengine.config import Config

from mmseg_abnn.apis import load_config


def load(path, **options):
    return load_config(
        argparse.Namespace(
            config=str(path),
            cfg_options=options,
            work_dir=str(path.parent / 'work'),
            launcher='none',
            local_rank=0,
        ),
    )


def segmentor(**changes):
    """Return the config of a segmentor with everything that the section looks at."""
    loss = dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0)
    cfg = dict(
        default_scope='mmseg',
        model=dict(
            type='EncoderDecoder',
            decode_head=dict(type='FCNHead', loss_decode=dict(loss)),
            auxiliary_head=[dict(type='FCNHead', loss_decode=dict(loss, loss_weight=0.4))],
            test_cfg=dict(mode='slide', stride=(1, 2)),
        ),
        optim_wrapper=dict(
            type='AmpOptimWrapper',
            loss_scale='dynamic',
            optimizer=dict(type='AdamW', lr=6e-5, betas=(0.9, 0.999)),
            paramwise_cfg=dict(custom_keys=dict(norm=dict(decay_mult=0.0))),
            clip_grad=dict(max_norm=1.0),
        ),
        param_scheduler=[dict(type='LinearLR'), dict(type='PolyLR')],
        train_cfg=dict(type='IterBasedTrainLoop', max_iters=80000, val_interval=8000),
        custom_hooks=[dict(type='EMAHook')],
        abnn=dict(),
    )
    cfg.update(changes)
    return Config(cfg)
