"""Checking that the weights of a checkpoint are those that the model needs."""

from typing import Any

from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from torch import nn

from ...checkpoint import network_state
from ...models.monte_carlo import MonteCarlo
from ...models.wrappers import unwrapped

_NOT_TESTED = 'auxiliary_head.'


def check_weights_arrive(model: nn.Module, checkpoint: dict[str, Any], without: str = '') -> None:
    """Raise ValueError if a checkpoint does not hold exactly the weights that ``model`` needs.

    Args:
        model: The network to be loaded.
        checkpoint: A checkpoint's dictionary.
        without: Beginning of the names that do not matter.
    """

    def matters(name: str) -> bool:
        return not (without and name.startswith(without))

    needed = {n: t.shape for n, t in model.state_dict().items() if matters(n)}
    given = {n: t.shape for n, t in network_state(checkpoint).items() if matters(n)}
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
            'the checkpoint does not fit the model, which would not have trained weights then: '
            f'{"; ".join(problems)}'
        )


@HOOKS.register_module()
class WeightsCheckHook(Hook):
    """Refuses to test a model with the checkpoint of another one, where MMEngine only warns.

    Auxiliary heads, which take no part in a prediction, may differ.
    """

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Compare names and shapes."""
        model = unwrapped(runner.model)
        check_weights_arrive(model, checkpoint, without=_NOT_TESTED)
        members = checkpoint.get('members')
        if members and not isinstance(model, MonteCarlo):
            runner.logger.warning(
                f"The checkpoint's {len(members)} members are ignored: {type(model).__name__} does "
                'not sample, MCEncoderDecoder and MCImageClassifier do'
            )
