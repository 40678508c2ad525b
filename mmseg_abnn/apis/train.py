"""Training from a config: one deterministic network, or the members of an ABNN."""

import logging

from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.runner import find_latest_checkpoint

from .abnn_settings import SECTION
from .config_parts import has_hook
from .member_training import train_members
from .runner import build_runner


def train(cfg: Config, member: int | None = None) -> str:
    """Train what ``cfg`` describes: an ABNN if it has ``num_members``, else one network.

    Args:
        cfg: A complete config with ``work_dir``; ``resume`` continues an interrupted training.
        member: Train this member of the ABNN alone.

    Returns:
        The checkpoint to test: the ensemble's file, or the network's last checkpoint; with
        ``member`` the member's file.

    Raises:
        ValueError: If ``num_members``, ``member`` or ``load_from`` is unusable.
        FileNotFoundError: If ``load_from`` does not exist.
    """
    if 'num_members' in cfg:
        return train_members(cfg, member)
    if member is not None:
        raise ValueError(f'the config has no `num_members`, so there is no member {member}')
    if cfg.get('load_from') and not has_hook(cfg.get('custom_hooks'), 'ABNNConversionHook'):
        print_log(
            f'`load_from` is set, and the config has no section `{SECTION}`: this trains a plain '
            f'network further from {cfg.load_from}. To make an ABNN of that network, write '
            f'{SECTION} = dict() into the config',
            logger='current',
            level=logging.WARNING,
        )
    runner = build_runner(cfg)
    runner.train()
    return find_latest_checkpoint(cfg.work_dir) or ''
