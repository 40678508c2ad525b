"""Test-time augmentation that keeps the uncertainty."""

from typing import Any

from mmseg.models.segmentors import SegTTAModel
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from ..running_prediction import RunningPrediction
from .mc_encoder_decoder import MonteCarloSegmentor, store_prediction


@MODELS.register_module()
class MCSegTTAModel(SegTTAModel):
    """Test-time augmentation: every view of an image counts like a draw.

    The probabilities of all views are averaged. All views are predicted by the same draws, so
    that the result is one function of the image for each draw. Labels of the network itself
    (``labels_from='base'``) are those of its own mean over the views. ``SegTTAModel`` averages in
    the same way but returns the label map alone, beside the ``seg_logits`` of one of the views.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if isinstance(self.module, MonteCarloSegmentor):
            self.module.for_views = True

    def merge_preds(self, data_samples_list: list[list[SegDataSample]]) -> list[SegDataSample]:
        """Merge the predictions of the views of each image.

        Args:
            data_samples_list: For each image the data samples of its views, at the size of the
                original image.

        Returns:
            One data sample for each image, as :meth:`MonteCarloSegmentor.predict` returns it.
        """
        if self.module.out_channels == 1:  # a sigmoid, which has no such uncertainty
            return super().merge_preds(data_samples_list)
        merged = []
        for views in data_samples_list:
            mean = RunningPrediction()
            for view in views:
                if 'uncertainty' in view:
                    maps = {name: values[0] for name, values in view.uncertainty.items()}
                    mean.add_mean(view.seg_logits.data, view.votes.data, maps)
                else:  # of a segmentor that does not sample
                    mean.add(view.seg_logits.data)
            result = views[0]
            base = [v.base_probabilities.data for v in views if 'base_probabilities' in v]
            store_prediction(result, mean.mean(), sum(base) if base else None)
            for name in ('votes', 'base_probabilities'):
                result.pop(name, None)
            merged.append(result)
        return merged
