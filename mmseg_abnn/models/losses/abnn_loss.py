"""The class-randomized loss of ABNN."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.dist import all_reduce, get_world_size
from mmengine.registry import MODELS
from mmseg.models.losses.utils import get_class_weight
from torch import Tensor, nn

from .class_weights import Eta, check_eta, draw_eta
from .gaussian_prior import GaussianPrior
from .hard_pixels import check_ohem, hard_pixels

_DEFAULT_ETA = {'type': 'sparse'}
_CENTERS = ('zero', 'pretrained')
_SUM_TOLERANCE = 1e-3  # of soft labels, which may be of half precision


@MODELS.register_module()
class ABNNLoss(nn.Module):
    """Cross-entropy with class weights that are random per member and fixed while it is trained.

        L = 1 / |valid| * sum_i (1 + eta_{y_i}) * class_weight_{y_i} * (-log P(y_i | x_i, w))
            - log P(w)

    (Franchi et al., "Make Me a BNN", CVPR 2024.) The mean is over the pixels that are not
    ignored, in distributed training over those of all processes; the weights do not enter its
    denominator. eta pushes each member to another mode of the posterior. For a classifier read
    image in place of pixel. Of a soft label q (mixup, CutMix, label smoothing) the term is
    ``sum_c q_c (1 + eta_c) * class_weight_c * (-log P(c | x_i, w))``.

    The prior P(w) is left to the optimizer's weight decay unless ``prior_std`` is given. It
    concerns the trained parameters, all of them and once, however many heads have this loss.
    ``ABNNConversionHook`` knows them: it sets :attr:`prior`, and refuses to have a weight decay
    beside it.

    Args:
        eta: How the class offsets are drawn, see :func:`draw_eta`. By default ``int(sqrt(C))``
            random classes get half the weight (the default is ours).
        class_weight: C fixed weights >= 0 on top, or a file that holds them (see MMSegmentation's
            losses), or None.
        prior_std: Standard deviation of a Gaussian prior on the trained parameters, > 0, which
            adds ``sum (w - c)^2 / (2 prior_std^2)``; None for none. The data term is a mean over
            pixels, not a sum: to have the posterior's balance of N pixels, take
            ``sqrt(N)`` times the standard deviation you mean.
        prior_center: ``'zero'``, or ``'pretrained'`` for the values that fine-tuning started from.
        loss_weight: Factor on the data term.
        label_smoothing: s in [0, 1): labels are ``(1 - s) q + s / C``.
        ohem: ``dict(thres=0.7, min_kept=100000)``: the mean is over hard pixels alone, which are
            chosen as MMSegmentation's ``OhemCrossEntropy`` does, see :func:`hard_pixels`; None:
            over all that are not ignored.
        ignore_index: Label of the pixels that do not count, where a head does not say it.
        seed: Seed that eta is drawn from. ``ABNNConversionHook`` sets it to the run's seed, so
            that the members, which have seeds of their own, differ.
        loss_name: Name in the logs; must start with ``loss_`` to be back-propagated.

    Attributes:
        offsets: eta once it is drawn, of shape (C,), else None.
        prior: The prior's term, set by ``ABNNConversionHook``, or None.
        terms: The loss's terms in the last forward pass, by name, detached.

    Raises:
        ValueError: If an argument is out of range.
        TypeError: If ``eta`` is neither a dict, a list nor None, or ``ohem`` neither a dict nor
            None.
    """

    def __init__(
        self,
        eta: Eta = _DEFAULT_ETA,
        class_weight: Sequence[float] | str | None = None,
        prior_std: float | None = None,
        prior_center: str = 'zero',
        loss_weight: float = 1.0,
        label_smoothing: float = 0.0,
        ohem: Mapping[str, Any] | None = None,
        ignore_index: int = -100,
        seed: int = 0,
        loss_name: str = 'loss_abnn',
    ) -> None:
        super().__init__()
        if not loss_name.startswith('loss_'):
            raise ValueError(f"`loss_name` must start with 'loss_', got {loss_name!r}")
        weights = get_class_weight(class_weight)  # reads a file
        self.class_weight = None if weights is None else [float(value) for value in weights]
        if any(value < 0 for value in self.class_weight or ()):
            raise ValueError(f'`class_weight` must hold numbers >= 0, got {self.class_weight}')
        if prior_std is not None and not prior_std > 0:
            raise ValueError(f'`prior_std` must be None or > 0, got {prior_std}')
        if prior_center not in _CENTERS:
            raise ValueError(f'`prior_center` must be one of {_CENTERS}, got {prior_center!r}')
        if not isinstance(label_smoothing, (int, float)) or not 0 <= label_smoothing < 1:
            raise ValueError(
                f'`label_smoothing` must be a number in [0, 1), got {label_smoothing!r}'
            )
        self.eta = check_eta(eta)
        self.ohem = check_ohem(ohem)
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing
        self.prior_std = prior_std
        self.prior_center = prior_center
        self.loss_weight = loss_weight
        self.seed = seed
        self._loss_name = loss_name
        self.offsets: Tensor | None = None
        self.prior: GaussianPrior | None = None
        self.terms: dict[str, Tensor] = {}

    @property
    def loss_name(self) -> str:
        """Name of the loss item."""
        return self._loss_name

    def draw_offsets(self, num_classes: int) -> Tensor:
        """Draw eta if it is not drawn yet; return it, of shape (C,).

        Raises:
            ValueError: If it does not fit ``num_classes``.
        """
        if self.offsets is None:
            self.offsets = draw_eta(self.eta, num_classes, self.seed)
        for name, value in (('eta', self.offsets), ('class_weight', self.class_weight)):
            if value is not None and len(value) != num_classes:
                raise ValueError(
                    f'`{name}` must have one number for each of the {num_classes} classes, '
                    f'got {len(value)}'
                )
        return self.offsets

    def forward(
        self,
        cls_score: Tensor,
        label: Tensor,
        weight: Tensor | None = None,
        ignore_index: int | None = None,
        reduction_override: str | None = None,
        avg_factor: float | None = None,
    ) -> Tensor:
        """Compute the loss.

        Args:
            cls_score: Logits of shape (N, C, ...), C >= 2.
            label: Class indices of shape (N, ...), or ``ignore_index``; or soft labels of the
                shape of ``cls_score``.
            weight: Weights of single pixels, of shape (N, ...), or None.
            ignore_index: Label of the pixels that do not count; None: that of the loss.
            reduction_override: ``'none'`` for the data term of each pixel, as samplers of hard
                pixels ask for it.
            avg_factor: The denominator of the mean, as the heads of MMPretrain give it; None: the
                number of pixels that count.

        Returns:
            The loss, a scalar; its data term is 0 where every pixel is ignored. Or, with
            ``reduction_override='none'``, a tensor of shape (N, ...).

        Raises:
            ValueError: If the network has a single (sigmoid) output, the number of classes is not
                that of ``eta`` or ``class_weight``, soft labels are no distribution, or hard pixels
                are to be chosen by soft labels.
        """
        if reduction_override not in (None, 'none'):
            raise ValueError(
                f"`reduction_override` must be None or 'none', got {reduction_override!r}"
            )
        num_classes = cls_score.shape[1]
        if num_classes < 2:
            raise ValueError(
                f'ABNNLoss needs a score for each of at least 2 classes, got {num_classes} '
                'channel: a sigmoid output is not supported'
            )
        if ignore_index is None:
            ignore_index = self.ignore_index
        soft = label.shape == cls_score.shape
        if soft:
            label = label.float()
            self._check_soft(label)
        counted = self._counted(cls_score, label, ignore_index, soft)
        class_weights = 1 + self.draw_offsets(num_classes)
        if self.class_weight is not None:
            class_weights = class_weights * torch.tensor(self.class_weight)
        pixels = nn.functional.cross_entropy(
            cls_score.float(),
            label,
            weight=class_weights.to(cls_score.device),
            reduction='none',
            # PyTorch takes no other with soft labels, of which none is ignored
            ignore_index=-100 if soft else ignore_index,
            label_smoothing=self.label_smoothing,
        )
        if self.ohem is not None:
            pixels = pixels * counted
        if weight is not None:
            pixels = pixels * weight
        if reduction_override == 'none':
            return self.loss_weight * pixels
        if avg_factor is None:
            count: float | Tensor = self._count(counted)
        else:
            count = avg_factor
        loss = self.loss_weight * pixels.sum() / count
        self.terms = {'likelihood': loss.detach()}
        if self.prior is not None:
            prior = self.prior()
            self.terms['prior'] = prior.detach()
            loss = loss + prior
        return loss

    def _counted(self, cls_score: Tensor, label: Tensor, ignore_index: int, soft: bool) -> Tensor:
        """Tell of which pixels the loss is the mean, (N, ...)."""
        if soft:
            if self.ohem is not None:
                raise ValueError('`ohem` chooses pixels by their class: soft labels have none')
            return torch.ones_like(label[:, 0], dtype=torch.bool)
        valid = label != ignore_index
        if self.ohem is None:
            return valid
        return hard_pixels(cls_score, label, valid, **self.ohem)

    @staticmethod
    def _check_soft(label: Tensor) -> None:
        sums = label.sum(dim=1)
        if ((sums - 1).abs() > _SUM_TOLERANCE).any() or (label < 0).any():
            raise ValueError(
                'soft labels must be >= 0 and add up to 1 over the classes, got sums from '
                f'{float(sums.min()):.4g} to {float(sums.max()):.4g} and values from '
                f'{float(label.min()):.4g}: labels of several classes at once are not supported'
            )

    @staticmethod
    def _count(counted: Tensor) -> Tensor:
        # DistributedDataParallel averages the gradients of the processes: with the mean count of
        # these pixels in the denominator, that is the mean over all of them
        count = counted.sum().float()
        if get_world_size() > 1:
            all_reduce(count, op='mean')
        return count.clamp(min=1 / get_world_size())
