"""Mixed precision on machines without a GPU."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from torch import nn


@OPTIM_WRAPPERS.register_module()
class CPUAmpOptimWrapper(OptimWrapper):
    """Trains under bfloat16 autocast on the CPU.

    MMEngine's ``AmpOptimWrapper`` insists on a GPU. bfloat16 has the range of float32, so no loss
    scaling is needed. It pays on processors with AVX-512 or AMX; on others it may be slower.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Run the forward pass under autocast."""
        with super().optim_context(model), torch.autocast('cpu', dtype=torch.bfloat16):
            yield
