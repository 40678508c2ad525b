"""Fine-tuning the members of an ABNN from one config."""

import copy
import gc
import glob
import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.dist import barrier, init_dist, is_distributed, is_main_process
from mmengine.hooks import EMAHook
from mmengine.logging import print_log
from mmengine.runner import Runner, find_latest_checkpoint
from torch import Tensor, nn

from .. import __version__
from ..checkpoint import network_state, read_checkpoint
from ..engine.member_losses import etas
from ..members import (
    load_member,
    member_tensors,
    noise_facts,
    save_ensemble,
    save_member,
    state_hash,
)
from ..models.wrappers import unwrapped
from .runner import build_runner

ENSEMBLE_FILE = 'abnn.pth'
STARTED_FILE = 'started.json'  # what a member's training was started with
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
_LOADING = ('num_workers', 'persistent_workers', 'pin_memory', 'prefetch_factor')
_INDECISIVE = (*_LOADING, 'test_cfg', 'val_interval', 'val_begin')


def member_path(work_dir: str, member: int) -> str:
    """Return where a member is stored."""
    return os.path.join(work_dir, f'member_{member}.safetensors')


def train_members(cfg: Config, only: int | None = None) -> str:
    """Fine-tune the ``cfg.num_members`` members one after the other from ``cfg.load_from``.

    Each member is an ordinary Runner with its own work dir ``member_<m>`` and its own seed
    (``randomness.seed`` + m). Written are ``member_<m>.safetensors`` and, with the base network and
    all members in one file, ``abnn.pth``. Members that are finished are kept. With ``cfg.resume``
    an interrupted one continues from its last checkpoint, else it starts again.

    Args:
        cfg: A complete config with ``work_dir``.
        only: Train this member alone, and do not write ``abnn.pth``.

    Returns:
        The path of ``abnn.pth``, or of the one member.

    Raises:
        ValueError: If the config is no ABNN's, or a finished member was made with other settings.
        FileNotFoundError: If ``load_from`` does not exist.
    """
    _check_config(cfg, only)
    base_state = network_state(read_checkpoint(cfg.load_from))
    base_hash = state_hash(base_state)
    count = cfg.num_members
    paths = [member_path(cfg.work_dir, member) for member in range(count)]
    for member in range(count) if only is None else [only]:
        member_cfg = member_config(cfg, member)
        if _is_finished(paths[member], base_hash, member_cfg):
            print_log(f'Member {member} of {count} is finished: {paths[member]}', logger='current')
            continue
        print_log(f'Fine-tuning member {member} of {count}', logger='current')
        _train_member(member_cfg, member, paths[member], base_state, base_hash)
    if only is not None:
        return paths[only]
    ensemble = os.path.join(cfg.work_dir, ENSEMBLE_FILE)
    if cfg.get('launcher', 'none') != 'none' and not is_distributed():
        # every member was finished, so no Runner has connected the processes
        init_dist(cfg.launcher, **(cfg.get('env_cfg') or {}).get('dist_cfg', {}))
    if is_main_process():
        save_ensemble(ensemble, base_state, paths)
        print_log(f'The base network and its {count} members: {ensemble}', logger='current')
    barrier()
    return ensemble


def _check_config(cfg: Config, only: int | None) -> None:
    count = cfg.num_members
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise ValueError(f'`num_members` must be an int >= 1, got {count!r}')
    if only is not None and not 0 <= only < count:
        raise ValueError(f'the member must be between 0 and {count - 1}, got {only}')
    hooks = (hook for hook in cfg.get('custom_hooks') or [] if isinstance(hook, Mapping))
    if not any(_type_name(hook) == 'ABNNConversionHook' for hook in hooks):
        raise ValueError(
            'an ABNN needs `custom_hooks` with `ABNNConversionHook`, which makes the normalization '
            "layers Bayesian: custom_hooks=[dict(type='ABNNConversionHook', alpha=0.1)]"
        )
    if not cfg.get('load_from'):
        raise ValueError(
            'an ABNN is made from a trained network, but `load_from` is not set: give its '
            'checkpoint in the config, or by --cfg-options load_from=FILE'
        )


def _type_name(cfg: Mapping[str, Any]) -> str:
    # a registered name, with or without its scope, or a class
    kind = cfg.get('type', '')
    return getattr(kind, '__name__', str(kind)).rpartition('.')[2]


def member_config(cfg: Config, member: int) -> Config:
    """Return the config of one member's Runner."""
    cfg = copy.deepcopy(cfg)
    seed = (cfg.get('randomness') or {}).get('seed')
    cfg.randomness = dict(cfg.get('randomness') or {}, seed=(0 if seed is None else seed) + member)
    cfg.work_dir = os.path.join(cfg.work_dir, f'member_{member}')
    cfg.experiment_name = f'{os.path.basename(os.path.dirname(cfg.work_dir))}_member_{member}'
    if 'visualizer' in cfg:  # one of the same name would go on writing to the folder of the first
        cfg.visualizer.name = cfg.experiment_name
    _drop_initialization(cfg.model)
    _repeat_augmentations(cfg.get('train_dataloader'))
    return cfg


def _drop_initialization(part: Any) -> None:
    # all weights come from `load_from`: nothing needs to be downloaded for the backbone before
    if isinstance(part, list):
        for item in part:
            _drop_initialization(item)
    elif isinstance(part, dict):
        if 'pretrained' in part:
            part['pretrained'] = None
        if 'checkpoint' in str(part.get('init_cfg')):
            part['init_cfg'] = None
        for value in part.values():
            _drop_initialization(value)


def _repeat_augmentations(loader: ConfigDict | None) -> None:
    sampler = (loader or {}).get('sampler') or {}
    if loader is not None and _type_name(sampler) == 'InfiniteSampler':
        sampler['type'] = 'SeededInfiniteSampler'
        loader.dataset = dict(type='SeededDataset', dataset=loader.dataset)


def decisive_settings(cfg: Config) -> dict[str, Any]:
    """Return the settings of a member's config that its weights depend on, as plain data."""

    def plain(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {str(k): plain(v) for k, v in value.items() if k not in _INDECISIVE}
        if isinstance(value, (list, tuple)):
            return [plain(item) for item in value]
        return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)

    return {key: plain(cfg.get(key)) for key in _DECISIVE}


def _differences(old: Any, new: Any, name: str = '') -> Iterator[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            yield from _differences(old.get(key), new.get(key), f'{name}.{key}' if name else key)
    elif old != new:
        yield f'{name}: {old} -> {new}'


def _check_same(path: str, facts: Mapping[str, Any], base_hash: str, cfg: Config) -> None:
    differences = list(_differences(facts.get('config'), decisive_settings(cfg)))
    if facts.get('base_hash') != base_hash:
        differences.insert(0, 'load_from: another network')
    if differences:
        raise ValueError(
            f'{path} was made with other settings: delete it, or choose another --work-dir. '
            f'Different: {"; ".join(differences[:5])}'
        )


def _is_finished(path: str, base_hash: str, cfg: Config) -> bool:
    if not os.path.isfile(path):
        return False
    _check_same(path, load_member(path)[1], base_hash, cfg)
    return True


def _checkpoints(work_dir: str) -> Iterator[str]:
    """Name the checkpoints of an interrupted training, the latest first."""
    last = find_latest_checkpoint(work_dir)
    if last is not None:  # an absolute path; the folder may have been moved since
        yield os.path.join(work_dir, os.path.basename(last))
    others = glob.glob(os.path.join(glob.escape(work_dir), '*_*.pth'))
    yield from sorted(others, key=os.path.getmtime, reverse=True)


def _continue_from_last(cfg: Config, settings: Mapping[str, Any], base_hash: str) -> None:
    resume, cfg.resume = cfg.get('resume'), False
    facts = os.path.join(cfg.work_dir, STARTED_FILE)
    for path in _checkpoints(cfg.work_dir) if resume and os.path.isfile(facts) else ():
        try:
            read_checkpoint(path)
        except (FileNotFoundError, ValueError) as error:
            # the process was killed while it replaced its checkpoint
            print_log(f'A checkpoint that cannot be used: {error}', logger='current')
            continue
        with open(facts, encoding='utf-8') as file:
            _check_same(cfg.work_dir, json.load(file), base_hash, cfg)
        # MMEngine would resume from `load_from` if both were set
        cfg.resume, cfg.load_from = True, path
        return
    if is_main_process():
        os.makedirs(cfg.work_dir, exist_ok=True)
        with open(facts, 'w', encoding='utf-8') as file:
            json.dump({'base_hash': base_hash, 'config': settings}, file)


def _train_member(
    cfg: Config, member: int, path: str, base_state: Mapping[str, Tensor], base_hash: str
) -> None:
    settings = decisive_settings(cfg)
    _continue_from_last(cfg, settings, base_hash)
    runner = build_runner(cfg)
    runner.train()
    model = unwrapped(runner.model)
    metadata: dict[str, Any] = {
        'member': member,
        'seed': cfg.randomness.seed,
        'base_hash': base_hash,
        **noise_facts(model),
        'eta': etas(model),
        'version': __version__,
        'config': settings,
    }
    if is_main_process():
        save_member(path, member_tensors(_averaged(runner, model), base_state), metadata)
    barrier()
    del runner, model
    gc.collect()


def _averaged(runner: Runner, model: nn.Module) -> nn.Module:
    # with an exponential moving average, its weights are the result of the training
    hooks = (hook for hook in runner.hooks if isinstance(hook, EMAHook))
    return next((hook.ema_model.module for hook in hooks), model)
