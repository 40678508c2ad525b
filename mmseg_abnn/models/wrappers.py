"""Looking through what wraps a model."""

from typing import cast

from mmengine.model import BaseTTAModel, is_model_wrapper
from torch import nn


def unwrapped(model: nn.Module) -> nn.Module:
    """Return the network inside DistributedDataParallel, ``torch.compile`` or a TTA model.

    A model that nothing wraps is returned itself.
    """
    while True:
        if hasattr(model, '_orig_mod'):  # torch.compile
            model = cast(nn.Module, model._orig_mod)
        elif is_model_wrapper(model) or isinstance(model, BaseTTAModel):
            model = cast(nn.Module, model.module)
        else:
            return model
