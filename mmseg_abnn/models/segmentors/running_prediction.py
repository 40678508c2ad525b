"""The mean prediction over draws, without keeping the draws."""

import torch
from torch import Tensor


class RunningPrediction:
    """Sums over draws for one image: all that the predictive distribution and its scores need."""

    def __init__(self) -> None:
        self.weight = 0.0
        self.probabilities: Tensor | float = 0.0
        self.entropy: Tensor | float = 0.0

    def add(
        self, logits: Tensor, weight: float = 1.0, expected_entropy: Tensor | None = None
    ) -> None:
        """Add one prediction.

        Args:
            logits: Its logits, or log-probabilities, of shape (C, H, W).
            weight: Its weight in the mean.
            expected_entropy: If it is a mean over draws itself, their mean entropy, of shape
                (H, W).
        """
        log_p = logits.float().log_softmax(dim=0)
        p = log_p.exp()
        self.weight += weight
        self.probabilities = self.probabilities + weight * p
        if expected_entropy is None:
            # p log p -> 0 where p underflows and log p is -inf
            expected_entropy = -torch.special.xlogy(p, p).sum(dim=0)
        self.entropy = self.entropy + weight * expected_entropy

    def log_mean(self) -> Tensor:
        """Return log(mean p) of shape (C, H, W); finite where p underflowed."""
        mean = torch.as_tensor(self.probabilities) / self.weight
        return mean.clamp(min=torch.finfo(mean.dtype).tiny).log()

    def expected_entropy(self) -> Tensor:
        """Return the mean over draws of H[p_k], in nats, of shape (H, W)."""
        return torch.as_tensor(self.entropy) / self.weight
