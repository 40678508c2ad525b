"""Noise scales of equal effect: a layer that the output depends on much gets less noise."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mmseg_abnn.models.layers import Draw, DrawMemory, bayesian_layers, hold_alpha, hold_draw
from mmseg_abnn.models.wrappers import unwrapped

_TOLERANCE = 0.01  # of the total effect
_LOWEST = 1e-6  # of the factor at which all scales are the largest
_TRIALS = 40


def equal_effect_alphas(
    model: nn.Module, batches: Iterable[Any], alpha: float, draws: int = 4, largest: float = 1.0
) -> dict[str, float]:
    """Find a noise scale for each layer, such that all change the output alike.

    The effect of noise is the root mean square, over images, classes, pixels and draws, of the
    change of the class probabilities. That of each layer alone is measured with the given scale;
    the scales are its inverse, times a common factor with which the noise of all layers together
    has the same effect as with the given scale everywhere.

    Args:
        model: A converted segmentor. Its weights are used as they are, members are not.
        batches: What its dataloader gives; labels are not used.
        alpha: The noise scale that the total effect is that of, > 0.
        draws: Draws that the effects are measured with, the same for all layers.
        largest: No scale is larger than this one.

    Returns:
        A noise scale for each Bayesian layer by its name, as the argument ``alpha`` of
        ``convert_to_abnn`` takes it. Layers that do not change the output (those of an auxiliary
        head) have the given one.

    Raises:
        ValueError: If an argument is out of range, or there is no batch.
        RuntimeError: If the model holds no Bayesian layer, no noise changes the output, or no
            scales up to ``largest`` have the effect of the given one.
    """
    if not (math.isfinite(alpha) and alpha > 0):
        raise ValueError(f'`alpha` must be a finite number > 0, got {alpha}')
    if draws < 1:
        raise ValueError(f'`draws` must be >= 1, got {draws}')
    if not alpha <= largest < math.inf:
        raise ValueError(f'`largest` must be a finite number >= `alpha` = {alpha}, got {largest}')
    model = unwrapped(model)
    layers = bayesian_layers(model)
    if not layers:
        raise RuntimeError('`model` holds no Bayesian layer: convert it first')
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            return _search(_Effects(model, batches, draws), list(layers), alpha, largest)
    finally:
        model.train(training)


class _Effects:
    """Measures what noise scales change, always with the same images and draws."""

    def __init__(self, model: Any, batches: Iterable[Any], draws: int) -> None:
        self._model = model
        self._draws = [Draw(seed=0, index=index) for index in range(draws)]
        self._memory = DrawMemory()
        self._inputs = [self._model.data_preprocessor(batch, False) for batch in batches]
        if not self._inputs:
            raise ValueError('`batches` must hold at least one batch, got none')
        with hold_alpha(self._model, {}):
            self._clean = [self._predict(inputs) for inputs in self._inputs]

    def __call__(self, alphas: Mapping[str, float]) -> float:
        """Return the effect of the noise; layers that are not named have none."""
        total, number = 0.0, 0
        with hold_alpha(self._model, alphas):
            for draw in self._draws:
                with hold_draw(self._model, draw, self._memory):
                    for inputs, clean in zip(self._inputs, self._clean, strict=True):
                        change = self._predict(inputs) - clean
                        total += float(change.double().square().sum())
                        number += change.numel()
        return math.sqrt(total / number)

    def _predict(self, inputs: Mapping[str, Any]) -> Tensor:
        logits: Tensor = self._model(**inputs, mode='tensor')
        return logits.softmax(dim=1)


def _search(
    effects: _Effects, names: Sequence[str], alpha: float, largest: float
) -> dict[str, float]:
    wanted = effects(dict.fromkeys(names, alpha))
    alone = {name: effects({name: alpha}) for name in names}
    if not wanted or not any(alone.values()):
        raise RuntimeError(f'noise of the scale {alpha} does not change the output of the model')
    unaltered = {name: alpha for name, effect in alone.items() if not effect}
    effective = {name: effect for name, effect in alone.items() if effect}

    def scales(factor: float) -> dict[str, float]:
        return {name: min(factor / effect, largest) for name, effect in effective.items()}

    high = largest * max(effective.values())  # all scales are the largest
    low = _LOWEST * high
    if effects(scales(high)) < wanted:
        raise RuntimeError(
            f'no scales up to `largest` = {largest} have the effect of the scale {alpha} everywhere'
        )
    for _ in range(_TRIALS):
        factor = math.sqrt(low * high)
        found = scales(factor)
        total = effects(found)
        if abs(total / wanted - 1) < _TOLERANCE:
            return {name: {**found, **unaltered}[name] for name in names}
        low, high = (factor, high) if total < wanted else (low, factor)
    raise RuntimeError(
        f'no scales have the effect {wanted:.3g} of the scale {alpha} everywhere: the last ones '
        f'that were tried have {total:.3g}'
    )
