"""Draws: the noise of Bayesian layers, determined by names.

A *draw* is one function: an eps for every Bayesian layer, determined by (seed, member, draw index,
layer name) and by nothing else.
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


class HeldNoise:
    """The standard normal noise of one layer in one draw, or in one draw for each sample.

    It is drawn on the CPU, so that a draw is the same on every device, and kept for the shape
    that was asked for last.
    """

    def __init__(self, draws: Sequence[Draw], layer: str) -> None:
        self.draws = tuple(draws)
        self.layer = layer
        self._noise: Tensor | None = None  # as it was drawn
        self._ready: Tensor | None = None  # with the device and dtype that were asked for last

    @torch.compiler.disable
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
        count = len(self.draws)
        if count > 1 and output.shape[0] != count:
            raise RuntimeError(
                f'the input of the layer {self.layer!r} has {output.shape[0]} entries on axis 0, '
                f'but there are {count} images with a draw each: a network that moves the images '
                'of a batch off axis 0 can be tested with batch size 1, or with one draw for all '
                'images'
            )
        if self._noise is None or self._noise.shape != (count, *shape):
            drawn = [torch.randn(shape, generator=d.generator(self.layer)) for d in self.draws]
            self._noise = torch.stack(drawn)
            self._ready = None
        ready = self._ready
        if ready is None or ready.device != output.device or ready.dtype != output.dtype:
            ready = self._ready = self._noise.to(output)
        return ready


class DrawMemory:
    """Keeps the noise of draws that are held again and again, as for the images of a test set.

    Only noise per channel is kept, which is small: one number for each gain and draw. Noise per
    element grows with the image.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[Draw, str], HeldNoise] = {}

    def noise(self, draw: Draw, layer: str, noise_shape: str) -> HeldNoise:
        """Return the noise of a layer in ``draw``, drawn earlier if it was."""
        if noise_shape != 'channel' or draw.image is not None:
            return HeldNoise([draw], layer)
        return self._kept.setdefault((draw, layer), HeldNoise([draw], layer))
