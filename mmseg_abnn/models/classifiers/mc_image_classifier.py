"""Classification with a mean over members and noise draws."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.config import ConfigDict
from mmengine.structures import BaseDataElement
from mmpretrain.models import ImageClassifier
from mmpretrain.models.heads import ClsHead
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch import Tensor

from ..monte_carlo import MonteCarlo


@MODELS.register_module()
class MCImageClassifier(MonteCarlo, ImageClassifier):
    """:class:`ImageClassifier` that samples, see :class:`MonteCarlo`.

    Args:
        backbone, neck, head, pretrained, train_cfg, data_preprocessor, init_cfg: See
            :class:`ImageClassifier`. The head must be a :class:`ClsHead` that predicts by a softmax
            of what its ``forward`` returns.
        test_cfg: The settings of :class:`PredictionSettings`.

    Raises:
        TypeError: If the head is none.
        ValueError: If a setting is not allowed.
    """

    def __init__(
        self,
        backbone: Any,
        neck: Any = None,
        head: Any = None,
        pretrained: str | None = None,
        train_cfg: Mapping[str, Any] | None = None,
        test_cfg: Mapping[str, Any] | None = None,
        data_preprocessor: Any = None,
        init_cfg: Any = None,
    ) -> None:
        super().__init__(backbone, neck, head, pretrained, train_cfg, data_preprocessor, init_cfg)
        if not isinstance(self.head, ClsHead) or type(self.head).predict is not ClsHead.predict:
            raise TypeError(
                'MCImageClassifier averages softmax probabilities: `head` must be a ClsHead that '
                f"predicts as ClsHead does (LinearClsHead, for instance), got '"
                f"{type(self.head).__name__}'"
            )
        self.test_cfg = ConfigDict(test_cfg or {})
        self._set_up_sampling(self.test_cfg)

    def predict(
        self, inputs: Tensor, data_samples: list[DataSample] | None = None
    ) -> list[DataSample]:
        """Predict a batch.

        Args:
            inputs: Images of shape (N, 3, H, W).
            data_samples: Their meta information and labels, or None.

        Returns:
            Data samples with ``pred_score`` = mean p of shape (C,), ``log_score``, its logarithm,
            which is finite where it underflows, ``pred_label`` (as ``labels_from`` says), and
            ``uncertainty`` with the scores of :class:`MeanPrediction`.

        Raises:
            RuntimeError: If the network holds no Bayesian layer, or no dropout where that is what
                is drawn.
            ValueError: If a draw is wanted for each image and an image has no path.
        """
        means = self.mean_predictions(inputs, data_samples)
        samples = data_samples or [DataSample() for _ in means]
        bases = self.base_logits(inputs, data_samples)
        for mean, sample, base in zip(means, samples, bases, strict=True):
            decisive = mean.log_mean if base is None else base
            sample.set_pred_score(mean.probabilities)
            sample.set_pred_label(decisive.argmax(dim=0, keepdim=True))
            sample.set_data({'log_score': mean.log_mean, 'uncertainty': mean.uncertainty})
        return samples

    def _logits(
        self, inputs: Tensor, data_samples: Sequence[BaseDataElement] | None
    ) -> Sequence[Tensor]:
        return self.head(self.extract_feat(inputs))
