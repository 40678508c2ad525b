"""Online hard example mining: the pixels of a batch that a loss is the mean of."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

_DEFAULTS = {'thres': 0.7, 'min_kept': 100000}


def check_ohem(ohem: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return a specification of hard pixels with its defaults, which are MMSegmentation's.

    Raises:
        ValueError: If it holds an unknown setting, or one is out of range.
        TypeError: If it is neither a dict nor None.
    """
    if ohem is None:
        return None
    if not isinstance(ohem, Mapping):
        raise TypeError(f'`ohem` must be a dict or None, got {ohem!r}')
    unknown = sorted(set(ohem) - set(_DEFAULTS))
    if unknown:
        raise ValueError(f'`ohem` takes {sorted(_DEFAULTS)}, got {unknown}')
    full = {**_DEFAULTS, **ohem}
    if not 0 <= full['thres'] <= 1:
        raise ValueError(f'`ohem.thres` must be a probability, got {full["thres"]}')
    if not isinstance(full['min_kept'], int):
        raise ValueError(f'`ohem.min_kept` must be an int, got {full["min_kept"]!r}')
    return full


@torch.no_grad()
def hard_pixels(
    cls_score: Tensor, label: Tensor, valid: Tensor, thres: float, min_kept: int
) -> Tensor:
    """Choose the pixels whose true class has a low probability, as ``OhemCrossEntropy`` does.

    A pixel is hard if the probability of its class is below ``thres``, or below that of the
    ``min_kept``-th most difficult pixel where there are fewer. Class weights take no part in the
    choice.

    Args:
        cls_score: Logits of shape (N, C, ...).
        label: Class indices of shape (N, ...).
        valid: Whether a pixel counts, of the shape of ``label``.
        thres: A probability.
        min_kept: Pixels of the batch that are kept at least, as far as there are so many.

    Returns:
        Whether a pixel is chosen, of the shape of ``label``.
    """
    of_class = cls_score.float().softmax(dim=1)
    p = of_class.gather(1, label.where(valid, 0).unsqueeze(1)).squeeze(1)
    sorted_p = p[valid].sort().values
    if not len(sorted_p):
        return valid
    kept_at_least = sorted_p[min(max(min_kept, 1), len(sorted_p) - 1)]
    return valid & (p < kept_at_least.clamp(min=thres))
