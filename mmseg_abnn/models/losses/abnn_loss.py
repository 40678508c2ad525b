"""The class-randomized loss of ABNN."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmseg.registry import MODELS
from torch import Tensor, nn

_SPARSE_DEFAULTS: dict[str, Any] = {'type': 'sparse', 'num_classes': None, 'weight': 0.5}


def draw_eta(eta: Mapping[str, Any], num_classes: int, seed: int) -> Tensor:
    """Draw the class offsets eta of one member.

    Args:
        eta: ``type='sparse'``: a random subset of ``num_classes`` classes (default
            ``int(sqrt(C))``) gets the total weight ``weight`` = 1 + eta, the others keep 1.
        num_classes: Number of classes C.
        seed: The member's seed; equal seeds give equal offsets.

    Returns:
        Tensor of shape (C,).

    Raises:
        ValueError: If the subset is larger than the number of classes.
    """
    count = eta['num_classes']
    count = int(num_classes**0.5) if count is None else count
    if count > num_classes:
        raise ValueError(f'`eta.num_classes` must be at most {num_classes}, got {count}')
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(num_classes, generator=generator)[:count]
    offsets = torch.zeros(num_classes)
    offsets[chosen] = eta['weight'] - 1.0
    return offsets


@MODELS.register_module()
class ABNNLoss(nn.Module):
    """Cross-entropy with class weights that are random per member and fixed while it is trained.

        L = 1 / |valid| * sum_i (1 + eta_{y_i}) * class_weight_{y_i} * (-log P(y_i | x_i, w))

    (Franchi et al., "Make Me a BNN", CVPR 2024; the prior ``- log P(w)`` is the optimizer's weight
    decay.) The mean is over the pixels that are not ignored, and the weights do not enter its
    denominator. eta pushes each member to another mode of the posterior.

    Args:
        eta: ``dict(type='sparse', num_classes=None, weight=0.5)``: a random subset of classes, by
            default ``int(sqrt(C))`` of them, gets the total weight ``weight`` (the default is
            ours); or a list of C numbers >= -1; or None for eta = 0.
        class_weight: C fixed weights >= 0 on top, or None.
        loss_weight: Factor on the whole loss.
        seed: Seed that eta is drawn from. ``ABNNConversionHook`` sets it to the run's seed, so
            that the members, which have seeds of their own, differ.
        loss_name: Name in the logs; must start with ``loss_`` to be back-propagated.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        eta: Mapping[str, Any] | Sequence[float] | None = _SPARSE_DEFAULTS,
        class_weight: Sequence[float] | None = None,
        loss_weight: float = 1.0,
        seed: int = 0,
        loss_name: str = 'loss_abnn',
    ) -> None:
        super().__init__()
        if not loss_name.startswith('loss_'):
            raise ValueError(f"`loss_name` must start with 'loss_', got {loss_name!r}")
        if isinstance(eta, Mapping):
            unknown = sorted(set(eta) - set(_SPARSE_DEFAULTS))
            if unknown or eta.get('type') != 'sparse':
                raise ValueError(
                    "`eta` must be None, a list, or dict(type='sparse', num_classes=..., "
                    f'weight=...), got {dict(eta)}'
                )
            eta = {**_SPARSE_DEFAULTS, **eta}
            count = eta['num_classes']
            if not (count is None or (isinstance(count, int) and count >= 0)):
                raise ValueError(f'`eta.num_classes` must be None or an int >= 0, got {count!r}')
            if eta['weight'] < 0:
                raise ValueError(f'`eta.weight` must be >= 0, got {eta["weight"]}')
        elif eta is not None and any(value < -1 for value in eta):
            raise ValueError(f'`eta` must hold numbers >= -1 (a weight 1 + eta >= 0), got {eta}')
        if class_weight is not None and any(value < 0 for value in class_weight):
            raise ValueError(f'`class_weight` must hold numbers >= 0, got {class_weight}')
        self.eta = eta
        self.class_weight = class_weight
        self.loss_weight = loss_weight
        self.seed = seed
        self._loss_name = loss_name

    @property
    def loss_name(self) -> str:
        """Name of the loss item."""
        return self._loss_name

    def eta_offsets(self, num_classes: int) -> Tensor:
        """Return eta, of shape (C,)."""
        if isinstance(self.eta, Mapping):
            return draw_eta(self.eta, num_classes, self.seed)
        return torch.zeros(num_classes) if self.eta is None else torch.tensor(self.eta)

    def _weights(self, num_classes: int) -> Tensor:
        weights = 1 + self.eta_offsets(num_classes)
        fixed = (
            torch.ones(num_classes)
            if self.class_weight is None
            else torch.tensor(self.class_weight)
        )
        for name, value in (('eta', weights), ('class_weight', fixed)):
            if value.numel() != num_classes:
                raise ValueError(
                    f'`{name}` must have one number for each of the {num_classes} classes, '
                    f'got {value.numel()}'
                )
        return weights * fixed

    def forward(
        self,
        cls_score: Tensor,
        label: Tensor,
        weight: Tensor | None = None,
        ignore_index: int = 255,
    ) -> Tensor:
        """Compute the loss.

        Args:
            cls_score: Logits of shape (N, C, ...), C >= 2.
            label: Class indices of shape (N, ...), or ``ignore_index``.
            weight: Weights of single pixels, of the shape of ``label``, or None.
            ignore_index: Label of the pixels that do not count.

        Returns:
            The loss, a scalar; 0 where every pixel is ignored.
        """
        num_classes = cls_score.shape[1]
        if num_classes < 2:
            raise ValueError(
                f'ABNNLoss needs a score for each of at least 2 classes, got {num_classes} '
                'channel: a sigmoid output is not supported'
            )
        loss = nn.functional.cross_entropy(
            cls_score.float(),
            label,
            weight=self._weights(num_classes).to(cls_score.device),
            reduction='none',
            ignore_index=ignore_index,
        )
        if weight is not None:
            loss = loss * weight
        valid = (label != ignore_index).sum().clamp(min=1)
        return self.loss_weight * loss.sum() / valid
