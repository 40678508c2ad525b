"""The segmentors of MMSegmentation, predicting with a mean over members and noise draws."""

from collections.abc import Sequence
from typing import Any, cast

from mmengine.config import ConfigDict
from mmengine.structures import BaseDataElement, PixelData
from mmseg.models.segmentors import CascadeEncoderDecoder, EncoderDecoder
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from ..monte_carlo import MonteCarlo
from ..running_prediction import MeanPrediction

# decode heads of MMSegmentation whose `seg_logits` are sums of masks weighted by class
_NO_LOGITS = ('MaskFormerHead', 'Mask2FormerHead')


def store_prediction(
    sample: SegDataSample, mean: MeanPrediction, base: Tensor | None = None
) -> None:
    """Put a mean prediction and its uncertainty into a data sample.

    Args:
        sample: Gets ``seg_logits`` = log(mean p), their softmax ``probabilities``,
            ``pred_sem_seg``, and ``uncertainty`` with the maps of :class:`MeanPrediction`.
        mean: What the draws come to.
        base: What the label map is the argmax of, (C, H, W); None takes ``seg_logits``.
    """
    labels = (mean.log_mean if base is None else base).argmax(dim=0, keepdim=True)
    maps = {name: values[None] for name, values in mean.uncertainty.items()}
    sample.set_data(
        {
            'seg_logits': PixelData(data=mean.log_mean),
            'probabilities': PixelData(data=mean.probabilities),
            'pred_sem_seg': PixelData(data=labels),
            'uncertainty': PixelData(**maps),
        }
    )


class MonteCarloSegmentor(MonteCarlo):
    """Mixin for a segmentor of MMSegmentation whose prediction is a mean over members and draws.

    See :class:`MonteCarlo`. The mean is one of full-size probabilities: logits are resized to the
    original image first.
    """

    test_cfg: ConfigDict
    for_views = False
    """Whether data samples are to be merged with those of other views: they get ``votes`` then, and
    ``base_probabilities`` if the labels are those of the network itself, both (C, H, W)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        name = type(self).__name__
        out_channels = cast(int, self.out_channels)  # type: ignore[attr-defined]
        if out_channels < 2:
            raise ValueError(
                f'{name} needs at least 2 output channels (softmax), got '
                f'`out_channels`={out_channels}'
            )
        heads = [m for m in cast(nn.Module, self).modules() if type(m).__name__ in _NO_LOGITS]
        if heads:
            raise ValueError(
                f'{name} averages softmax probabilities, but {type(heads[0]).__name__} returns no '
                'logits: its sums of masks are not supported'
            )
        self.test_cfg = ConfigDict({'mode': 'whole', **(self.test_cfg or {})})
        self._set_up_sampling(self.test_cfg)

    def predict(
        self, inputs: Tensor, data_samples: list[SegDataSample] | None = None
    ) -> list[SegDataSample]:
        """Predict a batch.

        Args:
            inputs: Images of shape (N, 3, H, W).
            data_samples: Their meta information and labels, or None.

        Returns:
            Data samples with ``seg_logits`` = log(mean p) and their softmax ``probabilities``, both
            of shape (C, H, W), ``pred_sem_seg`` (as ``labels_from`` says), and ``uncertainty`` with
            the maps of :class:`MeanPrediction`.

        Raises:
            RuntimeError: If the network holds no Bayesian layer, or no dropout where that is what
                is drawn.
            ValueError: If a draw is wanted for each image and an image has no path.
        """
        means = self.mean_predictions(inputs, data_samples)
        samples = data_samples or [SegDataSample() for _ in means]
        bases = self.base_logits(inputs, data_samples)
        for mean, sample, base in zip(means, samples, bases, strict=True):
            store_prediction(sample, mean, base)
            if self.for_views:
                sample.votes = PixelData(data=mean.votes)
                if base is not None:
                    sample.base_probabilities = PixelData(data=base.float().softmax(dim=0))
        return samples

    def _logits(
        self, inputs: Tensor, data_samples: Sequence[BaseDataElement] | None
    ) -> list[Tensor]:
        without_results = data_samples and [
            SegDataSample(metainfo=sample.metainfo) for sample in data_samples
        ]
        drawn = super().predict(inputs, without_results)  # type: ignore[misc]
        return [sample.seg_logits.data for sample in drawn]


@MODELS.register_module()
class MCEncoderDecoder(MonteCarloSegmentor, EncoderDecoder):
    """:class:`EncoderDecoder` that samples, see :class:`MonteCarloSegmentor`."""


@MODELS.register_module()
class MCCascadeEncoderDecoder(MonteCarloSegmentor, CascadeEncoderDecoder):
    """:class:`CascadeEncoderDecoder` that samples, see :class:`MonteCarloSegmentor`."""
