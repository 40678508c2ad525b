"""Training from a config: one deterministic network, or the members of an ABNN."""

import copy
import gc
import os
from typing import Any, cast

from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import barrier, is_main_process
from mmengine.logging import print_log
from mmengine.registry import RUNNERS
from mmengine.runner import Runner, find_latest_checkpoint

from .. import __version__
from ..checkpoint import network_state, read_checkpoint
from ..engine.hooks import unwrapped
from ..members import load_member, member_tensors, save_ensemble, save_member, state_hash
from ..models.layers import bayesian_layers
from ..models.losses import ABNNLoss

ENSEMBLE_FILE = 'abnn.pth'


def build_runner(cfg: Config) -> Runner:
    """Build the Runner that ``cfg`` asks for."""
    return RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)


def train(cfg: Config) -> str:
    """Train what ``cfg`` describes: an ABNN if it has ``num_members``, else one network.

    Args:
        cfg: A complete config with ``work_dir``; ``resume`` continues an interrupted training.

    Returns:
        The checkpoint to test: the ensemble's file, or the network's last checkpoint.

    Raises:
        ValueError: If ``num_members`` or ``load_from`` is unusable.
        FileNotFoundError: If ``load_from`` does not exist.
    """
    if 'num_members' in cfg:
        return train_members(cfg)
    runner = build_runner(cfg)
    runner.train()
    return find_latest_checkpoint(cfg.work_dir) or ''


def train_members(cfg: Config) -> str:
    """Fine-tune ``cfg.num_members`` members one after the other from ``cfg.load_from``.

    Each member is an ordinary Runner with its own work dir ``member_<m>`` and its own seed
    (``randomness.seed`` + m). Written are ``member_<m>.safetensors`` and, with the base network and
    all members in one file, ``abnn.pth``. With ``cfg.resume`` finished members are kept and an
    interrupted one continues.

    Returns:
        The path of ``abnn.pth``.
    """
    count = cfg.num_members
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise ValueError(f'`num_members` must be an int >= 1, got {count!r}')
    if not cfg.get('load_from'):
        raise ValueError(
            'an ABNN is made from a trained network, but `load_from` is not set: give its '
            'checkpoint in the config, or by --cfg-options load_from=FILE'
        )
    base_state = network_state(read_checkpoint(cfg.load_from))
    base_hash = state_hash(base_state)
    paths = [os.path.join(cfg.work_dir, f'member_{m}.safetensors') for m in range(count)]
    for member, path in enumerate(paths):
        if cfg.get('resume') and is_finished(path, base_hash):
            print_log(f'Member {member} of {count} is finished: {path}', logger='current')
            continue
        print_log(f'Fine-tuning member {member} of {count}', logger='current')
        train_member(cfg, member, path, base_hash)
    ensemble = os.path.join(cfg.work_dir, ENSEMBLE_FILE)
    if is_main_process():
        save_ensemble(ensemble, base_state, paths)
        print_log(f'The base network and its {count} members: {ensemble}', logger='current')
    barrier()
    return ensemble


def is_finished(path: str, base_hash: str) -> bool:
    """Tell whether ``path`` holds a member that was fine-tuned from the given network."""
    return os.path.isfile(path) and load_member(path)[1]['base_hash'] == base_hash


def member_config(cfg: Config, member: int) -> Config:
    """Return the config of one member's Runner."""
    cfg = copy.deepcopy(cfg)
    seed = (cfg.get('randomness') or {}).get('seed')
    cfg.randomness = dict(cfg.get('randomness') or {}, seed=(0 if seed is None else seed) + member)
    cfg.work_dir = os.path.join(cfg.work_dir, f'member_{member}')
    cfg.experiment_name = f'{os.path.basename(os.path.dirname(cfg.work_dir))}_member_{member}'
    # MMEngine would resume from `load_from` if both were set
    latest = find_latest_checkpoint(cfg.work_dir) if cfg.get('resume') else None
    cfg.resume = latest is not None
    if latest is not None:
        cfg.load_from = latest
    return cfg


def train_member(cfg: Config, member: int, path: str, base_hash: str) -> None:
    """Fine-tune one member and write its file."""
    cfg = member_config(cfg, member)
    runner = build_runner(cfg)
    runner.train()
    model = unwrapped(runner.model)
    layer = next(iter(bayesian_layers(model).values()))
    num_classes = cast(int, model.num_classes)
    losses = {n: m for n, m in model.named_modules() if isinstance(m, ABNNLoss)}
    metadata: dict[str, Any] = {
        'member': member,
        'seed': cfg.randomness.seed,
        'base_hash': base_hash,
        'alpha': layer.alpha,
        'noise_shape': layer.noise_shape,
        'eta': {n: loss.eta_offsets(num_classes).tolist() for n, loss in losses.items()},
        'version': __version__,
    }
    if is_main_process():
        save_member(path, member_tensors(model), metadata)
    barrier()
    del runner, model
    gc.collect()


def enable_amp(cfg: Config) -> None:
    """Switch ``cfg`` to automatic mixed precision, in place: on a GPU or, in bfloat16, on the CPU.

    Raises:
        ValueError: If the config's optimizer wrapper is of a type that has no such form.
    """
    wrapper = cfg.optim_wrapper
    kind = wrapper.get('type', 'OptimWrapper')
    if kind in ('AmpOptimWrapper', 'CPUAmpOptimWrapper'):
        print_log('Mixed precision is enabled by the config already', logger='current')
    elif kind != 'OptimWrapper':
        raise ValueError(f'--amp needs `optim_wrapper.type` to be OptimWrapper, got {kind!r}')
    elif get_device() == 'cpu':
        wrapper.type = 'CPUAmpOptimWrapper'
    else:
        wrapper.type = 'AmpOptimWrapper'
        wrapper.loss_scale = 'dynamic'
