"""An ensemble as a module whose forward pass is one graph, for ``torch.export`` and ONNX."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from ..evaluation.functional.scores import OF_LOGITS
from .ensemble_functions import EnsembleFunction, ensemble_functions, noise_of
from .layers import Draw, DrawMemory, bayesian_layers, hold_numbers, noise_off, numbers_of
from .member_bank import MemberBank
from .network_logits import NetworkLogits
from .prediction_settings import PredictionSettings
from .running_prediction import SCORES, RunningPrediction

# scores of an ensemble that are means over its functions
_MEANS = ('expected_entropy', *OF_LOGITS)


class _EnsembleGraph(nn.Module):
    """What both forms share.

    Args:
        logits: The network, in the form that returns its logits.
        settings: How the ensemble predicts.
        banks: Its members; without any, the network itself is the only one.

    Raises:
        ValueError: If a graph cannot predict so.
        RuntimeError: If the network holds no Bayesian layer, and noise is what is drawn.
    """

    outputs: tuple[str, ...]
    """Names of what the forward pass returns, in this order."""

    def __init__(
        self, logits: NetworkLogits, settings: PredictionSettings, banks: Sequence[MemberBank]
    ) -> None:
        super().__init__()
        check_exportable(logits.network, settings)
        self.logits = logits
        self.settings = settings
        self.banks = nn.ModuleList(banks)
        self._functions = list(ensemble_functions(settings, banks))
        self._memory = DrawMemory()
        for function in self._functions:  # what is drawn here is a constant of a graph
            with noise_of(self.network, settings, function, self._memory):
                pass

    @property
    def network(self) -> nn.Module:
        """The network that members and draws are those of."""
        return self.logits.network

    def _computed(self, x: Tensor, tensors: dict[str, Tensor] | None = None) -> Tensor:
        """Return the logits with the classes on axis 0."""
        named = {f'network.{name}': tensor for name, tensor in (tensors or {}).items()}
        logits = torch.func.functional_call(self.logits, named, (x,))
        return logits.movedim(1, 0)


class EnsembleGraph(_EnsembleGraph):
    """All functions of an ensemble, one after the other, with their noise as constants."""

    outputs = ('probabilities', 'labels', *SCORES)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Return the mean prediction of a batch.

        Args:
            image: What the network takes, with the N samples on axis 0.

        Returns:
            ``probabilities`` (N, C, ...), ``labels`` (N, ...) and the uncertainty maps (N, ...),
            by name.
        """
        running = RunningPrediction()
        for function in self._functions:
            with noise_of(self.network, self.settings, function, self._memory):
                bank = function.bank
                logits = self._computed(image, None if bank is None else bank.tensors())
            running.add(logits / self.settings.temperature, function.weight)
        mean = running.mean()
        labelled = mean.log_mean
        if self.settings.labels_from == 'base':
            with noise_off(self.network):
                labelled = self._computed(image)
        return {
            'probabilities': mean.probabilities.movedim(0, 1),
            'labels': labelled.argmax(dim=0),
            **{name: mean.uncertainty[name] for name in SCORES},
        }


class FunctionGraph(_EnsembleGraph):
    """One function of an ensemble, with its noise and its member as inputs."""

    outputs = ('probabilities', *_MEANS)

    def __init__(
        self, logits: NetworkLogits, settings: PredictionSettings, banks: Sequence[MemberBank]
    ) -> None:
        super().__init__(logits, settings, banks)
        if settings.draws != 'noise':
            raise ValueError(
                f"noise as an input needs draws='noise', got {settings.draws!r}: there is no noise"
            )
        own = {**dict(self.network.named_parameters()), **dict(self.network.named_buffers())}
        names = {name for bank in banks for name in bank.tensors()}
        self._keys = {name: f'values_{i}' for i, name in enumerate(sorted(names))}
        for name, key in self._keys.items():
            # of each member, and last of the network itself
            values = [bank.tensors().get(name, own[name]) for bank in banks]
            self.register_buffer(key, torch.stack([*values, own[name]]).detach(), persistent=False)

    def forward(
        self, image: Tensor, noise: Tensor, member: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Return the prediction of one function for a batch.

        Args:
            image: What the network takes, with the N samples on axis 0.
            noise: Standard normal numbers, of shape (T,), see :meth:`functions`.
            member: The member, an int64 of shape (1,); the network itself is behind the last one.
                None if the ensemble has no members.

        Returns:
            ``probabilities`` (N, C, ...), and ``expected_entropy``, ``max_logit`` and ``energy``
            of this function (N, ...), by name: their means over the functions are those of the
            ensemble.
        """
        tensors = None
        if member is not None:
            stacks = {name: getattr(self, key) for name, key in self._keys.items()}
            tensors = {name: s.index_select(0, member)[0] for name, s in stacks.items()}
        running = RunningPrediction()
        with hold_numbers(self.network, noise):
            running.add(self._computed(image, tensors) / self.settings.temperature)
        mean = running.mean()
        return {
            'probabilities': mean.probabilities.movedim(0, 1),
            **{name: mean.uncertainty[name] for name in _MEANS},
        }

    def functions(self) -> dict[str, Tensor]:
        """Return what to call the graph with, a row for each function of the ensemble.

        Returns:
            ``noise`` (K, T), ``member`` (K,) and ``weight`` (K,), the weight in the mean; with
            ``labels_from='base'`` the last row, of weight 0, is the network that gives the labels.
        """
        functions = list(self._functions)
        if self.settings.labels_from == 'base':
            functions.append(EnsembleFunction(0.0, None, None))
        layers = bayesian_layers(self.network).values()
        silent = torch.zeros(sum(layer.weight.numel() for layer in layers))
        members = list(self.banks)
        rows = [
            silent if f.draw is None else numbers_of(self.network, cast(Draw, f.draw))
            for f in functions
        ]
        numbers = [len(members) if f.bank is None else members.index(f.bank) for f in functions]
        return {
            'noise': torch.stack(rows),
            'member': torch.tensor(numbers),
            'weight': torch.tensor([f.weight for f in functions]),
        }


def check_exportable(network: nn.Module, settings: PredictionSettings) -> None:
    """Raise ValueError if a prediction with these settings is no graph."""
    if settings.draws == 'dropout':
        raise ValueError(
            "draws='dropout' cannot be exported: what is dropped depends on the image's size"
        )
    if settings.draw_per_image and settings.draws == 'noise':
        raise ValueError(
            'draw_per_image=True cannot be exported: a graph does not know the path of an image'
        )
    layers = bayesian_layers(network) if settings.draws == 'noise' else {}
    sized = [n for n, la in layers.items() if la.alpha and la.noise_shape != 'channel']
    if sized:
        raise ValueError(
            f"noise_shape='element' cannot be exported, its noise depends on the image's size "
            f"(first layer: {sized[0]}): convert with noise_shape='channel'"
        )
