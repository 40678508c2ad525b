"""What the losses of a model take from the run they are in: the member's seed, and the prior."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn

from ...models.losses import ABNNLoss, GaussianPrior


def abnn_losses(model: nn.Module) -> dict[str, tuple[ABNNLoss, int | None]]:
    """Return the :class:`ABNNLoss` modules by name, with the number of classes of their heads.

    The number is None for a head that does not tell it; its eta is drawn in the first forward
    pass.
    """
    found: dict[str, tuple[ABNNLoss, int | None]] = {}
    for name, module in model.named_modules():
        if isinstance(module, ABNNLoss):
            # the innermost module around the loss that knows its number of classes
            parents = [name.rpartition('.')[0]]
            while parents[-1]:
                parents.append(parents[-1].rpartition('.')[0])
            owners = (model.get_submodule(parent) for parent in parents)
            counts = (getattr(owner, 'num_classes', None) for owner in owners)
            found[name] = (module, next((c for c in counts if isinstance(c, int)), None))
    return found


def draw_etas(model: nn.Module, seed: int) -> None:
    """Draw the class offsets of all losses of one member from its seed.

    Raises:
        ValueError: If a loss's settings do not fit the number of classes.
    """
    for loss, num_classes in abnn_losses(model).values():
        loss.seed = seed
        loss.offsets = None
        if num_classes is not None:
            loss.draw_offsets(num_classes)


def etas(model: nn.Module) -> dict[str, list[float]]:
    """Return the class offsets that were drawn, by the loss's name."""
    losses = ((name, loss) for name, (loss, _) in abnn_losses(model).items())
    return {name: loss.offsets.tolist() for name, loss in losses if loss.offsets is not None}


def set_prior(
    model: nn.Module,
    param_groups: Iterable[Mapping[str, Any]],
    state: Mapping[str, Any] | None = None,
) -> None:
    """Give the prior to the first loss that asks for one.

    Args:
        model: The model whose trained parameters the prior concerns, with its weights loaded.
        param_groups: The optimizer's groups of parameters.
        state: What :func:`loss_state` returned when the training now resumed was interrupted.

    Raises:
        ValueError: If the optimizer decays the trained parameters too.
    """
    loss = next((lo for lo, _ in abnn_losses(model).values() if lo.prior_std is not None), None)
    if loss is None or loss.prior_std is None:
        return
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    ids = {id(p) for p in trained.values()}
    groups = [group for group in param_groups if any(id(p) in ids for p in group['params'])]
    decays = {group.get('weight_decay', 0) for group in groups}
    if any(decays):
        raise ValueError(
            f"ABNNLoss has prior_std={loss.prior_std}, and the optimizer's weight_decay "
            f'({max(decays)}) is such a prior too: set one of the two to None or 0'
        )
    centers = None
    if loss.prior_center == 'pretrained':
        centers = (state or {}).get('prior_centers')
        centers = centers or {name: p.detach().clone() for name, p in trained.items()}
    loss.prior = GaussianPrior(trained, loss.prior_std, centers)


def loss_state(model: nn.Module) -> dict[str, Any]:
    """Return what a resumed training needs to go on with the same losses."""
    state: dict[str, Any] = {'eta': etas(model)}
    for loss, _ in abnn_losses(model).values():
        if loss.prior is not None and loss.prior.centers is not None:
            state['prior_centers'] = {n: c.cpu() for n, c in loss.prior.centers.items()}
    return state


def restore_etas(model: nn.Module, state: Mapping[str, Any]) -> None:
    """Take the class offsets of an interrupted training up again."""
    losses = abnn_losses(model)
    for name, offsets in state['eta'].items():
        if name in losses:
            losses[name][0].offsets = torch.tensor(offsets)
