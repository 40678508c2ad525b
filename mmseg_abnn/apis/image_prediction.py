"""What a segmentor says of one image, as arrays, and as a picture."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from mmseg.structures import SegDataSample

from ..datasets.stored import read_drawable
from ..evaluation.functional.scores import (
    OF_LOGITS,
    OF_PROBABILITIES,
    probabilities,
    score_range,
)
from ..visualization.overlays import uncertainty_overlay

_GRAY = 128  # in place of an image that is no picture


@dataclass(frozen=True)
class ImagePrediction:
    """The prediction of one image.

    Attributes:
        name: What files about it are called, ``/`` between folders.
        labels: Class ids, int64 of shape (H, W).
        probabilities: Float32 of shape (C, H, W); their sum over C is 1.
        uncertainty: By name, float32 of shape (H, W): ``entropy``, ``msp`` (1 - largest
            probability), of an ABNN ``mutual_information``, ``expected_entropy`` and
            ``variation_ratio`` too. Larger means less certain; entropies are in nats.
        sample: MMSegmentation's data sample.
    """

    name: str
    labels: np.ndarray
    probabilities: np.ndarray
    uncertainty: dict[str, np.ndarray]
    sample: SegDataSample

    @classmethod
    def read(cls, name: str, sample: SegDataSample) -> 'ImagePrediction':
        """Read a data sample that a segmentor has filled.

        Raises:
            ValueError: If the segmentor has a sigmoid for each class, or for one.
        """
        logits = sample.seg_logits.data.float().cpu()
        if logits.shape[0] < 2:
            raise ValueError(
                'the segmentor has one output channel (a sigmoid): the uncertainty of a softmax '
                'over at least 2 classes is what can be told'
            )
        if 'probabilities' in sample:
            p = sample.probabilities.data.float().cpu()
        else:
            p = probabilities(logits)
        maps = {key: score(p) for key, score in OF_PROBABILITIES.items()}
        maps |= {key: score(logits) for key, score in OF_LOGITS.items()}
        if 'uncertainty' in sample:
            maps |= {key: value[0] for key, value in sample.uncertainty.items()}
        return cls(
            name,
            sample.pred_sem_seg.data[0].cpu().numpy().astype(np.int64),
            p.numpy(),
            {key: torch.as_tensor(value).float().cpu().numpy() for key, value in maps.items()},
            sample,
        )

    def limits(self, score: str) -> tuple[float, float] | None:
        """Return the lowest and the highest value that a score can take; None without limits."""
        return score_range(score, len(self.probabilities))

    def check_maps(self, names: Sequence[str]) -> None:
        """Raise ValueError if there is no uncertainty map of one of these names."""
        unknown = [name for name in names if name not in self.uncertainty]
        if unknown:
            raise ValueError(
                f'`maps` may hold {sorted(self.uncertainty)} of this network, got {unknown}'
            )

    def draw(
        self,
        image: str | np.ndarray,
        scores: Sequence[str],
        classes: list[str],
        palette: list[list[int]],
    ) -> np.ndarray:
        """Draw the image, its prediction and uncertainty maps with their color bars.

        Args:
            image: A path, or pixels in the order blue, green, red. One that is no picture (five
                bands, floating-point numbers) is gray.
            scores: Names of the maps.
            classes: Names of the classes.
            palette: An RGB color for each class.

        Returns:
            RGB uint8 array.
        """
        # what functions disagree about is a small part of ln K: its scale is that of the image
        limits = {name: self.limits(name) for name in scores if name != 'mutual_information'}
        return uncertainty_overlay(
            self.background(image),
            self.labels,
            {name: self.uncertainty[name] for name in scores},
            classes,
            palette,
            upper={name: both[1] for name, both in limits.items() if both is not None},
        )

    def background(self, image: str | np.ndarray) -> np.ndarray:
        """Return an image as RGB uint8 of the size of its prediction, gray if it is no picture."""
        shape = (*self.labels.shape, 3)
        if isinstance(image, np.ndarray):
            drawable = (
                image[..., ::-1] if image.shape == shape and image.dtype == np.uint8 else None
            )
        else:
            try:
                drawable = read_drawable(image)
            except ValueError:
                drawable = None
        if drawable is None or drawable.shape != shape:
            return np.full(shape, _GRAY, dtype=np.uint8)
        return np.ascontiguousarray(drawable)
