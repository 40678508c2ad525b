"""Converting the Runner's model, and checking that the trained weights really arrived."""

import gc
from collections.abc import Sequence
from typing import Any, cast

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from torch import nn

from ...checkpoint import network_state
from ...conversion import convert_to_abnn
from ...models.layers import check_noise_arguments
from ...models.losses import ABNNLoss
from ...models.segmentors import MCEncoderDecoder


def unwrapped(model: nn.Module) -> nn.Module:
    """Return the model inside a wrapper such as DistributedDataParallel, or the model itself."""
    return cast(nn.Module, model.module) if is_model_wrapper(model) else model


def check_weights_arrive(model: nn.Module, checkpoint: dict[str, Any]) -> None:
    """Raise ValueError if a checkpoint does not hold exactly the weights that ``model`` needs.

    Args:
        model: The network to be loaded.
        checkpoint: A checkpoint's dictionary.
    """
    needed = {n: t.shape for n, t in model.state_dict().items()}
    given = {n: t.shape for n, t in network_state(checkpoint).items()}
    # checkpoints of PyTorch before 0.4.1 have no such counters, and nothing reads them
    missing = [n for n in needed if n not in given and not n.endswith('num_batches_tracked')]
    unexpected = [n for n in given if n not in needed]
    misshapen = [
        f'{n}: {tuple(given[n])} instead of {tuple(needed[n])}'
        for n in needed
        if n in given and needed[n] != given[n]
    ]
    problems = [
        f'{len(names)} of {total} {what} (first: {", ".join(names[:3])})'
        for names, total, what in (
            (missing, len(needed), 'weights of the model are missing from it'),
            (unexpected, len(given), 'of its weights are unknown to the model'),
            (misshapen, len(needed), 'weights have another shape'),
        )
        if names
    ]
    if problems:
        raise ValueError(
            'the checkpoint does not fit the model, so an ABNN made from it would not start from '
            f'trained weights: {"; ".join(problems)}'
        )


@HOOKS.register_module()
class ABNNConversionHook(Hook):
    """Makes the Runner's model an ABNN before anything is trained or tested.

    It converts in ``before_run``, ahead of hooks that copy the model (EMA), freezes what is not
    trained, wraps a distributed model again where the freezing changed what is trained, and checks
    every loaded checkpoint weight by weight. Members that a checkpoint holds are handed to the
    segmentor.

    Args:
        alpha, noise_shape, trainable, include, exclude, norm_eval: See
            :func:`mmseg_abnn.convert_to_abnn`.
    """

    priority = 'VERY_HIGH'

    def __init__(
        self,
        alpha: float = 0.1,
        noise_shape: str = 'channel',
        trainable: str | Sequence[str] = 'norm',
        include: Sequence[str] = ('*',),
        exclude: Sequence[str] = (),
        norm_eval: bool = True,
    ) -> None:
        check_noise_arguments(alpha, noise_shape)
        self.settings: dict[str, Any] = {
            'alpha': alpha,
            'noise_shape': noise_shape,
            'trainable': trainable,
            'include': include,
            'exclude': exclude,
            'norm_eval': norm_eval,
        }
        self._weights_loaded = False

    def before_run(self, runner: Runner) -> None:
        """Convert and freeze; set the losses' seed to the run's."""
        model = unwrapped(runner.model)
        trained_before = [p.requires_grad for p in model.parameters()]
        report = convert_to_abnn(model, **self.settings)
        for module in model.modules():
            if isinstance(module, ABNNLoss):
                module.seed = runner.seed
        changed = trained_before != [p.requires_grad for p in model.parameters()]
        if changed and is_model_wrapper(runner.model):
            self._wrap_again(runner, model)
        runner.logger.info(f'Converted {type(model).__name__} to an ABNN:\n{report}')

    @staticmethod
    def _wrap_again(runner: Runner, model: nn.Module) -> None:
        # DistributedDataParallel notes which parameters need gradients when it wraps.
        runner.model = None
        gc.collect()  # the old wrapper's hooks on the parameters die with it
        # converting to SyncBN was done by the first wrap; a second time would undo our conversion
        sync_bn = runner.cfg.pop('sync_bn', None)
        runner.model = runner.wrap_model(runner.cfg.get('model_wrapper_cfg'), model)
        if sync_bn is not None:
            runner.cfg.sync_bn = sync_bn

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Check that the checkpoint fits, and take over the members it holds."""
        model = unwrapped(runner.model)
        check_weights_arrive(model, checkpoint)
        self._weights_loaded = True
        members = checkpoint.get('members')
        if members and isinstance(model, MCEncoderDecoder):
            model.set_members(members)
            self._compare_alpha(runner, checkpoint['meta']['members'])
        elif members:
            runner.logger.warning(
                f"The checkpoint's {len(members)} members are ignored: {type(model).__name__} does "
                'not sample, MCEncoderDecoder does'
            )

    def _compare_alpha(self, runner: Runner, members: Sequence[dict[str, Any]]) -> None:
        alphas = sorted({facts['alpha'] for facts in members})
        if alphas != [self.settings['alpha']]:
            runner.logger.warning(
                f'The members were fine-tuned with alpha={alphas}, they are used with '
                f'alpha={self.settings["alpha"]}'
            )

    def before_train(self, runner: Runner) -> None:
        """Refuse to fine-tune a network that was never trained."""
        if not self._weights_loaded:
            raise ValueError(
                'an ABNN is made from a trained network, but `load_from` is not set: give the '
                'checkpoint of the deterministic network in the config, or by '
                '--cfg-options load_from=FILE'
            )

    def before_test(self, runner: Runner) -> None:
        """Say loudly what is being sampled."""
        model = unwrapped(runner.model)
        if not self._weights_loaded:
            raise ValueError('no checkpoint was loaded: there is no trained network to test')
        if isinstance(model, MCEncoderDecoder) and len(model.members) == 0:
            runner.logger.warning(
                'The checkpoint holds no members: the noise is drawn around its one set of weights '
                '(M = 1)'
            )
