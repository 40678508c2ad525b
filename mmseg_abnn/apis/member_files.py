"""Members on disk: a file for each, and one checkpoint for the base network and all of them.

A member is stored as the tensors that its fine-tuning trained (and running statistics, if they
moved), in a safetensors file with the hash of the base network. One network and M such banks are
the whole ensemble.
"""

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ..checkpoint import BaseNetwork, LoadByInitModel, state_hash
from ..compat import package_versions
from ..member_state import with_members
from ..messages import located
from .class_names import class_facts

FORMAT = 'mmseg_abnn member 1'
ENSEMBLE_FILE = 'abnn.pth'
# what a member's metadata holds for its own training, or once for all members
_OF_TRAINING = ('config', 'made_with')


def member_path(work_dir: str, member: int) -> str:
    """Return where a member is stored."""
    return os.path.join(work_dir, f'member_{member}.safetensors')


def save_member(path: str, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Write one member; the file appears whole or not at all.

    Args:
        path: The ``.safetensors`` file.
        tensors: As :func:`member_tensors` returns them.
        metadata: JSON-serializable facts, among them ``base_hash``.
    """
    contiguous = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
    # one key only: safetensors does not keep an order of several, and equal members shall be
    # equal files
    facts = {'format': FORMAT, **metadata}
    content = save(contiguous, {'mmseg_abnn': json.dumps(facts)})
    partial = f'{path}.{os.getpid()}.part'
    # by `open`, for a file with ordinary permissions: the file that safetensors writes itself is
    # readable by its owner alone
    with open(partial, 'wb') as file:
        file.write(content)
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
        raise FileNotFoundError(f'there is no member file {located(path)}')
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


def save_ensemble(
    path: str,
    base: BaseNetwork,
    members: Sequence[str],
    made_with: Mapping[str, Any] | None = None,
) -> None:
    """Write the base network and its members into one self-contained checkpoint.

    Its ``state_dict`` holds both, see :mod:`mmseg_abnn.member_state`. Its ``meta`` tells ``cfg``,
    the config as text, ``dataset_meta`` with the classes and their colors, the settings of
    ``conversion`` and ``prediction``, and the versions of the packages: what
    :func:`mmseg_abnn.apis.init_model` needs to build and to convert the network.

    Args:
        path: The ``.pth`` file to write.
        base: The network that the members were fine-tuned from.
        members: Paths of the member files, in order.
        made_with: ``cfg``, ``conversion`` and ``prediction``, in place of what the first member was
            made with.

    Raises:
        ValueError: If a member was fine-tuned from another network or with other noise, or is
            given twice.
    """
    banks: list[dict[str, Tensor]] = []
    facts: list[dict[str, Any]] = []
    for member in members:
        tensors, metadata = load_member(member)
        if metadata['base_hash'] != base.hash:
            raise ValueError(f'{member} was fine-tuned from another base network')
        _check_alike(facts, metadata, member)
        banks.append(tensors)
        facts.append(metadata)
    known = dict(facts[0].get('made_with') or {}) if facts else {}
    known.update(made_with or {})
    if (base.meta.get('dataset_meta') or {}).get('classes'):
        known['dataset_meta'] = class_facts(base.meta['dataset_meta'])
    _write_ensemble(path, base.state, banks, facts, known)


def save_networks(
    path: str,
    networks: Mapping[str, Mapping[str, Tensor]],
    made_with: Mapping[str, Any] | None = None,
) -> None:
    """Write whole networks into one checkpoint of the same form: a Deep Ensemble.

    Each network is a member that differs in everything, and whose noise has alpha = 0. The
    checkpoint's ``state_dict`` is the first one's.

    Args:
        path: The ``.pth`` file to write.
        networks: State dicts, by a name for messages.
        made_with: What else its ``meta`` tells, see :func:`save_ensemble`.

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
    _write_ensemble(
        path, base, [dict(state) for state in networks.values()], facts, made_with or {}
    )


def _write_ensemble(
    path: str,
    base_state: Mapping[str, Tensor],
    banks: Sequence[Mapping[str, Tensor]],
    facts: Sequence[Mapping[str, Any]],
    made_with: Mapping[str, Any],
) -> None:
    own = [{k: v for k, v in fact.items() if k not in _OF_TRAINING} for fact in facts]
    checkpoint = {
        'meta': {**made_with, 'members': own, **package_versions()},
        'state_dict': with_members(base_state, banks),
        'load_by': LoadByInitModel,
    }
    partial = f'{path}.{os.getpid()}.part'
    torch.save(checkpoint, partial)
    os.replace(partial, path)
