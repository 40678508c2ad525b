"""The mean prediction over draws and its uncertainty, without keeping the draws.

Shapes are those of a segmentor; of a classifier there is no (H, W).
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from ..evaluation.functional import variation_ratio

# means over draws
_MEANS = ('expected_entropy', 'max_logit', 'energy')


class RunningPrediction:
    """Sums over draws for one image: all that the predictive distribution and its scores need."""

    def __init__(self) -> None:
        self._weight = 0.0
        self._probabilities: Tensor | float = 0.0
        self._votes: Tensor | float = 0.0
        self._sums: dict[str, Tensor | float] = dict.fromkeys(_MEANS, 0.0)

    def add(self, logits: Tensor, weight: float = 1.0) -> None:
        """Add one draw.

        Args:
            logits: Its logits, of shape (C, H, W).
            weight: Its weight in the mean.
        """
        logits = logits.float()
        log_p = logits.log_softmax(dim=0)
        p = log_p.exp()
        top, label = logits.max(dim=0)
        votes = torch.zeros_like(p).scatter_(0, label[None], 1.0)
        maps = {
            # p log p -> 0 where p underflows and log p is -inf
            'expected_entropy': -torch.special.xlogy(p, p).sum(dim=0),
            'max_logit': -top,
            'energy': -logits.logsumexp(dim=0),
        }
        self._add(p, votes, maps, weight)

    def add_mean(self, log_mean: Tensor, votes: Tensor, maps: Mapping[str, Tensor]) -> None:
        """Add what is a mean over draws itself.

        Args:
            log_mean: log(mean p), of shape (C, H, W).
            votes: Share of draws that predict each class, of shape (C, H, W).
            maps: The means over the draws among :meth:`uncertainty`, of shape (H, W).
        """
        self._add(log_mean.exp(), votes, maps, 1.0)

    def log_mean(self) -> Tensor:
        """Return log(mean p) of shape (C, H, W); finite where p underflowed."""
        mean = torch.as_tensor(self._probabilities) / self._weight
        return mean.clamp(min=torch.finfo(mean.dtype).tiny).log()

    def votes(self) -> Tensor:
        """Return the share of draws that predict each class, of shape (C, H, W)."""
        return torch.as_tensor(self._votes) / self._weight

    def uncertainty(self) -> dict[str, Tensor]:
        """Return the maps that the single draws are needed for, each of shape (H, W).

        ``expected_entropy`` is the mean of H[p_k] and ``mutual_information`` H[mean p] minus that,
        in nats; ``variation_ratio`` the share of draws that do not predict the most frequent class;
        ``max_logit`` and ``energy`` the means of -max logit and of -ln sum exp(logits).
        """
        maps = {name: torch.as_tensor(value) / self._weight for name, value in self._sums.items()}
        p = torch.as_tensor(self._probabilities) / self._weight
        entropy = -torch.special.xlogy(p, p).sum(dim=0)
        return {
            'expected_entropy': maps['expected_entropy'],
            'mutual_information': (entropy - maps['expected_entropy']).clamp(min=0),
            'variation_ratio': variation_ratio(self.votes()),
            'max_logit': maps['max_logit'],
            'energy': maps['energy'],
        }

    def _add(self, p: Tensor, votes: Tensor, maps: Mapping[str, Tensor], weight: float) -> None:
        self._weight += weight
        self._probabilities = self._probabilities + weight * p
        self._votes = self._votes + weight * votes
        for name in _MEANS:
            self._sums[name] = self._sums[name] + weight * maps[name]
