"""Drawing, holding and releasing the noise of Bayesian normalization layers.

A *draw* is one function: an eps for every Bayesian layer, determined by (seed, member, draw index,
layer name) and by nothing else. While a draw is held, every forward pass evaluates that one
function, whatever the batch size, the order of the images or the number of processes. While
nothing is held, each sample of each forward pass has its own fresh eps, as training needs it.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from .bnl import BayesianNorm

NOISE_SHAPES = ('channel', 'element')


@dataclass(frozen=True)
class Draw:
    """The name of one draw.

    Args:
        seed: Seed of the whole prediction.
        member: Index of the member, from 0.
        index: Index of the draw among the member's draws, from 0.
    """

    seed: int
    member: int = 0
    index: int = 0

    def generator(self, layer: str) -> torch.Generator:
        """Return a CPU generator that depends on this draw and the layer's name only."""
        key = f'{self.seed}/{self.member}/{self.index}/{layer}'
        digest = hashlib.sha256(key.encode()).digest()
        return torch.Generator().manual_seed(int.from_bytes(digest[:8], 'little') >> 1)


class HeldNoise:
    """The standard normal noise of one layer in one draw.

    It is drawn on the CPU, so that a draw is the same on every device, and kept for the shape
    that was asked for last.
    """

    def __init__(self, draw: Draw, layer: str) -> None:
        self.draw = draw
        self.layer = layer
        self._noise: Tensor | None = None

    def sample(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """Return noise of ``shape`` with the device and dtype of ``like``."""
        if self._noise is None or self._noise.shape != shape:
            self._noise = torch.randn(shape, generator=self.draw.generator(self.layer))
        if self._noise.device != like.device or self._noise.dtype != like.dtype:
            self._noise = self._noise.to(like)
        return self._noise


def bayesian_layers(model: nn.Module) -> dict[str, 'BayesianNorm']:
    """Return the Bayesian normalization layers of ``model`` by name, each of them once."""
    from .bnl import BayesianNorm

    return {n: module for n, module in model.named_modules() if isinstance(module, BayesianNorm)}


@contextmanager
def hold_draw(model: nn.Module, draw: Draw) -> Iterator[None]:
    """Hold one draw in all Bayesian layers of ``model``; release it on every way out.

    Args:
        model: A model with at least one Bayesian normalization layer. Layer names, and with them
            the noise, are relative to this module: pass the segmentor, not a wrapper around it.
        draw: Which draw to hold.

    Raises:
        RuntimeError: If ``model`` has no Bayesian layer, or holds a draw already.
    """
    layers = bayesian_layers(model)
    if not layers:
        raise RuntimeError(
            f'{type(model).__name__} holds no Bayesian normalization layer, so there is nothing '
            'to draw: convert it first, with `convert_to_abnn` or the `ABNNConversionHook`'
        )
    held = [name for name, layer in layers.items() if layer.held_noise is not None]
    if held:
        raise RuntimeError(f'a draw is held already, by {len(held)} layers (first: {held[0]})')
    try:
        for name, layer in layers.items():
            layer.held_noise = HeldNoise(draw, name)
        yield
    finally:
        for layer in layers.values():
            layer.held_noise = None
