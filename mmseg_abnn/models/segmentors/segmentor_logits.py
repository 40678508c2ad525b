"""A segmentor of MMSegmentation from pixel values to logits, in one forward pass."""

from typing import Any, cast

import torch
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from ...compat import swaps_channels
from ..network_logits import NetworkLogits


class SegmentorLogits(NetworkLogits):
    """A segmentor that takes pixel values and returns logits of the image's size.

    It does what a test does to a batch of images of one size in ``mode='whole'``, but for padding.

    Args:
        network: The segmentor.
    """

    def forward(self, image: Tensor) -> Tensor:
        """Return logits of shape (N, C, H, W).

        Args:
            image: Pixel values as the pipeline loads them, 0 to 255 and in its order of channels
                (BGR, of MMSegmentation's), as floats of shape (N, channels, H, W).
        """
        image = self.normalized(image)
        size = image.shape[2:]
        meta = dict(ori_shape=size, img_shape=size, pad_shape=size)
        return cast(Any, self.network).encode_decode(image, [meta])

    def normalized(self, image: Tensor) -> Tensor:
        """Return what the network's data preprocessor makes of images, but for padding."""
        preprocessor = cast(Any, self.network).data_preprocessor
        if swaps_channels(preprocessor) and image.shape[1] == 3:
            image = image.flip(1)
        if getattr(preprocessor, '_enable_normalize', False):
            image = (image - preprocessor.mean) / preprocessor.std
        return image

    def check_normalization(self) -> None:
        """Raise ValueError if the data preprocessor does something else to an image."""
        preprocessor = cast(Any, self.network).data_preprocessor
        device = next(self.network.parameters()).device
        generator = torch.Generator().manual_seed(0)
        image = 255 * torch.rand(self.channels, 64, 96, generator=generator).to(device)
        data = dict(inputs=[image], data_samples=[SegDataSample()])
        found = preprocessor(data, False)['inputs'][0]
        expected = self.normalized(image[None])[0]
        inside = found[:, : image.shape[1], : image.shape[2]]  # it may be padded
        if inside.shape != expected.shape or not torch.allclose(inside, expected, atol=1e-4):
            raise ValueError(
                f'{type(preprocessor).__name__} does more to an image than normalizing it and '
                'changing the order of its channels, which is all that a graph does'
            )

    @property
    def channels(self) -> int:
        """The number of channels of an image, which the first convolution takes."""
        modules = cast(Any, self.network).backbone.modules()
        convolutions = (m.in_channels for m in modules if isinstance(m, nn.Conv2d))
        return next(convolutions, 3)

    @property
    def padding(self) -> dict[str, Any]:
        """How a test pads images before the network, which :meth:`forward` does not."""
        settings = getattr(cast(Any, self.network).data_preprocessor, 'test_cfg', None)
        return dict(settings or {})
