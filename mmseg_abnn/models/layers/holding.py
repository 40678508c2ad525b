"""Holding draws: which function the Bayesian layers of a network compute for a while.

While a draw is held, every forward pass evaluates that one function, whatever the batch size, the
order of the images or the number of processes. While nothing is held, each sample of each forward
pass has its own fresh eps, as training needs it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager

import torch
from torch import Tensor, nn

from ..wrappers import unwrapped
from .bnl import BayesianNorm, bayesian_layers
from .draws import ChannelNoise, Draw, DrawMemory, HeldNoise, draw_noise, held_noise


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


@contextmanager
def hold_numbers(model: nn.Module, numbers: Tensor) -> Iterator[None]:
    """Hold noise that is given, not drawn; release it on every way out.

    Args:
        model: A network whose Bayesian layers all have noise per channel.
        numbers: Standard normal numbers of all Bayesian layers one after the other, in the order
            of :func:`bayesian_layers`: one for each entry of their gains.

    Raises:
        RuntimeError: If ``model`` has no Bayesian layer, or holds a draw already.
    """
    sizes = [layer.weight.numel() for layer in bayesian_layers(unwrapped(model)).values()]
    parts = iter(numbers[None].split(sizes, dim=1))
    with _held(model, lambda name, layer: ChannelNoise(name, next(parts))):
        yield


def numbers_of(model: nn.Module, draw: Draw) -> Tensor:
    """Return the noise of a draw as :func:`hold_numbers` takes it, on the CPU."""
    layers = bayesian_layers(unwrapped(model))
    drawn = [draw_noise([draw], name, (la.weight.numel(),))[0] for name, la in layers.items()]
    return torch.cat(drawn)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Let ``model`` be in evaluation mode, and each module in its own again on every way out."""
    modes = {module: module.training for module in model.modules()}
    asked = {layer: layer.asked_mode for layer in bayesian_layers(model).values()}
    try:
        model.eval()
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
        for layer, mode in asked.items():
            layer.asked_mode = mode
