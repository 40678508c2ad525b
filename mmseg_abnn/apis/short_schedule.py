"""The short training of a member: its schedule, and the checkpoints that it can be resumed from."""

import copy

from mmengine.config import Config, ConfigDict

from .abnn_settings import SECTION, ABNNSettings
from .config_parts import type_name

# of the base's optimizer wrapper: it trains a few parameters now, with settings of their own
_NOT_INHERITED = ('paramwise_cfg', 'constructor', 'clip_grad')


def write_short_schedule(cfg: Config, settings: ABNNSettings) -> None:
    """Write the schedule of a fine-tuning into a config, in place.

    Args:
        cfg: A complete config. Of its ``optim_wrapper`` only what concerns precision and
            accumulation is kept; ``train_cfg`` and ``param_scheduler`` are replaced.
        settings: Those of the section.

    Raises:
        ValueError: If epochs are to be counted, and the config's sampler never ends one.
    """
    # parts are changed, not made anew from their items: the classes that a config in pure Python
    # has imported are names until somebody asks for them, and only names can be written down
    wrapper = copy.copy(cfg.get('optim_wrapper') or ConfigDict(type='OptimWrapper'))
    for name in _NOT_INHERITED:
        wrapper.pop(name, None)
    wrapper['optimizer'] = copy.copy(settings.optimizer)
    cfg.optim_wrapper = wrapper
    epochs = settings.max_epochs is not None
    if epochs:
        _check_sampler(cfg)
    end = settings.max_epochs or settings.max_iters
    poly = dict(type='PolyLR', power=0.9, eta_min=0.0, begin=0, end=end, by_epoch=epochs)
    cfg.param_scheduler = [{**poly, 'convert_to_iter_based': True} if epochs else poly]
    cfg.train_cfg = (
        dict(type='EpochBasedTrainLoop', max_epochs=end, val_interval=end)
        if epochs
        else dict(type='IterBasedTrainLoop', max_iters=end, val_interval=end)
    )
    log_processor = copy.copy(cfg.get('log_processor') or ConfigDict())
    log_processor['by_epoch'] = epochs
    cfg.log_processor = log_processor
    hooks = cfg.get('default_hooks') or {}
    if hooks.get('logger') is not None:
        hooks['logger']['log_metric_by_epoch'] = epochs
    write_checkpoints(cfg, end, epochs)


def write_checkpoints(cfg: Config, end: int, by_epoch: bool) -> None:
    """Let a config save four checkpoints of a training, or as many as it says if that is more.

    Without an entry, MMEngine's default saves once in an epoch, which iterations never end; an
    entry that is None says that nothing is to be saved.

    Args:
        cfg: A complete config; it is changed in place.
        end: How long the training is.
        by_epoch: Whether that counts epochs.
    """
    hooks = cfg.get('default_hooks') or ConfigDict()
    checkpoint = hooks.setdefault('checkpoint', ConfigDict(type='CheckpointHook'))
    if checkpoint is not None:
        counts, interval = checkpoint.get('by_epoch', True), checkpoint.get('interval', -1)
        quarter = max(1, end // 4)
        # what the config has is too seldom for a short training, or counts otherwise
        checkpoint.update(
            by_epoch=by_epoch,
            interval=min(interval, quarter) if interval > 0 and counts == by_epoch else quarter,
        )
        checkpoint.setdefault('max_keep_ckpts', 1)
    cfg.default_hooks = hooks


def _check_sampler(cfg: Config) -> None:
    sampler = type_name((cfg.get('train_dataloader') or {}).get('sampler'))
    if 'InfiniteSampler' in sampler:
        raise ValueError(
            f'`{SECTION}.max_epochs` needs a `train_dataloader.sampler` whose epochs end, '
            f'DefaultSampler for instance, got {sampler!r}: set `max_iters`, and `max_epochs` to '
            'None'
        )
