"""The segmentors of MMSegmentation, predicting with a mean over members and noise draws."""

from mmseg.models.segmentors import CascadeEncoderDecoder, EncoderDecoder
from mmseg.registry import MODELS

from .monte_carlo import MonteCarloSegmentor


@MODELS.register_module()
class MCEncoderDecoder(MonteCarloSegmentor, EncoderDecoder):
    """:class:`EncoderDecoder` that samples, see :class:`MonteCarloSegmentor`."""


@MODELS.register_module()
class MCCascadeEncoderDecoder(MonteCarloSegmentor, CascadeEncoderDecoder):
    """:class:`CascadeEncoderDecoder` that samples, see :class:`MonteCarloSegmentor`."""
