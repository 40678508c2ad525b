"""Writing an ABNN as a file that works without this package: ONNX, or a ``torch.export`` program.

The mean over all members and draws is part of the graph, or the noise is one of its inputs.
"""

import importlib.util
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

import numpy as np
import torch
from mmengine.model import BaseTTAModel
from torch import Tensor, nn

from .. import __version__
from ..models.ensemble_graph import EnsembleGraph, FunctionGraph
from ..models.layers import evaluating, noise_off
from ..models.member_bank import MemberBank
from ..models.network_logits import BareLogits, Logits, NetworkLogits, check_no_probabilities
from ..models.prediction_settings import PredictionSettings
from ..models.segmentors import MonteCarloSegmentor, SegmentorLogits
from ..models.wrappers import unwrapped
from .mean_prediction import Members, draw_settings, read_members

OPSET = 20
NOISE = ('constant', 'input')
METADATA = 'mmseg_abnn'  # the name under which a file holds facts about it
_FORMATS = ('.onnx', '.pt2')
_EXAMPLE_SIZE = (128, 192)  # of images where any size is meant


@dataclass(frozen=True)
class Exported:
    """What was exported.

    Attributes:
        files: The files that were written: the graph, and with noise as an input its
            ``functions``.
        graph: What the file computes, as a module.
        inputs: Inputs that it was traced with, by name.
    """

    files: list[str]
    graph: EnsembleGraph | FunctionGraph
    inputs: dict[str, Tensor]


def export_segmentor(
    model: nn.Module, path: str, size: tuple[int, int] | None = None, noise: str = 'constant'
) -> Exported:
    """Write a segmentor that samples, with its members, as a graph.

    The graph takes pixel values (N, channels, H, W), float32 from 0 to 255 in the order of channels
    that the pipeline loads (BGR), and normalizes them itself. How it predicts is what the
    segmentor's settings say.

    Args:
        model: ``MCEncoderDecoder`` with its weights, Bayesian layers and members.
        path: The file to write, ``.onnx`` or ``.pt2`` (for ``torch.export.load``).
        size: The (height, width) of all images; None for images of any size. The batch size is
            free always.
        noise: ``'constant'``: all functions of the ensemble in one graph, which returns
            ``probabilities`` (N, C, H, W), ``labels`` (N, H, W) and the uncertainty maps
            (N, H, W). ``'input'``: one function, whose ``noise`` and ``member`` are inputs; beside
            the graph ``<name>_functions.npz`` holds them for all functions of the ensemble.

    Returns:
        The files, and what they compute.

    Raises:
        TypeError: If ``model`` is no such segmentor.
        ValueError: If a graph cannot predict as the settings say, or an argument is out of range.
        ImportError: If a package is missing.
        RuntimeError: If PyTorch cannot make a graph of the network.
    """
    if isinstance(model, BaseTTAModel):
        raise ValueError(
            f'{type(model).__name__} is test-time augmentation, which cannot be exported: export '
            'the segmentor in it'
        )
    network = unwrapped(model)
    if not isinstance(network, MonteCarloSegmentor):
        raise TypeError(
            '`model` must be a segmentor that samples, such as MCEncoderDecoder, got '
            f'{type(network).__name__}: `export_network` exports networks of other kinds'
        )
    mode = network.test_cfg.mode
    if mode != 'whole':
        raise ValueError(
            f'test_cfg.mode={mode!r} cannot be exported: the number of windows depends on the '
            "image's size; set mode='whole', and cut the images in windows yourself if they are "
            'too large'
        )
    _check_size(size)
    logits = SegmentorLogits(network)
    logits.check_normalization()
    shape = (2, logits.channels, *(size or _EXAMPLE_SIZE))
    example = torch.full(shape, 255.0, device=next(network.parameters()).device)
    banks = [cast(MemberBank, bank) for bank in network.members]
    facts = {
        'input': 'pixel values from 0 to 255, in the order of channels that the pipeline loads',
        'padding of a test, not in the graph': logits.padding,
        'classes': (getattr(network, 'dataset_meta', None) or {}).get('classes'),
    }
    return _export(logits, network.prediction, banks, example, path, noise, size is not None, facts)


def export_network(
    model: nn.Module,
    path: str,
    x: Tensor,
    draws: int = 10,
    members: Members | None = None,
    seed: int = 0,
    logits: Logits | None = None,
    noise: str = 'constant',
    fixed_size: bool = False,
) -> Exported:
    """Write a converted network of any kind as a graph that predicts as ``predict_mean`` does.

    Args:
        model: A network that :func:`mmseg_abnn.convert_to_abnn` converted.
        path: The file to write, ``.onnx`` or ``.pt2`` (for ``torch.export.load``).
        x: A batch that it takes, of shape (N, channels, ...).
        draws: L >= 1, draws of each member.
        members: As for :func:`predict_mean`.
        seed: As for :func:`predict_mean`.
        logits: As for :func:`predict_mean`.
        noise: As for :func:`export_segmentor`.
        fixed_size: Whether the axes of ``x`` from the third on keep their lengths. The batch size
            is free always.

    Returns:
        The files, and what they compute.

    Raises:
        TypeError: If ``x`` is no tensor, or the network returns something else than logits.
        ValueError: If a graph cannot predict so, an argument is out of range, or a member does
            not fit.
        ImportError: If a package is missing.
        RuntimeError: If the network holds no Bayesian layer, or PyTorch cannot make a graph of it.
    """
    if not isinstance(x, Tensor):
        raise TypeError(f'`x` must be one tensor (N, channels, ...), got a {type(x).__name__}')
    network = unwrapped(model)
    settings = draw_settings(draws, seed)
    banks = read_members(network, members)
    form = BareLogits(network, logits)
    with evaluating(network), noise_off(network), torch.no_grad():
        check_no_probabilities(form(x), type(network).__name__)
    example = torch.cat([x, x]) if x.shape[0] == 1 else x
    return _export(form, settings, banks, example, path, noise, fixed_size, {})


def _export(
    logits: NetworkLogits,
    settings: PredictionSettings,
    banks: Sequence[MemberBank],
    example: Tensor,
    path: str,
    noise: str,
    fixed_size: bool,
    facts: Mapping[str, Any],
) -> Exported:
    _check_file(path)
    if noise not in NOISE:
        raise ValueError(f'`noise` must be one of {NOISE}, got {noise!r}')
    constant = noise == 'constant'
    graph = (EnsembleGraph if constant else FunctionGraph)(logits, settings, banks)
    inputs = {'image': example}
    functions = None
    if isinstance(graph, FunctionGraph):
        functions = graph.functions()
        inputs['noise'] = functions['noise'][0].to(example.device)
        if banks:
            inputs['member'] = functions['member'][:1].to(example.device)
    dynamic = torch.export.Dim.DYNAMIC
    axes = [0] if fixed_size else [0, *(a for a in range(2, example.dim()) if example.shape[a] > 1)]
    shapes = (dict.fromkeys(axes, dynamic), *[None] * (len(inputs) - 1))
    with evaluating(graph), torch.no_grad():
        try:
            program = torch.export.export(graph, tuple(inputs.values()), dynamic_shapes=shapes)
        except RuntimeError as error:
            if fixed_size:
                raise
            raise RuntimeError(
                'PyTorch cannot make a graph of this network for inputs of any size (its error is '
                'above): export it for one size, by `size` or --size, `fixed_size` of a network '
                'of your own'
            ) from error
        facts = {
            'version': __version__,
            'settings': asdict(settings),
            'members': len(banks),
            'noise': noise,
            **facts,
        }
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        write = _write_onnx if path.endswith('.onnx') else _write_program
        write(program, path, list(inputs), list(graph.outputs), json.dumps(facts))
    files = [path]
    if functions is not None:
        files.append(f'{os.path.splitext(path)[0]}_functions.npz')
        arrays: dict[str, Any] = {name: tensor.numpy() for name, tensor in functions.items()}
        np.savez(files[1], **arrays)
    return Exported(files, graph, inputs)


def _write_program(
    program: Any, path: str, inputs: list[str], outputs: list[str], facts: str
) -> None:
    torch.export.save(program, path, extra_files={f'{METADATA}.json': facts})


def _write_onnx(program: Any, path: str, inputs: list[str], outputs: list[str], facts: str) -> None:
    written = torch.onnx.export(
        program,
        input_names=inputs,
        output_names=outputs,
        opset_version=OPSET,
        dynamo=True,
        verbose=False,
    )
    if written is None:
        raise RuntimeError('torch.onnx.export returned no graph')
    image = written.model.graph.inputs[0].shape or ()
    names = ('batch', '', 'height', 'width') if len(image) == 4 else ('batch',)
    written.rename_axes(
        {
            axis: name
            for axis, name in zip(image, names, strict=False)
            if name and not isinstance(axis, int)
        }
    )
    written.model.metadata_props[METADATA] = facts
    written.save(path)


def _check_size(size: tuple[int, int] | None) -> None:
    if size is None:
        return
    if len(size) != 2 or any(not isinstance(n, int) or n < 1 for n in size):
        raise ValueError(f'`size` must be a (height, width) of ints >= 1, got {size!r}')


def _check_file(path: str) -> None:
    """Raise if the file cannot be written here, before anything takes long."""
    suffix = os.path.splitext(path)[1]
    if suffix not in _FORMATS:
        raise ValueError(f'`path` must end in one of {_FORMATS}, got {path!r}')
    if not hasattr(torch.compiler, 'is_exporting'):
        raise ImportError(f'exporting needs PyTorch 2.7 or later, this is {torch.__version__}')
    missing = [name for name in ('onnx', 'onnxscript') if importlib.util.find_spec(name) is None]
    if suffix == '.onnx' and missing:
        raise ImportError(
            f'{path} needs {" and ".join(missing)}: pip install "mmseg_abnn[export]", or write a '
            '.pt2 file'
        )
