"""Keeps functions of MMEngine from taking an ABNN for a plain network without a word.

Programs that know nothing of this package read a config without its section ``abnn``, and load a
checkpoint without its members. Where they come past these functions they are stopped, and told
what to call.
"""

import sys
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from mmengine.runner import Runner
from torch import Tensor, nn

from ..member_state import members_in
from ..models.monte_carlo import MonteCarlo

_LOADERS = ('mmengine.runner.checkpoint', 'mmengine.runner')


def members_refused(count: int, model: nn.Module) -> str:
    """Say that a network takes no members, and what to do."""
    return (
        f"the checkpoint is an ABNN's with {count} members, and {type(model).__name__} would "
        'predict without them: call mmseg_abnn.apis.init_model or ABNNInferencer, or tools/test.py '
        'of mmseg_abnn with a config that has a section `abnn`'
    )


def _refusing_members(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def guarded(
        module: nn.Module, state_dict: Mapping[str, Tensor], *args: Any, **kwargs: Any
    ) -> Any:
        samples = any(isinstance(part, MonteCarlo) for part in module.modules())
        # a network may have parts of this name itself
        if not samples and not any('members.' in name for name in module.state_dict()):
            members = members_in(state_dict)
            if members:
                raise ValueError(members_refused(len(members), module))
        return function(module, state_dict, *args, **kwargs)

    return guarded


def _refusing_section(function: Callable[..., Runner]) -> Callable[..., Runner]:
    @wraps(function)
    def guarded(cls: type[Runner], cfg: Mapping[str, Any]) -> Runner:
        if cfg.get('abnn') is not None:
            raise ValueError(
                'the config has a section `abnn`, which this program does not read, so it would '
                'train or test the plain network: use tools/train.py and tools/test.py of '
                'mmseg_abnn, or call mmseg_abnn.apis.expand_abnn_section(cfg) before'
            )
        return function(cls, cfg)

    return guarded


def guard_entry_points() -> None:
    """Put the guarded functions into their places; a second call changes nothing."""
    for place in _LOADERS:
        module = sys.modules[place]
        if not hasattr(module.load_state_dict, '__wrapped__'):
            module.load_state_dict = _refusing_members(module.load_state_dict)  # type: ignore[attr-defined]
    from_cfg = Runner.from_cfg.__func__
    if not hasattr(from_cfg, '__wrapped__'):
        Runner.from_cfg = classmethod(_refusing_section(from_cfg))
