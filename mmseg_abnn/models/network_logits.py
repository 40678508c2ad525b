"""The logits of a network of any kind, from what its forward pass returns."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

Logits = Callable[[Any], Tensor]
"""Takes the logits out of what a network returns."""


class NetworkLogits(nn.Module):
    """Base of the forms in which a network returns its logits (N, C, ...) and nothing else.

    Args:
        network: The network itself: members and draws go by the names in it.
    """

    network: nn.Module

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network


class BareLogits(NetworkLogits):
    """A network of plain PyTorch.

    Args:
        network: Returns logits (N, C, ...), or a mapping with such logits under ``'out'``, as
            torchvision's segmentation networks do.
        logits: Takes the logits out of what another network returns.
    """

    def __init__(self, network: nn.Module, logits: Logits | None = None) -> None:
        super().__init__(network)
        self._logits = logits

    def forward(self, x: Any) -> Tensor:
        """Return the logits of a batch, of shape (N, C, ...).

        Raises:
            TypeError: If what the network returns holds no logits that are known, or ``logits``
                returns no tensor.
            ValueError: If there are fewer than two classes, or not as many samples as in ``x``.
        """
        name = type(self.network).__name__
        output = self.network(x)
        found = _known(output, name) if self._logits is None else self._logits(output)
        if not isinstance(found, Tensor) or not found.is_floating_point():
            raise TypeError(
                f'`logits` must return a floating-point tensor (N, C, ...), got {_kind(found)}'
            )
        shape = tuple(found.shape)
        if found.dim() < 2 or (isinstance(x, Tensor) and shape[0] != x.shape[0]):
            raise ValueError(
                f'the logits of {name} must be of shape (N, C, ...), one entry for each of the N '
                f'samples, got {shape} for {_kind(x)}: `logits` may bring them into this shape'
            )
        if shape[1] < 2:
            raise ValueError(
                f'{name} has one output channel, a sigmoid, got logits of shape {shape}; a mean '
                'over draws needs a softmax over at least 2 classes: give it both, '
                'logits=lambda y: torch.cat([torch.zeros_like(y), y], dim=1)'
            )
        return found


def _known(output: Any, name: str) -> Any:
    if isinstance(output, Tensor):
        return output
    if isinstance(output, Mapping) and isinstance(output.get('out'), Tensor):
        return output['out']
    raise TypeError(
        f'the forward pass of {name} returns {_kind(output)}, and not the logits alone: say which '
        'they are, such as logits=lambda output: output[0]'
    )


def _kind(value: Any) -> str:
    if isinstance(value, Tensor):
        return f'a tensor of {value.dtype} of shape {tuple(value.shape)}'
    if isinstance(value, Mapping):
        return f'a {type(value).__name__} with the keys {list(value)}'
    return f'a {type(value).__name__}'


def check_no_probabilities(logits: Tensor, name: str) -> None:
    """Raise ValueError if ``logits`` (N, C, ...) are probabilities already.

    The softmax of probabilities is a distribution that is close to uniform everywhere.
    """
    if bool((logits >= 0).all()) and torch.allclose(
        logits.sum(1), torch.ones((), dtype=logits.dtype, device=logits.device), atol=1e-3
    ):
        raise ValueError(
            f'{name} returns probabilities, not logits: its outputs are >= 0 and sum up to 1 over '
            'axis 1; logits=torch.log makes logits of them'
        )
