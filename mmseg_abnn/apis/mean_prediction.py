"""The mean prediction of a network of any kind: no config, no Runner."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..models.ensemble_functions import ensemble_functions, noise_of
from ..models.layers import evaluating, noise_facts
from ..models.member_bank import MemberBank, applied, bank_for, check_member
from ..models.network_logits import BareLogits, Logits, check_no_probabilities
from ..models.prediction_settings import PredictionSettings
from ..models.running_prediction import RunningPrediction
from ..models.wrappers import unwrapped
from .member_files import load_member

Members = Sequence[Mapping[str, Tensor] | str | os.PathLike]
"""Members of an ensemble: tensors by name, or the paths of member files."""


@dataclass(frozen=True)
class BatchPrediction:
    """The mean over members and draws for a batch.

    Attributes:
        probabilities: Mean probabilities, of shape (N, C, ...).
        labels: Their argmax, of shape (N, ...).
        uncertainty: Scores by name, each of shape (N, ...), high where the prediction is uncertain:
            ``msp``, ``entropy``, ``expected_entropy``, ``mutual_information``,
            ``variation_ratio``, ``max_logit`` and ``energy``, as :class:`MeanPrediction` says.
    """

    probabilities: Tensor
    labels: Tensor
    uncertainty: dict[str, Tensor]


@torch.no_grad()
def predict_mean(
    model: nn.Module,
    x: Any,
    draws: int = 10,
    members: Members | None = None,
    seed: int = 0,
    logits: Logits | None = None,
) -> BatchPrediction:
    """Predict a batch by the mean over members and draws of a converted network.

        P(y | x) = 1 / (M L) * sum_m sum_l P(y | x, w_m, eps_l)

    A draw is one function for the whole batch, and the same in every call. The network computes in
    evaluation mode; it is afterwards as it was before.

    Args:
        model: A network that :func:`mmseg_abnn.convert_to_abnn` converted. It returns logits of
            shape (N, C, ...) with C >= 2, or a mapping with such logits under ``'out'``.
        x: What the network takes, such as images of shape (N, 3, H, W) on its device.
        draws: L >= 1, draws of each member.
        members: The members, each the tensors in which it differs from ``model`` by the names of
            parameters and buffers (a state dict of the trained norms), or the path of a member
            file. None: ``model`` is the only member.
        seed: Determines, with the member, the draw and the layer, all noise.
        logits: Takes the logits out of what a network of another kind returns, such as
            ``lambda output: output[0]`` of a tuple.

    Returns:
        Mean probabilities, labels and uncertainty, on the device of the logits.

    Raises:
        RuntimeError: If ``model`` holds no Bayesian layer.
        ValueError: If an argument is out of range, a member does not fit, the network has one
            output channel, or returns probabilities.
        TypeError: If the network returns something else than logits.
        FileNotFoundError: If there is no such member file.
    """
    settings = draw_settings(draws, seed)
    network = unwrapped(model)
    banks = read_members(network, members)
    forward = BareLogits(model, logits)
    running = RunningPrediction()
    with evaluating(network):
        for number, function in enumerate(ensemble_functions(settings, banks)):
            with noise_of(network, settings, function), applied(network, function.bank):
                drawn = forward(x)
            if number == 0:
                check_no_probabilities(drawn, type(network).__name__)
            running.add(drawn.movedim(1, 0), function.weight)
    mean = running.mean()  # the classes come first in it
    return BatchPrediction(
        mean.probabilities.movedim(0, 1), mean.log_mean.argmax(dim=0), mean.uncertainty
    )


def draw_settings(draws: int, seed: int) -> PredictionSettings:
    """Return the settings of a prediction by ``draws`` draws of each member.

    Raises:
        ValueError: If an argument is out of range.
    """
    for name, value, lowest in (('draws', draws, 1), ('seed', seed, 0)):
        if not isinstance(value, int) or isinstance(value, bool) or value < lowest:
            raise ValueError(f'`{name}` must be an int >= {lowest}, got {value!r}')
    return PredictionSettings(num_samples=draws, seed=seed)


def read_members(network: nn.Module, members: Members | None) -> list[MemberBank]:
    """Return the members of a network, on its device.

    Args:
        network: A converted network.
        members: Tensors by name, or paths of member files; None: there are none.

    Raises:
        ValueError: If there are none in a sequence, one does not fit the network, or was
            fine-tuned under other noise.
        TypeError: If ``members`` is a single path or mapping, or of another kind.
        FileNotFoundError: If there is no such member file.
    """
    if members is None:
        return []
    if isinstance(members, (str, os.PathLike, Mapping)) or not isinstance(members, Sequence):
        raise TypeError(
            '`members` must be a sequence of state dicts or of paths of member files, got '
            f'a single {type(members).__name__}'
        )
    if not members:
        raise ValueError('`members` is empty: None predicts by the network as it is')
    banks = []
    for index, member in enumerate(members):
        source = f'`members[{index}]`'
        if not isinstance(member, Mapping):
            source = f'{source} ({member})'
            member, facts = load_member(os.fspath(member))
            _check_noise(network, facts, source)
        check_member(network, member, source)
        banks.append(bank_for(network, member))
    return banks


def _check_noise(network: nn.Module, facts: Mapping[str, Any], source: str) -> None:
    for key, now in noise_facts(network).items():
        if facts.get(key, now) != now:
            raise ValueError(
                f'{source} was fine-tuned with {key}={facts[key]}, the network has {key}={now}: '
                'convert it with the noise of its members'
            )
