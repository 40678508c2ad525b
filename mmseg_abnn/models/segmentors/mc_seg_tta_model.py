"""Test-time augmentation that keeps the uncertainty."""

from mmseg.models.segmentors import SegTTAModel
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from .monte_carlo import store_prediction
from .running_prediction import RunningPrediction


@MODELS.register_module()
class MCSegTTAModel(SegTTAModel):
    """Test-time augmentation: every view of an image counts like a draw.

    The probabilities of all views are averaged. All views are predicted by the same draws, so
    that the result is one function of the image for each draw. ``SegTTAModel`` averages in the same
    way but returns the label map alone, beside the ``seg_logits`` of one of the views.
    """

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
                maps = view.get('uncertainty')  # none if the segmentor does not sample
                entropy = None if maps is None else maps.expected_entropy[0]
                mean.add(view.seg_logits.data, expected_entropy=entropy)
            store_prediction(views[0], mean.log_mean(), mean.expected_entropy())
            merged.append(views[0])
        return merged
