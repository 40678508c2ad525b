"""Members in a state dict: ``members.<m>.<name>``, beside the weights of the network they share.

A network that samples takes them from its state dict like any other weight, whatever function of
MMEngine or PyTorch loads it, and a network that does not sample finds keys that it does not know.
"""

import re
from collections.abc import Mapping, Sequence

from torch import Tensor

_KEY = re.compile(r'(?:module\.)?members\.(\d+)\.(.+)', re.DOTALL)


def members_in(state: Mapping[str, Tensor]) -> list[dict[str, Tensor]]:
    """Return the tensors of each member of a state dict by name; an empty list without members.

    Raises:
        ValueError: If the members are not numbered from 0 on.
    """
    members: dict[int, dict[str, Tensor]] = {}
    for key, tensor in state.items():
        if found := _KEY.fullmatch(key):
            members.setdefault(int(found[1]), {})[found[2]] = tensor
    if sorted(members) != list(range(len(members))):
        raise ValueError(
            f'the members of a state dict must be numbered from 0 on, got {sorted(members)[:10]}'
        )
    return [members[index] for index in sorted(members)]


def without_members(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the state dict of the network alone."""
    return {key: tensor for key, tensor in state.items() if not _KEY.fullmatch(key)}


def with_members(
    state: Mapping[str, Tensor], members: Sequence[Mapping[str, Tensor]]
) -> dict[str, Tensor]:
    """Return a network's state dict with members beside it."""
    keys = {
        f'members.{index}.{name}': tensor
        for index, member in enumerate(members)
        for name, tensor in member.items()
    }
    return {**state, **keys}
