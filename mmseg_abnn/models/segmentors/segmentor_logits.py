"""A segmentor of MMSegmentation from pixel values to logits, in one forward pass."""

from typing import Any, cast

from torch import Tensor

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
        network = cast(Any, self.network)
        preprocessor = network.data_preprocessor
        if getattr(preprocessor, '_channel_conversion', False) and image.shape[1] == 3:
            image = image.flip(1)
        if getattr(preprocessor, '_enable_normalize', False):
            image = (image - preprocessor.mean) / preprocessor.std
        size = image.shape[2:]
        return network.encode_decode(image, [dict(ori_shape=size, img_shape=size, pad_shape=size)])

    @property
    def channels(self) -> int:
        """The number of channels of an image."""
        mean = getattr(cast(Any, self.network).data_preprocessor, 'mean', None)
        return 3 if mean is None else mean.numel()

    @property
    def padding(self) -> dict[str, Any]:
        """How a test pads images before the network, which :meth:`forward` does not."""
        settings = getattr(cast(Any, self.network).data_preprocessor, 'test_cfg', None)
        return dict(settings or {})
