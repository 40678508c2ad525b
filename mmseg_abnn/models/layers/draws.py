"""Draws: the noise of Bayesian layers, determined by names.

A *draw* is one function: an eps for every Bayesian layer, determined by (seed, member, draw index,
layer name) and by nothing else. Noise per channel is made when a draw is held; noise per element
needs the input's size, and is made in the first forward pass.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

NOISE_SHAPES = ('channel', 'element')


@dataclass(frozen=True)
class Draw:
    """The name of one draw.

    Args:
        seed: Seed of the whole prediction.
        member: Index of the member, from 0.
        index: Index of the draw among the member's draws, from 0.
        image: Name of the image that the draw is for, or None for a draw that serves all images.
    """

    seed: int
    member: int = 0
    index: int = 0
    image: str | None = None

    def generator(self, layer: str) -> torch.Generator:
        """Return a CPU generator that depends on this draw and the layer's name only."""
        key = f'{self.seed}/{self.member}/{self.index}/{layer}'
        if self.image is not None:
            key = f'{key}/{self.image}'
        digest = hashlib.sha256(key.encode()).digest()
        return torch.Generator().manual_seed(int.from_bytes(digest[:8], 'little') >> 1)


def is_exporting() -> bool:
    """Tell whether what is computed becomes a graph: by ``torch.jit.trace`` or ``torch.export``.

    ONNX comes from one of the two. ``torch.compile`` is not meant: it goes back to Python where a
    number has to be drawn.
    """
    exporting = getattr(torch.compiler, 'is_exporting', None)  # since PyTorch 2.7
    return torch.jit.is_tracing() or (exporting is not None and exporting())


@torch.compiler.disable
def draw_noise(draws: Sequence[Draw], layer: str, shape: tuple[int, ...]) -> Tensor:
    """Draw the standard normal noise of a layer, on the CPU: it is the same on every device.

    Args:
        draws: One draw for all samples, or one for each.
        layer: The layer's name.
        shape: Shape of the noise of one sample.

    Returns:
        Of shape (number of draws, *shape).

    Raises:
        RuntimeError: If a graph is being made of what is computed.
    """
    if is_exporting():
        raise RuntimeError(
            f'the noise of the layer {layer!r} does not exist yet, and drawn inside a traced or '
            'exported network it would be another in every call: hold the draw around '
            '`torch.jit.trace` or `torch.export`, and where the noise depends on the size of the '
            "input (noise_shape='element', dropout) let the network compute such an input before, "
            'while the draw is held'
        )
    return torch.stack([torch.randn(shape, generator=draw.generator(layer)) for draw in draws])


class HeldNoise:
    """The standard normal noise of one layer in one draw, or in one draw for each sample.

    Args:
        layer: The layer's name.
        count: The number of draws: 1, or that of the samples.
    """

    def __init__(self, layer: str, count: int) -> None:
        self.layer = layer
        self.count = count

    def sample(self, shape: tuple[int, ...], output: Tensor) -> Tensor:
        """Return the noise for ``output``, with its device and dtype.

        Args:
            shape: Shape of the noise of one sample.
            output: What the noise is for, with the samples on axis 0.

        Returns:
            Of shape (1, ...) where all samples share one draw, else (N, ...).

        Raises:
            RuntimeError: If each sample has a draw of its own, and ``output`` has another number
                of samples than there are draws.
        """
        if self.count > 1 and output.shape[0] != self.count:
            raise RuntimeError(
                f'the input of the layer {self.layer!r} has {output.shape[0]} entries on axis 0, '
                f'but there are {self.count} images with a draw each: a network that moves the '
                'images of a batch off axis 0 can be tested with batch size 1, or with one draw '
                'for all images'
            )
        return self._noise(shape, output)

    def _noise(self, shape: tuple[int, ...], output: Tensor) -> Tensor:
        raise NotImplementedError


class ChannelNoise(HeldNoise):
    """One number for each entry of the layer's gain, made before any forward pass.

    Args:
        layer: The layer's name.
        numbers: Of shape (number of draws, entries of the gain).
    """

    def __init__(self, layer: str, numbers: Tensor) -> None:
        super().__init__(layer, numbers.shape[0])
        self._numbers = numbers

    def _noise(self, shape: tuple[int, ...], output: Tensor) -> Tensor:
        return self._numbers.reshape(self.count, *shape).to(output)


class SizedNoise(HeldNoise):
    """Noise whose shape follows from the input: drawn when it is asked for.

    It is kept for the shape that was asked for last.

    Args:
        layer: The layer's name.
        draws: One draw for all samples, or one for each.
    """

    def __init__(self, layer: str, draws: Sequence[Draw]) -> None:
        super().__init__(layer, len(draws))
        self._draws = tuple(draws)
        self._drawn: Tensor | None = None
        self._ready: Tensor | None = None  # with the device and dtype that were asked for last

    @torch.compiler.disable
    def _noise(self, shape: tuple[int, ...], output: Tensor) -> Tensor:
        if self._drawn is None or self._drawn.shape != (self.count, *shape):
            self._drawn = draw_noise(self._draws, self.layer, shape)
            self._ready = None
        ready = self._ready
        if ready is None or ready.device != output.device or ready.dtype != output.dtype:
            ready = self._drawn.to(output)
            if not is_exporting():  # what is computed for a graph has no values
                self._ready = ready
        return ready


def held_noise(
    draws: Sequence[Draw], layer: str, noise_shape: str, gain: Tensor
) -> ChannelNoise | SizedNoise:
    """Return the noise of a Bayesian layer in one draw, or in one draw for each sample.

    Args:
        draws: One draw for all samples, or one for each.
        layer: The layer's name.
        noise_shape: ``'channel'`` or ``'element'``.
        gain: The layer's gain; noise per channel lies on its device.
    """
    if noise_shape == 'channel':
        return ChannelNoise(layer, draw_noise(draws, layer, (gain.numel(),)).to(gain.device))
    return SizedNoise(layer, draws)


class DrawMemory:
    """Keeps the noise of draws that are held again and again, as for the images of a test set.

    Only noise per channel is kept, which is small: one number for each gain and draw. Noise per
    element grows with the image.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[Draw, str, int, torch.device], HeldNoise] = {}

    def noise(self, draw: Draw, layer: str, noise_shape: str, gain: Tensor) -> HeldNoise:
        """Return the noise of a layer in ``draw``, drawn earlier if it was."""
        if noise_shape != 'channel' or draw.image is not None:
            return held_noise([draw], layer, noise_shape, gain)
        key = (draw, layer, gain.numel(), gain.device)
        if key not in self._kept:
            self._kept[key] = held_noise([draw], layer, noise_shape, gain)
        return self._kept[key]
