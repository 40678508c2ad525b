"""What the fine-tuning of a member needs: seeds, class offsets, the prior, its loss in the log."""

import hashlib
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.dist import broadcast_object_list, get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

from ...models.losses import ABNNLoss
from ...models.wrappers import unwrapped
from .member_losses import abnn_losses, draw_etas, loss_state, restore_etas, set_prior

_STATE = 'abnn'  # the hook's own entry in a checkpoint


def _seed_of(seed: int, rank: int, iteration: int) -> int:
    digest = hashlib.sha256(f'{seed}/{rank}/{iteration}'.encode()).digest()
    return int.from_bytes(digest[:8], 'little') >> 1


class FineTuningHook(Hook):
    """Sets up the losses of a member, and seeds its noise; does nothing in a test.

    It draws the class offsets of every :class:`ABNNLoss` from the run's seed, keeps them in the
    Runner's checkpoints, and seeds PyTorch before each iteration from (seed, rank, iteration): so
    the processes of a distributed run draw different noise, and a resumed run draws what an
    uninterrupted one would.

    Args:
        fixed: Names of normalization layers, beside the Bayesian ones, whose running statistics
            stay fixed.
    """

    priority = 'VERY_HIGH'

    def __init__(self, fixed: Sequence[str] = ()) -> None:
        self._fixed_names = tuple(fixed)
        self._fixed: list[nn.Module] = []
        self._weights_loaded = False
        self._resumed_state: dict[str, Any] | None = None
        self._seed = 0
        self._losses: dict[str, ABNNLoss] = {}

    def before_run(self, runner: Runner) -> None:
        """Draw eta."""
        model = unwrapped(runner.model)
        self._fixed = [model.get_submodule(name) for name in self._fixed_names]
        seeds = [runner.seed]
        broadcast_object_list(seeds)  # `diff_rank_seed` gives each process a seed of its own
        self._seed = seeds[0]
        draw_etas(model, self._seed)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Keep what a resumed training needs of the losses."""
        checkpoint[_STATE] = loss_state(unwrapped(runner.model))

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Take up again what an interrupted training kept."""
        self._weights_loaded = True
        if runner._resume and _STATE in checkpoint:
            self._resumed_state = checkpoint[_STATE]
            restore_etas(unwrapped(runner.model), checkpoint[_STATE])

    def before_train(self, runner: Runner) -> None:
        """Refuse to fine-tune a network that was never trained, or in vain."""
        if not self._weights_loaded:
            raise ValueError(
                'an ABNN is made from a trained network, but `load_from` is not set: give the '
                'checkpoint of the deterministic network in the config, or by '
                '--cfg-options load_from=FILE'
            )
        model = unwrapped(runner.model)
        self._losses = {name: loss for name, (loss, _) in abnn_losses(model).items()}
        if not self._losses:
            runner.logger.warning(
                'No head of the model has an `ABNNLoss`: the members differ by their noise and '
                'their data only, not by class weights'
            )
        groups = runner.optim_wrapper.param_groups
        if isinstance(groups, dict):  # several optimizers
            groups = [group for several in groups.values() for group in several]
        optimized = {id(p) for group in groups for p in group['params']}
        trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
        unknown = [n for n, p in trained.items() if id(p) not in optimized]
        if unknown:
            raise ValueError(
                f'the optimizer does not know {len(unknown)} of the {len(trained)} parameter '
                f'tensors to be trained (first: {unknown[0]}): its constructor left out what the '
                'config had frozen (`requires_grad=False` or `frozen_stages`)'
            )
        set_prior(model, groups, self._resumed_state)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any | None = None
    ) -> None:
        """Seed the noise of the iteration."""
        torch.manual_seed(_seed_of(self._seed, get_rank(), runner.iter))
        for module in self._fixed:
            module.training = False

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any | None = None,
        outputs: dict[str, Any] | None = None,
    ) -> None:
        """Log the terms of the losses that have more than one."""
        for name, loss in self._losses.items():
            if len(loss.terms) > 1:
                for term, value in loss.terms.items():
                    runner.message_hub.update_scalar(f'train/{name}.{term}', value.item())
