"""A member in the network: the tensors in which it differs from the base network they all share."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


class MemberBank(nn.Module):
    """The tensors in which one member differs from the base network.

    They are buffers, so they follow the network to its device. In a state dict they have the names
    of what they replace.

    Args:
        tensors: Values by the name of the parameter or buffer that they replace.
    """

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        self._keys = {name: f'tensor_{i}' for i, name in enumerate(tensors)}
        for name, key in self._keys.items():
            self.register_buffer(key, tensors[name].detach().clone(), persistent=False)

    def tensors(self) -> dict[str, Tensor]:
        """Return the values by name."""
        return {name: getattr(self, key) for name, key in self._keys.items()}

    def _save_to_state_dict(
        self, destination: dict[str, Tensor], prefix: str, keep_vars: bool
    ) -> None:
        destination.update({prefix + name: tensor for name, tensor in self.tensors().items()})

    def _load_from_state_dict(
        self,
        state_dict: Mapping[str, Tensor],
        prefix: str,
        local_metadata: Any,
        strict: bool,
        missing_keys: list[str],
        *others: Any,
    ) -> None:
        """Name what is missing; the network has built its banks from the rest already."""
        missing_keys += [prefix + name for name in self._keys if prefix + name not in state_dict]


def member_tensors(model: nn.Module, base_state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return what fine-tuning changed in ``model``.

    Args:
        model: The fine-tuned network.
        base_state: State dict of the network that it started from.

    Returns:
        The trained parameters, and every other entry of the state dict (running statistics) that
        is not what it was, by name.
    """
    parameters = dict(model.named_parameters())
    # a module that is registered under two names is listed twice in the state dict, but once here
    names = {*parameters, *dict(model.named_buffers())}

    def changed(name: str, tensor: Tensor) -> bool:
        if name in parameters and parameters[name].requires_grad:
            return True
        return name not in base_state or not torch.equal(tensor.cpu(), base_state[name].cpu())

    state = {name: t.detach() for name, t in model.state_dict().items() if name in names}
    return {name: tensor for name, tensor in state.items() if changed(name, tensor)}


def bank_for(model: nn.Module, tensors: Mapping[str, Tensor]) -> MemberBank:
    """Return a member of ``model``, each tensor of the type and on the device of what it replaces.

    Args:
        model: The network.
        tensors: As :func:`check_member` takes them.
    """
    own = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    alike = {name: t.to(own[name].device, own[name].dtype) for name, t in tensors.items()}
    return MemberBank(alike)


def check_member(model: nn.Module, tensors: Mapping[str, Tensor], source: str) -> None:
    """Raise ValueError if ``tensors`` do not all fit parameters or buffers of ``model``."""
    own = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    unfit = [n for n, t in tensors.items() if n not in own or own[n].shape != t.shape]
    if unfit or not tensors:
        raise ValueError(
            f'{source} does not fit {type(model).__name__}: {len(unfit)} of {len(tensors)} '
            f'tensors have no counterpart of the same shape (first: {unfit[:3]})'
        )


@contextmanager
def applied(model: nn.Module, bank: MemberBank | None) -> Iterator[None]:
    """Let ``model`` be one member (None: itself), and the base network again on every way out.

    The parameter objects stay; only the storage they point to changes.
    """
    if bank is None:
        yield
        return
    own = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    saved = {name: own[name].data for name in bank.tensors()}
    try:
        for name, value in bank.tensors().items():
            own[name].data = value
        yield
    finally:
        for name, value in saved.items():
            own[name].data = value
