"""Dropout that stays on in a prediction, for MC-Dropout.

Gal and Ghahramani, "Dropout as a Bayesian Approximation" (ICML 2016). As with the noise of Bayesian
layers, a draw is one function: which units are dropped is determined by (seed, member, draw index,
layer name).
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial

import torch
from torch import Tensor, nn

from ..wrappers import unwrapped
from .draws import Draw, HeldNoise, SizedNoise

_WHOLE_CHANNELS = (nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)


def dropout_layers(model: nn.Module) -> dict[str, nn.Module]:
    """Return the dropout layers of ``model`` that drop something (p > 0), by name."""
    kinds = (nn.Dropout, *_WHOLE_CHANNELS)
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, kinds) and module.p > 0
    }


@contextmanager
def hold_dropout(model: nn.Module, draw: Draw | Sequence[Draw]) -> Iterator[None]:
    """Keep dropout on in ``model``, which is in evaluation mode; switch it off on every way out.

    All forward passes drop the same units. Where a layer drops single activations, not channels,
    that takes inputs of one size.

    Args:
        model: A network with at least one dropout layer of p > 0.
        draw: Which units are dropped: one draw for all samples, or one for each.

    Raises:
        RuntimeError: If there is no such layer, or none took part in what was computed (that of
            an auxiliary head does not).
    """
    layers = dropout_layers(unwrapped(model))
    if not layers:
        raise RuntimeError(
            f'{type(model).__name__} holds no dropout layer with p > 0, so nothing can be dropped: '
            'give its heads a `dropout_ratio` above 0 (and train them with it)'
        )
    draws = [draw] if isinstance(draw, Draw) else draw
    used: set[str] = set()
    with ExitStack() as stack:
        for name, layer in layers.items():
            hook = partial(_drop, name, SizedNoise(name, draws), used)
            stack.callback(layer.register_forward_hook(hook).remove)
        yield
    if not used:
        raise RuntimeError(
            f'nothing was dropped: the dropout layers with p > 0 ({", ".join(layers)}) are no part '
            'of the prediction'
        )


def _drop(
    name: str,
    held: HeldNoise,
    used: set[str],
    layer: nn.Module,
    inputs: tuple[Tensor, ...],
    output: Tensor,
) -> Tensor:
    used.add(name)
    if layer.training:
        raise RuntimeError('dropout is held in training mode: call `model.eval()` before')
    shape = tuple(output.shape[1:])
    if isinstance(layer, _WHOLE_CHANNELS):
        shape = (shape[0], *(1 for _ in shape[1:]))
    p = float(layer.p)  # type: ignore[arg-type]
    # a standard normal number lies below this quantile with probability p
    threshold = torch.special.ndtri(torch.tensor(p, dtype=torch.float64)).item()
    kept = held.sample(shape, output) >= threshold
    return output * kept / (1 - p) if p < 1 else torch.zeros_like(output)
