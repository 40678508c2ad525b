"""What a method needs to be stored."""

import os
from collections.abc import Iterable
from dataclasses import dataclass

from torch import Tensor

from mmseg_abnn.checkpoint import member_states, network_state, read_checkpoint


@dataclass(frozen=True)
class Storage:
    """Sizes of a checkpoint, in bytes.

    Attributes:
        network: Tensors of the network (of an ABNN the base network).
        members: Tensors of the members that are not the network's.
        file: The file, which may hold the state of the optimizer too.
    """

    network: int
    members: int
    file: int

    @property
    def needed(self) -> int:
        """What a prediction needs."""
        return self.network + self.members


def read_storage(checkpoint: str) -> Storage:
    """Return the sizes of a checkpoint.

    Args:
        checkpoint: Its file.
    """
    content = read_checkpoint(checkpoint)
    network = list(network_state(content).values())
    members = [tensor for member in member_states(content) for tensor in member.values()]
    own = _bytes(network)
    return Storage(own, _bytes([*network, *members]) - own, os.path.getsize(checkpoint))


def _bytes(tensors: Iterable[Tensor]) -> int:
    """Sum up the sizes; what lies in one place (tied weights, a member's base) counts once."""
    sizes = {(tensor.data_ptr(), tensor.shape): tensor.nbytes for tensor in tensors}
    return sum(sizes.values())
