"""Fine-tuning the members of an ABNN from one config."""

import gc
import glob
import os
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from mmengine.config import Config
from mmengine.dist import barrier, init_dist, is_distributed, is_main_process
from mmengine.hooks import EMAHook, Hook, SyncBuffersHook
from mmengine.logging import print_log
from mmengine.runner import Runner, find_latest_checkpoint
from torch import nn

from .. import __version__
from ..checkpoint import BaseNetwork, read_checkpoint
from ..engine.hooks.member_losses import etas
from ..messages import located
from ..models.layers import noise_facts
from ..models.member_bank import member_tensors
from ..models.monte_carlo import MonteCarlo
from ..models.prediction_settings import PredictionSettings
from ..models.wrappers import unwrapped
from .class_names import class_facts
from .expanded_names import name_in_section
from .member_config import check_config, decisive_settings, member_config
from .member_files import ENSEMBLE_FILE, load_member, member_path, save_ensemble, save_member
from .origin import origin_of
from .runner import build_runner
from .stamps import Stamp, differences, read_stamp, write_stamp

STARTED_FILE = 'started.json'  # what a member's training was started with


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
    check_config(cfg, only)
    base = BaseNetwork.read(cfg.load_from)
    count = cfg.num_members
    paths = [member_path(cfg.work_dir, member) for member in range(count)]
    origin = origin_of(cfg)
    for member in range(count) if only is None else [only]:
        member_cfg = member_config(cfg, member)
        stamp = _stamp(member_cfg, base)
        if os.path.isfile(paths[member]):
            _check_same(cfg, paths[member], load_member(paths[member])[1], stamp)
            print_log(f'Member {member} of {count} is finished: {paths[member]}', logger='current')
            continue
        print_log(f'Fine-tuning member {member} of {count}', logger='current')
        with base.kept():
            _train_member(member_cfg, member, paths[member], base, stamp, origin)
    if only is not None:
        _say_how_to_merge(cfg, paths, only)
        return paths[only]
    ensemble = os.path.join(cfg.work_dir, ENSEMBLE_FILE)
    if cfg.get('launcher', 'none') != 'none' and not is_distributed():
        # every member was finished, so no Runner has connected the processes
        init_dist(cfg.launcher, **(cfg.get('env_cfg') or {}).get('dist_cfg', {}))
    if is_main_process():
        save_ensemble(ensemble, base, paths, origin)
        print_log(f'The base network and its {count} members: {ensemble}', logger='current')
    barrier()
    return ensemble


def _say_how_to_merge(cfg: Config, paths: Sequence[str], member: int) -> None:
    ensemble = os.path.join(cfg.work_dir, ENSEMBLE_FILE)
    command = ['mmseg-abnn', 'merge', cfg.load_from, *paths, '--out', ensemble]
    print_log(
        f'Member {member} is written: {paths[member]}. When all {len(paths)} are, merge them by\n'
        f'  {shlex.join(command)}',
        logger='current',
    )


def _stamp(cfg: Config, base: BaseNetwork) -> dict[str, Any]:
    """Return what a member's weights depend on."""
    return {'base_hash': base.hash, 'config': decisive_settings(cfg)}


def _check_same(cfg: Config, path: str, facts: Stamp, stamp: Stamp) -> None:
    changes = differences(facts.get('config'), stamp['config'])
    # named as the user wrote them; one setting of the section may stand for several
    found = list(dict.fromkeys(name_in_section(cfg, change) for change in changes))
    if facts.get('base_hash') != stamp['base_hash']:
        found.insert(0, 'load_from: another network')
    if found:
        raise ValueError(
            f'{located(path)} was made with other settings: delete it, or choose another '
            f'--work-dir. Different: {"; ".join(found[:5])}'
        )


def _checkpoints(work_dir: str) -> Iterator[str]:
    """Name the checkpoints of an interrupted training, the latest first."""
    last = find_latest_checkpoint(work_dir)
    if last is not None:  # an absolute path; the folder may have been moved since
        here = os.path.join(work_dir, os.path.basename(last))
        yield here if os.path.isfile(here) else last  # `out_dir` of a CheckpointHook
    others = glob.glob(os.path.join(glob.escape(work_dir), '*_*.pth'))
    yield from sorted(others, key=os.path.getmtime, reverse=True)


def _continue_from_last(cfg: Config, stamp: Stamp) -> None:
    """Let a Runner resume an interrupted training, if that is wanted and there is one."""
    resume, cfg.resume = cfg.get('resume'), False
    path = os.path.join(cfg.work_dir, STARTED_FILE)
    started = read_stamp(path) if resume else None
    for checkpoint in _checkpoints(cfg.work_dir) if started is not None else ():
        try:
            read_checkpoint(checkpoint)
        except (FileNotFoundError, ValueError) as error:
            # the process was killed while it replaced its checkpoint
            print_log(f'A checkpoint that cannot be used: {error}', logger='current')
            continue
        _check_same(cfg, cfg.work_dir, started or {}, stamp)
        # MMEngine would resume from `load_from` if both were set
        cfg.resume, cfg.load_from = True, checkpoint
        return
    if is_main_process():
        write_stamp(path, stamp)


class _AfterTraining(Hook):
    """Calls a function once, when the last iteration is done and before the last validation.

    That may take long, and whatever ends it must not cost a member that is trained.
    """

    priority = 'LOWEST'

    def __init__(self, function: Callable[[Runner], None]) -> None:
        self._function: Callable[[Runner], None] | None = function

    def before_val(self, runner: Runner) -> None:
        """Call it if this is the last validation."""
        if runner.iter < runner.max_iters:
            return
        for hook in runner.hooks:
            if isinstance(hook, SyncBuffersHook):
                hook.before_val_epoch(runner)  # which would come too late
        self.after_train(runner)

    def after_train(self, runner: Runner) -> None:
        """Call it if no validation came before."""
        if self._function is not None:
            function, self._function = self._function, None
            function(runner)


class _ValidationWithoutNoise(Hook):
    """Lets a validation take one pass for an image.

    That tells whether the fine-tuning broke something; all draws would take longer than the
    fine-tuning, and one member's figures are not the ensemble's.
    """

    def before_val(self, runner: Runner) -> None:
        """Let the network predict without noise."""
        model = unwrapped(runner.model)
        if isinstance(model, MonteCarlo):
            self._prediction = model.prediction
            model.prediction = PredictionSettings(draws='none')

    def after_val(self, runner: Runner) -> None:
        """Let it predict as its config says."""
        model = unwrapped(runner.model)
        if isinstance(model, MonteCarlo):
            model.prediction = self._prediction


def _dataset_meta(runner: Runner, base: BaseNetwork) -> dict[str, Any]:
    stored = base.meta.get('dataset_meta') or {}
    return class_facts(stored or getattr(runner.train_loop.dataloader.dataset, 'metainfo', {}))


def _train_member(
    cfg: Config,
    member: int,
    path: str,
    base: BaseNetwork,
    stamp: Stamp,
    origin: Mapping[str, Any],
) -> None:
    _continue_from_last(cfg, stamp)

    def store(runner: Runner) -> None:
        model = unwrapped(runner.model)
        metadata: dict[str, Any] = {
            'member': member,
            'seed': cfg.randomness.seed,
            'base_hash': stamp['base_hash'],
            **noise_facts(model),
            'eta': etas(model),
            'version': __version__,
            'config': stamp['config'],
            'made_with': {**origin, 'dataset_meta': _dataset_meta(runner, base)},
        }
        if is_main_process():
            save_member(path, member_tensors(_averaged(runner, model), base.state), metadata)
        barrier()

    runner = build_runner(cfg)
    runner.register_hook(_AfterTraining(store))
    runner.register_hook(_ValidationWithoutNoise())
    runner.train()
    del runner
    gc.collect()


def _averaged(runner: Runner, model: nn.Module) -> nn.Module:
    # with an exponential moving average, its weights are the result of the training
    hooks = (hook for hook in runner.hooks if isinstance(hook, EMAHook))
    return next((hook.ema_model.module for hook in hooks), model)
