"""What a checkpoint brings: weights that must be those of the model, and the members of an ABNN."""

from collections.abc import Mapping
from typing import Any, cast

from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import BaseLoop, Runner
from torch import nn

from ...checkpoint import bring_up_to_date, member_states, network_state, state_hash
from ...models.layers import bayesian_layers, noise_facts
from ...models.monte_carlo import MonteCarlo
from ...models.wrappers import unwrapped
from ..entry_points import members_refused

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


def noise_differences(model: MonteCarlo, checkpoint: Mapping[str, Any]) -> list[str]:
    """Say in what the noise that an ABNN was fine-tuned with is not that of the network."""
    if model.prediction.draws != 'noise':
        return []
    facts = _member_facts(checkpoint)
    found = []
    for key, now in noise_facts(cast(nn.Module, model)).items():
        others = [member[key] for member in facts if member.get(key, now) != now]
        if others:
            found.append(
                f'The members were fine-tuned with {key}={others[0]}, they are used with '
                f'{key}={now}'
            )
    return found


def _member_facts(checkpoint: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    meta = checkpoint.get('meta')
    facts = meta.get('members') if isinstance(meta, Mapping) else None
    if facts is None:
        return []
    if not isinstance(facts, list) or not all(isinstance(fact, Mapping) for fact in facts):
        raise ValueError(f'`meta.members` of the checkpoint must be a list of dicts, got {facts!r}')
    return facts


def check_members(checkpoint: Mapping[str, Any], source: str = 'the checkpoint') -> None:
    """Raise ValueError if members of a checkpoint are missing, or parts of one.

    Args:
        checkpoint: Its dictionary.
        source: What it is called in the message.
    """
    told, members = len(_member_facts(checkpoint)), member_states(checkpoint)
    if told and told != len(members):
        raise ValueError(f'{source} was written with {told} members, and holds {len(members)}')
    for index, member in enumerate(members):
        other = members[0].keys() ^ member.keys()
        if other:
            raise ValueError(
                f'the members 0 and {index} of {source} do not hold the same tensors: {len(other)} '
                f'are in one of them only (first: {min(other)})'
            )


def other_base(checkpoint: Mapping[str, Any]) -> str | None:
    """Say if a checkpoint's network is not the one that its members were fine-tuned from."""
    hashes = {fact['base_hash'] for fact in _member_facts(checkpoint) if 'base_hash' in fact}
    if not hashes or hashes == {state_hash(network_state(checkpoint))}:
        return None
    return (
        'The network in the checkpoint is not the one that its members were fine-tuned from: its '
        'weights were changed since'
    )


def missing_members(model: MonteCarlo) -> str | None:
    """Say what is predicted if a network that samples has no members; None if it has some."""
    if len(model.members):
        return None
    noisy = any(layer.alpha for layer in bayesian_layers(cast(nn.Module, model)).values())
    draws = model.prediction.draws
    return (
        'The checkpoint holds no members: the noise is drawn around its one set of weights (M = 1)'
        if draws == 'dropout' or (draws == 'noise' and noisy)
        else 'The checkpoint holds no members, and there is no noise: this tests one '
        'deterministic network, no ensemble'
    )


@HOOKS.register_module(name=['CheckpointMembersHook', 'WeightsCheckHook'])
class CheckpointMembersHook(Hook):
    """Checks a checkpoint that the Runner loads, and that its members are taken by the network.

    MMEngine only warns of weights that do not fit; this raises. Where nothing is trained, auxiliary
    heads, which take no part in a prediction, may differ. Before a validation or a test it says
    loudly what is sampled, and what is not.
    """

    priority = 'VERY_HIGH'

    def __init__(self) -> None:
        self._weights_loaded = False

    @classmethod
    def register_in(cls, runner: Runner, priority: int | str | None = None) -> None:
        """Register one, unless the Runner has one already."""
        if not any(isinstance(hook, cls) for hook in runner.hooks):
            runner.register_hook(cls(), priority)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Compare names and shapes, and see to it that the members arrive."""
        bring_up_to_date(checkpoint)
        model = unwrapped(runner.model)
        trains = isinstance(runner._train_loop, BaseLoop)
        check_weights_arrive(model, checkpoint, without='' if trains else _NOT_TESTED)
        self._weights_loaded = True
        check_members(checkpoint)
        count = len(member_states(checkpoint))
        if not count:
            return
        if trains:
            runner.logger.warning(
                f'The {count} members in the checkpoint are ignored: the training starts from '
                'its base network'
            )
            checkpoint['state_dict'] = network_state(checkpoint)
        elif not isinstance(model, MonteCarlo):
            raise ValueError(members_refused(count, model))
        else:
            said = [*noise_differences(model, checkpoint), other_base(checkpoint)]
            for difference in filter(None, said):
                runner.logger.warning(difference)

    def before_val(self, runner: Runner) -> None:
        """Say loudly if nothing is averaged."""
        model = unwrapped(runner.model)
        if bayesian_layers(model) and not isinstance(model, MonteCarlo):
            runner.logger.warning(
                f'{type(model).__name__} does not average over draws: every forward pass has one '
                'fresh draw of the noise, and figures differ from run to run. MCEncoderDecoder, '
                'MCCascadeEncoderDecoder and MCImageClassifier average'
            )

    def before_test(self, runner: Runner) -> None:
        """Say loudly what is sampled."""
        self.before_val(runner)
        model = unwrapped(runner.model)
        if not self._weights_loaded:
            raise ValueError('no checkpoint was loaded: there is no trained network to test')
        if isinstance(model, MonteCarlo):
            said = model.prediction.describe(len(model.members))
            runner.logger.info(f'Each prediction is {said}')
            if warning := missing_members(model):
                runner.logger.warning(warning)
