"""Synthetic maps of scores, OOD pixels, confidences and right pixels."""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch.nn.functional import interpolate

from mmseg_abnn.evaluation.functional.scores import OF_PROBABILITIES, probabilities

NUM_CLASSES = 19
COARSE_GRID = (6, 10)
LOGIT_SCALE = 14.5
OOD_SHARE = 0.02


class Maps(NamedTuple):
    """What an evaluator gets of an image, each of shape (H * W,)."""

    scores: np.ndarray  # float32
    positives: np.ndarray  # bool
    confidence: np.ndarray  # float32
    correct: np.ndarray  # bool


def render(index: int, size: tuple[int, int], seed: int, score: str) -> Maps:
    """Render the maps of an image, see the text of benchmark_evaluator.py."""
    height, width = size
    generator = torch.Generator().manual_seed(seed * 1_000_003 + index)
    coarse = torch.randn(1, NUM_CLASSES, *COARSE_GRID, generator=generator)
    logits = LOGIT_SCALE * interpolate(coarse, (height // 4, width // 4), mode='bicubic')
    logits += 0.3 * torch.randn(logits.shape, generator=generator)
    count = 1 + index % 3
    places = torch.rand(count, 3, generator=generator).tolist()
    flattened = 0.1 + 0.3 * float(torch.rand(1, generator=generator))

    def ood(rows: int, columns: int) -> torch.Tensor:
        y, x = ((torch.arange(n) + 0.5) / n for n in (rows, columns))
        inside = torch.zeros(rows, columns, dtype=torch.bool)
        for number, (top, left, aspect) in enumerate(places):
            ellipse = (index + number) % 2 == 0
            axis = math.sqrt(OOD_SHARE / count / (math.pi if ellipse else 4))
            dy = (y - 0.2 - 0.6 * top).abs()[:, None] / (axis * (0.5 + aspect))
            dx = (x - 0.2 - 0.6 * left).abs() / (axis / (0.5 + aspect))
            inside |= (dy**2 + dx**2 < 1) if ellipse else (dy < 1) & (dx < 1)
        return inside

    logits = torch.where(ood(height // 4, width // 4), flattened * logits, logits)
    logits = interpolate(logits, (height, width), mode='bilinear')[0]
    p = probabilities(logits)
    confidence, scores = p.amax(0), OF_PROBABILITIES[score](p)
    positives = ood(height, width)
    correct = (torch.rand(height, width, generator=generator) < confidence) & ~positives
    arrays = (scores, positives, confidence, correct)
    return Maps(*(array.flatten().numpy() for array in arrays))
