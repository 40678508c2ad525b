"""The mean prediction over draws and its uncertainty, without keeping the draws.

Shapes are those of a segmentor; of a classifier there is no (H, W).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ..evaluation.functional import variation_ratio
from ..evaluation.functional.scores import (
    OF_DRAWS,
    OF_LOGITS,
    OF_PROBABILITIES,
    entropy,
    probabilities,
)

SCORES = (*OF_PROBABILITIES, *OF_DRAWS, *OF_LOGITS)
"""Names of the uncertainty that a mean prediction has."""


@dataclass(frozen=True)
class MeanPrediction:
    """What the draws for one image come to.

    Attributes:
        log_mean: log(mean p), of shape (C, H, W); finite where p underflowed.
        probabilities: Its softmax, which is mean p but for the rounding of its sum.
        votes: Share of draws that predict each class, of shape (C, H, W).
        uncertainty: Scores by name, each of shape (H, W), high where the prediction is uncertain:
            ``msp`` (1 - max p) and ``entropy`` of the mean; ``expected_entropy``, the mean of
            H[p_k], and ``mutual_information``, the entropy minus that, all in nats;
            ``variation_ratio``, the share of draws that do not predict the most frequent class;
            ``max_logit`` and ``energy``, the means of -max logit and of -ln sum exp(logits).
    """

    log_mean: Tensor
    probabilities: Tensor
    votes: Tensor
    uncertainty: dict[str, Tensor]


class RunningPrediction:
    """Sums over draws for one image: all that the predictive distribution and its scores need."""

    def __init__(self) -> None:
        self._weight = 0.0
        self._probabilities: Tensor | float = 0.0
        self._votes: Tensor | float = 0.0
        self._maps: dict[str, Tensor | float] = dict.fromkeys(('expected_entropy', *OF_LOGITS), 0.0)

    def add(self, logits: Tensor, weight: float = 1.0) -> None:
        """Add one draw.

        Args:
            logits: Its logits, of shape (C, H, W).
            weight: Its weight in the mean.
        """
        logits = logits.float()
        p = logits.log_softmax(dim=0).exp()
        votes = torch.zeros_like(p).scatter_(0, logits.max(dim=0, keepdim=True).indices, 1.0)
        maps = {name: score(logits) for name, score in OF_LOGITS.items()}
        self._add(p, votes, {'expected_entropy': entropy(p), **maps}, weight)

    def add_mean(self, log_mean: Tensor, votes: Tensor, maps: Mapping[str, Tensor]) -> None:
        """Add what is a mean over draws itself.

        Args:
            log_mean: log(mean p), of shape (C, H, W).
            votes: Share of draws that predict each class, of shape (C, H, W).
            maps: The uncertainty over these draws by name, of shape (H, W).
        """
        self._add(log_mean.exp(), votes, maps, 1.0)

    def mean(self) -> MeanPrediction:
        """Return what all draws come to."""
        mean = torch.as_tensor(self._probabilities) / self._weight
        log_mean = mean.clamp(min=torch.finfo(mean.dtype).tiny).log()
        p = probabilities(log_mean)
        votes = torch.as_tensor(self._votes) / self._weight
        maps = {name: score(p) for name, score in OF_PROBABILITIES.items()}
        maps |= {name: torch.as_tensor(total) / self._weight for name, total in self._maps.items()}
        information = (maps['entropy'] - maps['expected_entropy']).clamp(min=0)
        maps |= {'mutual_information': information, 'variation_ratio': variation_ratio(votes)}
        return MeanPrediction(log_mean, p, votes, maps)

    def _add(self, p: Tensor, votes: Tensor, maps: Mapping[str, Tensor], weight: float) -> None:
        self._weight += weight
        self._probabilities = self._probabilities + weight * p
        self._votes = self._votes + weight * votes
        for name in self._maps:
            self._maps[name] = self._maps[name] + weight * maps[name]
