"""Prediction in a script: a network from its file, and images through it."""

import os
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, TypeAlias, cast, overload
from weakref import WeakSet

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.device import get_device
from mmengine.logging import print_log
from mmengine.registry import MODELS, DefaultScope, init_default_scope
from mmengine.structures import BaseDataElement
from torch import nn

from ..checkpoint import member_states, network_state, read_checkpoint
from ..conversion import convert_to_abnn
from ..datasets.pipeline_geometry import GeometryError, check_steps
from ..engine.entry_points import members_refused
from ..engine.hooks.checkpoint_members_hook import (
    check_members,
    check_weights_arrive,
    missing_members,
    noise_differences,
    other_base,
)
from ..member_state import with_members
from ..messages import located
from ..models.monte_carlo import MonteCarlo
from ..package_configs import find_config
from .class_names import dataset_meta
from .command_line import is_classifier, merge_options
from .config_parts import conversion_settings, drop_initialization, type_name
from .inference_pipeline import for_arrays, inference_pipeline, reads_colors
from .stored_config import read_config_text, resolve_names

Image: TypeAlias = str | os.PathLike[str] | np.ndarray
"""A path, or pixels: uint8 from 0 to 255 of shape (H, W, 3) in the order blue, green, red, as
OpenCV reads them. A pipeline that reads other images, such as those of five bands, takes such
arrays."""


# MMCV's loader asserts that there is an image, and OpenCV has an error of its own
_UNREADABLE = (AssertionError, OSError, ValueError, cv2.error)


def init_model(
    config_or_checkpoint: str | os.PathLike[str] | Config,
    checkpoint: str | os.PathLike[str] | None = None,
    device: str | torch.device | None = None,
    cfg_options: Mapping[str, Any] | None = None,
) -> nn.Module:
    """Build a trained network, or an ABNN with all its members, for prediction.

        model = init_model('work_dirs/my_abnn/abnn.pth')

    Args:
        config_or_checkpoint: A checkpoint that holds its config, as ``abnn.pth`` and MMEngine's
            checkpoints do. Or a config: its path or itself, with a section ``abnn`` or without.
        checkpoint: The checkpoint, where a config was given. That config counts, and not the one
            in the checkpoint.
        device: Where it computes; by default a GPU, if there is one.
        cfg_options: Settings by their dotted names, such as
            ``{'model.test_cfg.num_samples': 10}``.

    Returns:
        The network, converted, in evaluation mode and without gradients. ``model.dataset_meta``
        holds ``classes`` and ``palette``, ``model.cfg`` the config.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a file cannot be used, the checkpoint holds no config and none is given, or
            it does not fit the config.
    """
    source, cfg = _config(config_or_checkpoint)
    if cfg is not None and checkpoint is None:
        raise ValueError(
            '`checkpoint` must be given beside a config: there is no trained network without it'
        )
    if cfg is None and checkpoint is not None:
        raise ValueError(
            f'`config_or_checkpoint` is a checkpoint, {source}, and `checkpoint`={checkpoint!r} is '
            'another: the first must be a config then'
        )
    path = os.fspath(source if checkpoint is None else checkpoint)
    loaded = read_checkpoint(path)
    stored = cfg is None
    if cfg is None:
        cfg = _stored_config(loaded, path)
    merge_options(cfg, cfg_options or {})
    model: Any = _build(cfg, loaded, path)
    model.dataset_meta = dataset_meta(cfg, loaded, model)
    # where MMSegmentation's own `inference_model` looks for it
    cfg.test_pipeline = inference_pipeline(cfg)
    if stored:  # what else a file says is not to be built, by nobody
        kept = ('default_scope', 'model', 'custom_hooks', 'test_pipeline')
        cfg = Config({key: cfg[key] for key in kept if key in cfg}, format_python_code=False)
    model.cfg = cfg
    return model.requires_grad_(False).to(device or get_device()).eval()


def _config(given: str | os.PathLike[str] | Config) -> tuple[str, Config | None]:
    """Return what was given as a config or, if it is a checkpoint, its path."""
    if isinstance(given, Mapping):
        given = Config(dict(given), format_python_code=False)
    if isinstance(given, Config):
        return '', Config(given.to_dict())  # it is expanded, and the caller's stays
    path = os.fspath(given)
    if not isinstance(path, str):
        raise TypeError(f'`config_or_checkpoint` must be a path or a Config, got {given!r}')
    if os.path.splitext(path)[1] not in ('.py', '.json', '.yaml', '.yml'):
        return path, None
    path = find_config(path)
    return path, Config.fromfile(path)


def _stored_config(checkpoint: Mapping[str, Any], path: str) -> Config:
    meta = checkpoint.get('meta')
    text = meta.get('cfg') if isinstance(meta, Mapping) else None
    if not text:
        raise ValueError(
            f'{path} holds no config of its network (`meta.cfg`): call '
            'init_model(CONFIG, CHECKPOINT) with the config that it was trained with'
        )
    cfg = read_config_text(text, path)
    cfg.test_pipeline = inference_pipeline(cfg)
    for part in ('model', 'data_preprocessor', 'test_pipeline'):
        resolve_names(cfg.get(part), cfg, path)
    return cfg


def _build(cfg: Config, checkpoint: dict[str, Any], path: str) -> nn.Module:
    drop_initialization(cfg.model)
    if cfg.get('default_scope') is None:
        cfg.default_scope = 'mmpretrain' if is_classifier(cfg) else 'mmseg'
    init_default_scope(cfg.default_scope)
    if cfg.get('data_preprocessor') is not None and cfg.model.get('data_preprocessor') is None:
        cfg.model.data_preprocessor = cfg.data_preprocessor
    model = MODELS.build(cfg.model)
    for hook in cfg.get('custom_hooks') or []:
        if type_name(hook) == 'ABNNConversionHook':
            convert_to_abnn(model, **conversion_settings(hook))
    check_members(checkpoint, path)
    members = member_states(checkpoint)
    if members and not isinstance(model, MonteCarlo):
        raise ValueError(f'{path}: {members_refused(len(members), model)}')
    try:
        check_weights_arrive(model, checkpoint, without='auxiliary_head.')
        model.load_state_dict(with_members(network_state(checkpoint), members), strict=False)
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from error
    if isinstance(model, MonteCarlo):
        warnings = [*noise_differences(model, checkpoint), missing_members(model)]
        warnings.append(other_base(checkpoint))
        for warning in filter(None, warnings):
            print_log(warning, logger='current', level=30)
    return model


@overload
def inference_model(model: nn.Module, images: Image, batch_size: int = 1) -> BaseDataElement: ...


@overload
def inference_model(
    model: nn.Module, images: Sequence[Image], batch_size: int = 1
) -> list[BaseDataElement]: ...


def inference_model(
    model: Any, images: Image | Sequence[Image], batch_size: int = 1
) -> BaseDataElement | list[BaseDataElement]:
    """Predict images.

        result = inference_model(model, 'street.png')
        result.pred_sem_seg.data[0], result.uncertainty.entropy[0]

    Args:
        model: Of :func:`init_model`.
        images: One image or a list: paths, or pixels of shape (H, W, 3) in the order blue, green,
            red.
        batch_size: How many images of one size, which follow each other, go through the network
            together. That changes no result but by rounding.

    Returns:
        The data sample of the image, or a list of them. Of a segmentor that samples it has
        ``pred_sem_seg`` of shape (1, H, W), ``probabilities`` (C, H, W), and ``uncertainty`` with
        maps of shape (1, H, W): ``entropy``, ``msp``, ``mutual_information`` and others.

    Raises:
        ValueError: If an array is no image, there is none, or ``batch_size`` is below 1.
        FileNotFoundError: If there is no such file.
    """
    check_batch_size(batch_size)
    single = isinstance(images, (str, os.PathLike, np.ndarray))
    listed: list[Any] = [images] if single else list(cast(Sequence[Image], images))
    if not listed:
        raise ValueError('`images` is empty')
    pipeline = inference_pipeline(model.cfg)
    of_colors = reads_colors(pipeline)
    for image in listed:
        _check_image(image, of_colors)
    # another network may have been built since
    with DefaultScope.overwrite_default_scope(model.cfg.default_scope):
        from_file, from_array = Compose(pipeline), Compose(for_arrays(pipeline))
    results: list[BaseDataElement] = []
    prepared = (
        _prepared(from_array, {'img': image}, f'image {index}')
        if isinstance(image, np.ndarray)
        else _prepared(from_file, {'img_path': os.fspath(image)}, os.fspath(image))
        for index, image in enumerate(listed)
    )
    if model not in _checked:
        first = listed[0]
        array = isinstance(first, np.ndarray)
        data = {'img': first} if array else {'img_path': os.fspath(first)}
        if _follow_once(from_array if array else from_file, data):
            _checked.add(model)
    # one data sample has the size before the network resizes anything, the input that after it
    for _, alike in groupby(prepared, key=_sizes):
        batch = list(alike)
        for start in range(0, len(batch), batch_size):
            results += _predict(model, batch[start : start + batch_size])
    return results[0] if single else results


def check_batch_size(value: Any) -> None:
    """Raise ValueError if a value is no batch size."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f'`batch_size` must be an int >= 1, got {value!r}')


def _check_image(image: Any, of_colors: bool) -> None:
    """Refuse what the network was not trained on.

    Args:
        image: A path or an array.
        of_colors: Whether its pipeline reads every file as three colors of 8 bits.
    """
    if isinstance(image, np.ndarray):
        if image.ndim not in (2, 3) or 0 in image.shape:
            raise ValueError(f'an image must have shape (H, W, 3), got {image.shape}')
        if of_colors and (image.shape[2:] != (3,) or image.dtype != np.uint8):
            raise ValueError(
                'an image must be what the pipeline of this network reads from a file, uint8 from '
                f'0 to 255 of shape (H, W, 3), got {image.dtype} of shape {image.shape}'
            )
        if image.dtype.kind not in 'uif':
            raise ValueError(f'an image must hold numbers, got {image.dtype}')
    elif not isinstance(image, (str, os.PathLike)):
        raise TypeError(f'an image must be a path or an array, got {type(image).__name__}')
    elif not os.path.isfile(image):
        raise FileNotFoundError(f'there is no image file {located(image)}')


_checked: WeakSet[nn.Module] = WeakSet()  # networks whose pipeline was followed once


def _follow_once(pipeline: Compose, data: dict[str, Any]) -> bool:
    """Refuse a pipeline that shifts what is predicted; tell whether the image shows it."""
    try:
        check_steps(pipeline.transforms, data)
    except GeometryError:
        raise
    except _UNREADABLE:
        return False  # said of the image when it is prepared
    return True


class UnreadableImageError(ValueError):
    """A file or an array that the test pipeline cannot read and prepare."""


def _prepared(pipeline: Compose, data: dict[str, Any], name: str) -> dict[str, Any]:
    try:
        return pipeline(data)
    except _UNREADABLE as error:
        raise UnreadableImageError(
            f'{name} cannot be read and prepared by the test pipeline: {error}'
        ) from error


def _sizes(data: Mapping[str, Any]) -> tuple[Any, Any]:
    return tuple(data['inputs'].shape), data['data_samples'].metainfo.get('ori_shape')


def _predict(model: Any, batch: Sequence[Mapping[str, Any]]) -> list[BaseDataElement]:
    data = {key: [item[key] for item in batch] for key in ('inputs', 'data_samples')}
    with torch.no_grad():
        return model.test_step(data)
