"""What the uncertainty metric sums up over all pixels: counts only, of constant size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ...functional import ScoreHistogram

# Outcomes of a pixel, in the last dimension of calibration counts
WRONG, RIGHT, OOD = 0, 1, 2

# Confidences are summed up over images in this unit, so that any order gives the same bits.
_UNIT = 2.0**-24
# Finest octaves of the histogram of confidences: 2 MB, and an AURC to about 1e-5
_SELECTIVE_BITS = 15


@dataclass(frozen=True)
class Calibration:
    """Counts of pixels by predicted class, bin of the confidence, and outcome.

    Attributes:
        counts: Int64 (K, bins, 3), see ``WRONG``, ``RIGHT`` and ``OOD``.
        confidence: Float64, the sums of the confidences, of the same shape.
    """

    counts: np.ndarray
    confidence: np.ndarray

    def table(self, scope: str) -> np.ndarray:
        """Return the table of ``calibration_counts`` for ``'id'`` or ``'all'``, (bins, 3)."""
        return self.class_tables(scope).sum(axis=0)

    def class_tables(self, scope: str) -> np.ndarray:
        """Return the table of each predicted class, (K, bins, 3)."""
        outcomes = slice(None) if scope == 'all' else slice(WRONG, OOD)
        return np.stack(
            [
                self.counts[..., outcomes].sum(axis=-1).astype(np.float64),
                self.confidence[..., outcomes].sum(axis=-1),
                self.counts[..., RIGHT].astype(np.float64),
            ],
            axis=-1,
        )


@dataclass(frozen=True)
class Evidence:
    """What one image adds.

    Attributes:
        confusion: Int64 (K, K); None if the image does not count for segmentation.
        calibration: None if the image does not count, or the confidence is not known.
        wrong: Uncertainty 1 - confidence of the in-distribution pixels, and whether each is
            predicted wrong; None as ``calibration``.
        scores: By name the scores of the labelled pixels, float32; empty if the image does not
            count for OOD detection or no curves are wanted.
        positives: Which of these pixels are OOD.
    """

    confusion: np.ndarray | None = None
    calibration: Calibration | None = None
    wrong: tuple[np.ndarray, np.ndarray] | None = None
    scores: dict[str, np.ndarray] = field(default_factory=dict)
    positives: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=bool))


class PooledCounts:
    """Sums over images; those of several processes add up, in any order, bit for bit.

    Args:
        num_classes: Number of classes K.
        bins: Number of bins of the calibration error.
        scores: Names of the scores with a histogram.
        histogram_bits: See ``ScoreHistogram``.
    """

    def __init__(
        self, num_classes: int, bins: int, scores: Sequence[str], histogram_bits: int
    ) -> None:
        self.confusion = np.zeros((num_classes, num_classes), dtype=np.int64)
        self.histograms = {name: ScoreHistogram(histogram_bits) for name in scores}
        self.selective = ScoreHistogram(_SELECTIVE_BITS)
        self._counts = np.zeros((num_classes, bins, 3), dtype=np.int64)
        self._confidence = np.zeros_like(self._counts)  # in units of _UNIT

    def add(self, evidence: Evidence) -> None:
        """Add an image."""
        if evidence.confusion is not None:
            self.confusion += evidence.confusion
        if evidence.calibration is not None:
            self._counts += evidence.calibration.counts
            units = np.rint(evidence.calibration.confidence / _UNIT)
            self._confidence += units.astype(np.int64)
        if evidence.wrong is not None:
            self.selective.update(*evidence.wrong)
        for name, values in evidence.scores.items():
            self.histograms[name].update(values, evidence.positives)

    def __iadd__(self, other: PooledCounts) -> PooledCounts:
        """Add the images of another process."""
        self.confusion += other.confusion
        self._counts += other._counts
        self._confidence += other._confidence
        self.selective += other.selective
        for name, histogram in other.histograms.items():
            self.histograms[name] += histogram
        return self

    @property
    def calibration(self) -> Calibration:
        """Counts of all images."""
        return Calibration(self._counts, self._confidence * _UNIT)
