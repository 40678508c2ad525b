"""The Gaussian prior on the parameters that fine-tuning trains."""

from collections.abc import Mapping

import torch
from torch import Tensor


class GaussianPrior:
    """The negative logarithm of a Gaussian prior, up to a constant.

        - log P(w) = lambda * sum_j (w_j - c_j)^2,   lambda = 1 / (2 std^2)

    (Franchi et al., "Make Me a BNN", CVPR 2024, where c = 0: weight decay.)

    Args:
        parameters: The trained parameters by name.
        std: Standard deviation of the prior, > 0.
        centers: The means c by the same names, or None for 0.
    """

    def __init__(
        self,
        parameters: Mapping[str, Tensor],
        std: float,
        centers: Mapping[str, Tensor] | None = None,
    ) -> None:
        self.parameters = dict(parameters)
        self.std = std
        self.centers = centers and {
            name: centers[name].to(parameter.device).clone()
            for name, parameter in self.parameters.items()
        }

    def __call__(self) -> Tensor:
        """Return the term, a scalar."""
        terms = []
        for name, parameter in self.parameters.items():
            shift = parameter if self.centers is None else parameter - self.centers[name]
            terms.append(shift.float().square().sum())
        return torch.stack(terms).sum() / (2 * self.std**2)
