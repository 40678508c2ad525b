"""The members of an ABNN: what each of them changed in the one network they share.

A member is stored as the tensors that its fine-tuning trained (and running statistics, if they
moved), in a safetensors file with the hash of the base network. One network and M such banks are
the whole ensemble.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from .models.layers import bayesian_layers

FORMAT = 'mmseg_abnn member 1'


class MemberBank(nn.Module):
    """The tensors in which one member differs from the base network.

    They are buffers, so they follow the network to its device, but not part of its state dict.

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


def noise_facts(model: nn.Module) -> dict[str, Any]:
    """Return ``alpha`` and ``noise_shape`` of the Bayesian layers, by layer where they differ."""
    layers = bayesian_layers(model)
    facts: dict[str, Any] = {}
    for key in ('alpha', 'noise_shape'):
        values = {name: getattr(layer, key) for name, layer in layers.items()}
        facts[key] = next(iter(values.values())) if len(set(values.values())) == 1 else values
    return facts


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


def state_hash(state: Mapping[str, Tensor]) -> str:
    """Return a SHA-256 over names, types, shapes and bits of a state dict."""
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f'{name} {tensor.dtype} {tuple(tensor.shape)}'.encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def save_member(path: str, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Write one member; the file appears whole or not at all.

    Args:
        path: The ``.safetensors`` file.
        tensors: As :func:`member_tensors` returns them.
        metadata: JSON-serializable facts, among them ``base_hash``.
    """
    partial = f'{path}.{os.getpid()}.part'
    contiguous = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
    # one key only: safetensors does not keep an order of several, and equal members shall be
    # equal files
    facts = {'format': FORMAT, **metadata}
    save_file(contiguous, partial, {'mmseg_abnn': json.dumps(facts)})
    os.replace(partial, path)


def load_member(path: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read one member.

    Returns:
        Its tensors by name, and its metadata.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is not a member file.
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(f'there is no member file {path}')
    try:
        with safe_open(path, framework='pt') as file:
            facts = json.loads((file.metadata() or {}).get('mmseg_abnn', '{}'))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f'{path} is not a safetensors file: {error}') from error
    if facts.pop('format', None) != FORMAT:
        raise ValueError(f'{path} is not a member file of the format {FORMAT!r}')
    return tensors, facts


def _check_alike(
    facts: Sequence[Mapping[str, Any]], metadata: Mapping[str, Any], path: str
) -> None:
    for key in ('alpha', 'noise_shape'):
        if facts and facts[0].get(key) != metadata.get(key):
            raise ValueError(
                f'{path} was fine-tuned with {key}={metadata.get(key)}, the members before it with '
                f'{key}={facts[0].get(key)}: they are no ensemble'
            )
    same = [i for i, fact in enumerate(facts) if fact.get('seed') == metadata.get('seed')]
    if same and 'seed' in metadata:
        raise ValueError(f'{path} has the seed of member {same[0]}: it is the same member twice')


def save_ensemble(path: str, base_state: Mapping[str, Tensor], members: Sequence[str]) -> None:
    """Write the base network and its members into one self-contained checkpoint.

    Its ``state_dict`` is the base network's, so that any MMSegmentation tool can load it; the
    members lie beside it under ``members``.

    Args:
        path: The ``.pth`` file to write.
        base_state: State dict of the network that the members were fine-tuned from.
        members: Paths of the member files, in order.

    Raises:
        ValueError: If a member was fine-tuned from another network or with other noise, or is
            given twice.
    """
    base_hash = state_hash(base_state)
    banks: list[dict[str, Tensor]] = []
    facts: list[dict[str, Any]] = []
    for member in members:
        tensors, metadata = load_member(member)
        if metadata['base_hash'] != base_hash:
            raise ValueError(f'{member} was fine-tuned from another base network')
        _check_alike(facts, metadata, member)
        banks.append(tensors)
        facts.append(metadata)
    _write_ensemble(path, base_state, banks, facts)


def save_networks(path: str, networks: Mapping[str, Mapping[str, Tensor]]) -> None:
    """Write whole networks into one checkpoint of the same form: a Deep Ensemble.

    Each network is a member that differs in everything, and whose noise has alpha = 0. The
    checkpoint's ``state_dict`` is the first one's.

    Args:
        path: The ``.pth`` file to write.
        networks: State dicts, by a name for messages.

    Raises:
        ValueError: If there are fewer than two, they differ in names or shapes, or two are equal.
    """
    if len(networks) < 2:
        raise ValueError(f'an ensemble needs at least 2 different networks, got {list(networks)}')
    (first, base), *others = networks.items()
    hashes = {state_hash(base): first}
    for name, state in others:
        unfit = sorted(
            key
            for key in {*base, *state}
            if key not in base or key not in state or base[key].shape != state[key].shape
        )
        if unfit:
            raise ValueError(
                f'{name} and {first} are no ensemble: {len(unfit)} entries of their state dicts '
                f'differ in name or shape (first: {unfit[0]})'
            )
        same = hashes.setdefault(state_hash(state), name)
        if same != name:
            raise ValueError(f'{name} and {same} hold the same network')
    facts = [{'member': i, 'alpha': 0.0, 'noise_shape': 'channel'} for i in range(len(networks))]
    _write_ensemble(path, base, [dict(state) for state in networks.values()], facts)


def _write_ensemble(
    path: str,
    base_state: Mapping[str, Tensor],
    banks: Sequence[Mapping[str, Tensor]],
    facts: Sequence[Mapping[str, Any]],
) -> None:
    checkpoint = {
        'meta': {'members': list(facts)},
        'state_dict': dict(base_state),
        'members': list(banks),
    }
    partial = f'{path}.{os.getpid()}.part'
    torch.save(checkpoint, partial)
    os.replace(partial, path)
