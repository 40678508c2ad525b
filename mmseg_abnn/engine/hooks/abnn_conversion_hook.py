"""Converting the Runner's model to an ABNN."""

import gc
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from ...conversion import Alpha, check_conversion_arguments, convert_to_abnn
from ...models.wrappers import unwrapped
from .checkpoint_members_hook import CheckpointMembersHook
from .fine_tuning_hook import FineTuningHook


@HOOKS.register_module()
class ABNNConversionHook(Hook):
    """Makes the Runner's model an ABNN before anything is trained or tested.

    It converts in ``before_run``, ahead of hooks that copy the model (EMA), freezes what is not
    trained, and wraps a distributed model again where the freezing changed what is trained. It
    brings the :class:`CheckpointMembersHook`, if the Runner has none, and the
    :class:`FineTuningHook` along.

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

    def before_run(self, runner: Runner) -> None:
        """Convert, freeze, and register the hooks that an ABNN needs."""
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
        runner.logger.info(f'Converted {type(model).__name__} to an ABNN:\n{report}')
        if report.num_trainable < selected:
            runner.logger.warning(
                f'The network froze {selected - report.num_trainable:,} of the {selected:,} '
                'parameters that were to be trained (`frozen_stages`?): they stay as they are; '
                'their layers draw noise all the same'
            )
        # The Runner goes through its list of hooks at the moment. With the priority of this hook
        # the new ones come behind it: their `before_run` is still called, and none is called twice.
        CheckpointMembersHook.register_in(runner, self.priority)
        fixed = list(report.left_alone) if self.settings['norm_eval'] else []
        runner.register_hook(FineTuningHook(fixed), self.priority)

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
