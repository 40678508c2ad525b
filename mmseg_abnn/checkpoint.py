"""Reading checkpoints without running code that they bring along.

A checkpoint of MMEngine is a pickle with more in it than tensors (log history, among others), so
PyTorch's ``weights_only`` loader refuses it, and the fallback of loading it without restriction
runs whatever the file says. The reader here builds what PyTorch's own safe list allows and turns
every other object into an inert placeholder: weights, optimizer state and plain Python data
arrive, nothing else happens.
"""

import hashlib
import os
import pickle
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType
from typing import Any

import torch
from mmengine.runner import CheckpointLoader
from torch import Tensor
from torch._weights_only_unpickler import _get_allowed_globals

from .member_state import members_in, with_members, without_members
from .messages import located

_NUMPY_GLOBALS = {
    (module, name)
    for module in ('numpy.core.multiarray', 'numpy._core.multiarray')
    for name in ('_reconstruct', 'scalar')
} | {('numpy', 'dtype'), ('numpy', 'ndarray')}

# what a checkpoint holds for resuming its training
_OF_TRAINING = ('optimizer', 'param_schedulers')
# OSError is what the archive in a file that was cut off gives
_READ_ERRORS = (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, TypeError)


class LoadByInitModel:
    """In the file of an ABNN: "load me by ``mmseg_abnn.apis.init_model``".

    PyTorch's safe loader refuses a file that names a class it does not know, and names the class in
    its error. So a program that has never imported this package does not load such a file for the
    plain network in it. Once the package is imported the class is allowed, and means nothing.
    """


torch.serialization.add_safe_globals([LoadByInitModel])


class Inert:
    """Stands for an object of a checkpoint that was not rebuilt; takes anything, does nothing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None: ...

    def __call__(self, *args: Any, **kwargs: Any) -> 'Inert':
        """Be called instead of a function that the file names."""
        return self

    def __setstate__(self, state: Any) -> None: ...

    def __setitem__(self, key: Any, value: Any) -> None: ...

    def append(self, item: Any) -> None:
        """Take one item of a list-like object."""

    def extend(self, items: Any) -> None:
        """Take several items of a list-like object."""


class _InertUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Return what a name in the file stands for: the thing itself only if it is safe."""
        allowed = _get_allowed_globals()
        if f'{module}.{name}' in allowed:
            return allowed[f'{module}.{name}']
        if (module, name) in _NUMPY_GLOBALS:
            return super().find_class(module, name)
        return Inert


_pickle_module = ModuleType('inert_pickle')
_pickle_module.Unpickler = _InertUnpickler  # type: ignore[attr-defined]
_pickle_module.load = lambda file, **kwargs: _InertUnpickler(file, **kwargs).load()  # type: ignore[attr-defined]


def read_checkpoint(path: str | os.PathLike, map_location: Any = 'cpu') -> dict[str, Any]:
    """Read a checkpoint file of PyTorch, MMEngine or this package.

    Args:
        path: A local file.
        map_location: As for :func:`torch.load`.

    Returns:
        The checkpoint's dictionary, with ``state_dict`` where MMEngine wrote it. The members of an
        ABNN are part of that, see :mod:`mmseg_abnn.member_state`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is not a checkpoint.
    """
    path = os.path.expanduser(path)
    if '://' in str(path):
        raise FileNotFoundError(f'{path} is not a local file: download it first')
    if not os.path.isfile(path):
        raise FileNotFoundError(f'there is no checkpoint file {located(path)}')
    try:
        checkpoint = torch.load(
            path, map_location=map_location, pickle_module=_pickle_module, weights_only=False
        )
    except _READ_ERRORS as error:
        raise ValueError(f'{path} is not a readable checkpoint: {error}') from error
    if not isinstance(checkpoint, dict):
        raise ValueError(f'{path} holds a {type(checkpoint).__name__}, not a checkpoint dictionary')
    bring_up_to_date(checkpoint)
    return checkpoint


def bring_up_to_date(checkpoint: dict[str, Any]) -> None:
    """Give an ABNN's checkpoint of an earlier version the present form, in place."""
    if isinstance(checkpoint.get('members'), list):
        members = checkpoint.pop('members')
        checkpoint['state_dict'] = with_members(checkpoint['state_dict'], members)


def _state(checkpoint: Mapping[str, Any]) -> dict[str, Tensor]:
    state = checkpoint.get('state_dict', checkpoint)
    return {name.removeprefix('module.'): t for name, t in state.items() if isinstance(t, Tensor)}


def network_state(checkpoint: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return a checkpoint's weights by parameter name, without the prefix of DDP wrappers.

    The members of an ABNN are left out.
    """
    return without_members(_state(checkpoint))


def member_states(checkpoint: Mapping[str, Any]) -> list[dict[str, Tensor]]:
    """Return the tensors of each member of an ABNN's checkpoint; an empty list of another's.

    Raises:
        ValueError: If the members are not numbered from 0 on.
    """
    return members_in(_state(checkpoint))


def state_hash(state: Mapping[str, Tensor]) -> str:
    """Return a SHA-256 over names, types, shapes and bits of a state dict."""
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f'{name} {tensor.dtype} {tuple(tensor.shape)}'.encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class BaseNetwork:
    """A trained network in a file, read and hashed once: what the members of an ABNN start from.

    Attributes:
        path: The file.
        checkpoint: What it holds, but for what only its own training needs.
    """

    path: str
    checkpoint: Mapping[str, Any]

    @classmethod
    def read(cls, path: str) -> 'BaseNetwork':
        """Read the network of a checkpoint file.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If the file is not a checkpoint.
        """
        checkpoint = read_checkpoint(path)
        return cls(path, {k: v for k, v in checkpoint.items() if k not in _OF_TRAINING})

    @cached_property
    def state(self) -> dict[str, Tensor]:
        """Its weights by name."""
        return network_state(self.checkpoint)

    @property
    def meta(self) -> Mapping[str, Any]:
        """What MMEngine wrote of its training, or nothing."""
        return self.checkpoint.get('meta') or {}

    @cached_property
    def hash(self) -> str:
        """Its :func:`state_hash`."""
        return state_hash(self.state)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Let the Runner load it without reading it again, after :func:`use_safe_loading`."""
        key = os.path.abspath(os.path.expanduser(self.path))
        _kept[key] = self
        try:
            yield
        finally:
            del _kept[key]

    def copy(self) -> dict[str, Any]:
        """Return the checkpoint, as one that was just read: its dictionaries may be changed."""
        copied = dict(self.checkpoint)
        if 'state_dict' in copied:
            copied['state_dict'] = copy(copied['state_dict'])
        return copied


_kept: dict[str, BaseNetwork] = {}


def _without_inert(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_inert(v) for k, v in value.items() if not isinstance(v, Inert)}
    if isinstance(value, list):
        return [_without_inert(item) for item in value]
    return value


def _load_from_local(filename: str, map_location: Any) -> dict[str, Any]:
    base = _kept.get(os.path.abspath(os.path.expanduser(filename)))
    if base is not None:
        return base.copy()
    checkpoint = read_checkpoint(filename, map_location)
    # a scheduler may have stored a function of its own: the new scheduler's stays in use
    for key in _OF_TRAINING:
        if key in checkpoint:
            checkpoint[key] = _without_inert(checkpoint[key])
    return checkpoint


def use_safe_loading() -> None:
    """Make MMEngine's Runner read local checkpoints with :func:`read_checkpoint`.

    Called by the tools. Besides being safe it makes MMEngine 0.10.7 load its own checkpoints
    again on PyTorch 2.6 and later.
    """
    CheckpointLoader.register_scheme(prefixes='', loader=_load_from_local, force=True)
