"""Holding draws: which function the Bayesian layers of a network compute for a while.

While a draw is held, every forward pass evaluates that one function, whatever the batch size, the
order of the images or the number of processes. While nothing is held, each sample of each forward
pass has its own fresh eps, as training needs it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager

from torch import nn

from ..wrappers import unwrapped
from .bnl import BayesianNorm, bayesian_layers
from .draws import Draw, DrawMemory, HeldNoise, held_noise


@contextmanager
def _held(model: nn.Module, noise: Callable[[str, BayesianNorm], HeldNoise]) -> Iterator[None]:
    layers = bayesian_layers(unwrapped(model))
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
            layer.held_noise = noise(name, layer)
        yield
    finally:
        for layer in layers.values():
            layer.held_noise = None


@contextmanager
def hold_draw(
    model: nn.Module, draw: Draw | Sequence[Draw], memory: DrawMemory | None = None
) -> Iterator[None]:
    """Hold one draw in all Bayesian layers of ``model``; release it on every way out.

    Noise per channel exists from here on, so the network may be traced or exported inside.

    Args:
        model: A model with at least one Bayesian normalization layer. Layer names, and with them
            the noise, are relative to this module (inside DistributedDataParallel and
            ``torch.compile``): pass the segmentor, not a module that contains it.
        draw: Which draw to hold; or one for each sample of the batch, in their order.
        memory: Where the noise of a single draw is looked up and kept.

    Raises:
        RuntimeError: If ``model`` has no Bayesian layer, or holds a draw already.
    """
    memory = DrawMemory() if memory is None else memory

    def noise(name: str, layer: BayesianNorm) -> HeldNoise:
        if isinstance(draw, Draw):
            return memory.noise(draw, name, layer.noise_shape, layer.weight)
        return held_noise(draw, name, layer.noise_shape, layer.weight)

    with _held(model, noise):
        yield


@contextmanager
def hold_alpha(model: nn.Module, alpha: float | Mapping[str, float]) -> Iterator[None]:
    """Give the Bayesian layers of ``model`` other noise scales; undo it on every way out.

    Args:
        model: A network; one without Bayesian layers stays as it is.
        alpha: The noise scale of all layers, or scales by the names of layers: those that are not
            named have no noise.
    """
    layers = bayesian_layers(unwrapped(model))
    before = {name: layer.alpha for name, layer in layers.items()}
    try:
        for name, layer in layers.items():
            layer.alpha = alpha.get(name, 0.0) if isinstance(alpha, Mapping) else alpha
        yield
    finally:
        for name, layer in layers.items():
            layer.alpha = before[name]


def noise_off(model: nn.Module) -> AbstractContextManager[None]:
    """Let ``model`` compute without noise, as with alpha = 0; undo it on every way out."""
    return hold_alpha(model, 0.0)
