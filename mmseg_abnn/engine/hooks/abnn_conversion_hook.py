"""Converting the Runner's model to an ABNN, and what its training needs."""

import gc
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.dist import broadcast_object_list, get_rank
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from torch import nn

from ...conversion import Alpha, check_conversion_arguments, convert_to_abnn
from ...members import noise_facts
from ...models.layers import bayesian_layers
from ...models.losses import ABNNLoss
from ...models.monte_carlo import MonteCarlo
from ...models.wrappers import unwrapped
from ..member_losses import abnn_losses, draw_etas, loss_state, restore_etas, set_prior
from .weights_check_hook import check_weights_arrive

_STATE = 'abnn'  # the hook's own entry in a checkpoint


def _seed_of(seed: int, rank: int, iteration: int) -> int:
    digest = hashlib.sha256(f'{seed}/{rank}/{iteration}'.encode()).digest()
    return int.from_bytes(digest[:8], 'little') >> 1


@HOOKS.register_module()
class ABNNConversionHook(Hook):
    """Makes the Runner's model an ABNN before anything is trained or tested.

    It converts in ``before_run``, ahead of hooks that copy the model (EMA), freezes what is not
    trained, wraps a distributed model again where the freezing changed what is trained, and checks
    every loaded checkpoint weight by weight. Members that a checkpoint holds are handed to the
    network.

    In training it draws the class offsets of every :class:`ABNNLoss` from the run's seed, keeps
    them in the Runner's checkpoints, and seeds PyTorch before each iteration from (seed, rank,
    iteration): so the processes of a distributed run draw different noise, and a resumed run
    draws what an uninterrupted one would.

    Args:
        alpha, noise_shape, trainable, include, exclude, norm_eval: See
            :func:`mmseg_abnn.convert_to_abnn`. With ``norm_eval`` the running statistics of
            normalization layers that were not converted stay fixed too.
    """

    priority = 'VERY_HIGH'

    def __init__(
        self,
        alpha: Alpha = None,
        noise_shape: str | None = None,
        trainable: str | Sequence[str] = 'norm',
        include: Sequence[str] = ('*',),
        exclude: Sequence[str] = (),
        norm_eval: bool = True,
    ) -> None:
        check_conversion_arguments(alpha, noise_shape, trainable, include, exclude)
        self.settings: dict[str, Any] = {
            'alpha': dict(alpha) if isinstance(alpha, Mapping) else alpha,
            'noise_shape': noise_shape,
            'trainable': trainable,
            'include': include,
            'exclude': exclude,
            'norm_eval': norm_eval,
        }
        self._weights_loaded = False
        self._resumed_state: dict[str, Any] | None = None
        self._seed = 0
        self._left_alone: list[nn.Module] = []
        self._losses: dict[str, ABNNLoss] = {}

    def before_run(self, runner: Runner) -> None:
        """Convert, freeze, and draw eta."""
        model = unwrapped(runner.model)
        trained_before = [p.requires_grad for p in model.parameters()]
        report = convert_to_abnn(model, **self.settings)
        # some networks freeze parts of themselves when they are set to training mode
        # (`frozen_stages`): let them, before DistributedDataParallel looks at what is trained
        model.train()
        selected = report.num_trainable
        report.count_parameters(model)
        if trained_before != [p.requires_grad for p in model.parameters()]:
            self._wrap_again(runner)
        if report.num_trainable == 0:
            raise ValueError(
                f'the network froze all {selected:,} parameters that were to be trained: remove '
                '`frozen_stages`, or choose others by `trainable`'
            )
        self._left_alone = [model.get_submodule(name) for name in report.left_alone]
        runner.logger.info(f'Converted {type(model).__name__} to an ABNN:\n{report}')
        if report.num_trainable < selected:
            runner.logger.warning(
                f'The network froze {selected - report.num_trainable:,} of the {selected:,} '
                'parameters that were to be trained (`frozen_stages`?): they stay as they are; '
                'their layers draw noise all the same'
            )
        seeds = [runner.seed]
        broadcast_object_list(seeds)  # `diff_rank_seed` gives each process a seed of its own
        self._seed = seeds[0]
        draw_etas(model, self._seed)

    @staticmethod
    def _wrap_again(runner: Runner) -> None:
        # DistributedDataParallel notes which parameters need gradients when it wraps.
        if not is_model_wrapper(runner.model):
            return
        model = runner.model.module  # the network, or the model that augments its tests
        runner.model = None
        gc.collect()  # the old wrapper's hooks on the parameters die with it
        # converting to SyncBN was done by the first wrap
        sync_bn = runner.cfg.pop('sync_bn', None)
        runner.model = runner.wrap_model(runner.cfg.get('model_wrapper_cfg'), model)
        if sync_bn is not None:
            runner.cfg.sync_bn = sync_bn

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Keep what a resumed training needs of the losses."""
        checkpoint[_STATE] = loss_state(unwrapped(runner.model))

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Check that the checkpoint fits, and take over what it holds of an ABNN."""
        model = unwrapped(runner.model)
        check_weights_arrive(model, checkpoint)
        self._weights_loaded = True
        if runner._resume and _STATE in checkpoint:
            self._resumed_state = checkpoint[_STATE]
            restore_etas(model, checkpoint[_STATE])
        members = checkpoint.get('members')
        if members and isinstance(model, MonteCarlo):
            model.set_members(members)
            self._compare_noise(runner, checkpoint['meta']['members'])
        elif members:
            runner.logger.warning(
                f"The checkpoint's {len(members)} members are ignored: {type(model).__name__} does "
                'not sample, MCEncoderDecoder and MCImageClassifier do'
            )

    @staticmethod
    def _compare_noise(runner: Runner, members: Sequence[dict[str, Any]]) -> None:
        for key, now in noise_facts(unwrapped(runner.model)).items():
            others = [facts[key] for facts in members if facts.get(key, now) != now]
            if others:
                runner.logger.warning(
                    f'The members were fine-tuned with {key}={others[0]}, they are used with '
                    f'{key}={now}'
                )

    def before_train(self, runner: Runner) -> None:
        """Refuse to fine-tune a network that was never trained, or in vain."""
        if not self._weights_loaded:
            raise ValueError(
                'an ABNN is made from a trained network, but `load_from` is not set: give the '
                'checkpoint of the deterministic network in the config, or by '
                '--cfg-options load_from=FILE'
            )
        model = unwrapped(runner.model)
        if isinstance(model, MonteCarlo) and len(model.members) > 0:
            runner.logger.warning(
                f'The {len(model.members)} members in the checkpoint are ignored: fine-tuning '
                'starts from its base network'
            )
            model.set_members([])
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
        if self.settings['norm_eval']:
            for module in self._left_alone:
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

    def before_val(self, runner: Runner) -> None:
        """Say loudly if nothing is sampled."""
        model = unwrapped(runner.model)
        if not isinstance(model, MonteCarlo):
            runner.logger.warning(
                f'{type(model).__name__} does not average over draws: every forward pass has one '
                'fresh draw of the noise, and figures differ from run to run. MCEncoderDecoder, '
                'MCCascadeEncoderDecoder and MCImageClassifier average'
            )

    def before_test(self, runner: Runner) -> None:
        """Say loudly what is being sampled."""
        self.before_val(runner)
        model = unwrapped(runner.model)
        if not self._weights_loaded:
            raise ValueError('no checkpoint was loaded: there is no trained network to test')
        if isinstance(model, MonteCarlo) and len(model.members) == 0:
            noisy = any(layer.alpha for layer in bayesian_layers(model).values())
            runner.logger.warning(
                'The checkpoint holds no members: the noise is drawn around its one set of weights '
                '(M = 1)'
                if noisy or model.draws == 'dropout'
                else 'The checkpoint holds no members and alpha is 0: this tests one deterministic '
                'network, no ensemble'
            )
