"""The config of one member's training, and what makes a member what it is."""

import copy
import os
from typing import Any

from mmengine.config import Config, ConfigDict

from .config_parts import LOADING, drop_initialization, has_hook, plain, type_name
from .short_schedule import write_checkpoints

# what makes a member what it is; other settings may change between two calls
_DECISIVE = (
    'model',
    'custom_hooks',
    'optim_wrapper',
    'param_scheduler',
    'train_cfg',
    'train_dataloader',
    'randomness',
)
_INDECISIVE = (*LOADING, 'test_cfg', 'val_interval', 'val_begin')


def check_config(cfg: Config, only: int | None = None) -> None:
    """Raise ValueError if the members of an ABNN cannot be fine-tuned by a config.

    Args:
        cfg: The complete config.
        only: The one member that is wanted; None: all.
    """
    count = cfg.num_members
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise ValueError(f'`num_members` must be an int >= 1, got {count!r}')
    if only is not None and not 0 <= only < count:
        raise ValueError(f'the member must be between 0 and {count - 1}, got {only}')
    if not has_hook(cfg.get('custom_hooks'), 'ABNNConversionHook'):
        raise ValueError(
            'an ABNN needs `custom_hooks` with `ABNNConversionHook`, which makes the normalization '
            "layers Bayesian: custom_hooks=[dict(type='ABNNConversionHook', alpha=0.1)]"
        )
    if not cfg.get('load_from'):
        raise ValueError(
            'an ABNN is made from a trained network, but `load_from` is not set: give its '
            'checkpoint in the config, or by --cfg-options load_from=FILE'
        )
    _check_best(cfg)


def _check_best(cfg: Config) -> None:
    """Refuse to look for the best of several checkpoints; the only one is the best."""
    best = ((cfg.get('default_hooks') or {}).get('checkpoint') or {}).get('save_best')
    if best is not None and _validates_before_its_end(cfg):
        raise ValueError(
            f'`default_hooks.checkpoint.save_best` is {best!r}, but a member is what its training '
            'ends with: its validations have no noise, so they do not tell which of its states is '
            'the best Bayesian one. Set save_best=None, or validate once, at the end, by '
            'train_cfg.val_interval as large as max_iters (or max_epochs)'
        )


def _validates_before_its_end(cfg: Config) -> bool:
    loop = cfg.get('train_cfg') or {}
    if cfg.get('val_dataloader') is None or cfg.get('val_cfg') is None:
        return False
    end, usual = (
        (loop['max_iters'], 1000) if loop.get('max_iters') else (loop.get('max_epochs', 1), 1)
    )
    interval = loop.get('val_interval', usual)
    last_before_end = (end - 1) // interval * interval
    return bool(loop.get('dynamic_intervals')) or last_before_end >= max(
        loop.get('val_begin', 1), 1
    )


def member_config(cfg: Config, member: int) -> Config:
    """Return the config of one member's Runner."""
    cfg = copy.deepcopy(cfg)
    seed = (cfg.get('randomness') or {}).get('seed')
    cfg.randomness = dict(cfg.get('randomness') or {}, seed=(0 if seed is None else seed) + member)
    cfg.work_dir = os.path.join(cfg.work_dir, f'member_{member}')
    cfg.experiment_name = f'{os.path.basename(os.path.dirname(cfg.work_dir))}_member_{member}'
    if cfg.get('visualizer') is not None:
        # one of the same name would go on writing to the folder of the first
        cfg.visualizer.name = cfg.experiment_name
    drop_initialization(cfg.model)
    _repeat_augmentations(cfg.get('train_dataloader'))
    _save_checkpoints(cfg)
    return cfg


def _save_checkpoints(cfg: Config) -> None:
    # what counts epochs saves nothing during an iteration-based training: it could not be resumed
    hook = (cfg.get('default_hooks') or {}).get('checkpoint', {})
    end = (cfg.get('train_cfg') or {}).get('max_iters')
    if end is not None and hook is not None and hook.get('by_epoch', True):
        write_checkpoints(cfg, end, by_epoch=False)


def _repeat_augmentations(loader: ConfigDict | None) -> None:
    sampler = (loader or {}).get('sampler') or {}
    if loader is not None and type_name(sampler) == 'InfiniteSampler':
        sampler['type'] = 'SeededInfiniteSampler'
        loader.dataset = dict(type='SeededDataset', dataset=loader.dataset)


def decisive_settings(cfg: Config) -> dict[str, Any]:
    """Return the settings of a member's config that its weights depend on, as plain data."""
    return {key: plain(cfg.get(key), _INDECISIVE) for key in _DECISIVE}
