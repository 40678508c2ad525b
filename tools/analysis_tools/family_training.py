"""What the section `abnn` makes of the config of a model family, in convert_families.py."""

from collections.abc import Mapping
from typing import Any

import torch
from mmengine.config import Config
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmseg_abnn.apis import expand_abnn_section
from mmseg_abnn.apis.abnn_settings import SECTION
from mmseg_abnn.models.layers import bayesian_layers
from mmseg_abnn.models.losses import ABNNLoss


def section_of(cfg: Config) -> str:
    """Expand the section `abnn` of a family's config, in place; return 'ok' or what it needs."""
    cfg[SECTION] = {}
    try:
        expand_abnn_section(cfg)
    except ValueError as error:
        return str(error).partition(': ')[0]  # without the remedy
    return 'ok'


def check_training(name: str, model: Any, images: Tensor) -> None:
    """Compute the losses of a network as the section `abnn` trains it.

    Args:
        name: Of the family.
        model: Its network, built from a config with the section, and converted.
        images: A batch, (N, 3, H, W).

    Raises:
        RuntimeError: If they, or the gradients of the Bayesian layers, are not as they should be.
    """
    model.train()
    heads: Any = model.decode_head
    last: Any = heads[-1] if isinstance(heads, nn.ModuleList) else heads
    size = tuple(images.shape[2:])
    metas = dict.fromkeys(('img_shape', 'ori_shape', 'pad_shape', 'batch_input_shape'), size)
    samples = []
    for _ in images:
        label = PixelData(data=torch.randint(0, last.num_classes, (1, *size)))
        label.data[:, :2] = 255
        edges = PixelData(data=torch.randint(0, 2, (1, *size)))  # which PIDNet is trained with
        samples.append(SegDataSample(metainfo=metas, gt_sem_seg=label, gt_edge_map=edges))
    loss, _ = model.parse_losses(model.loss(images, samples))
    loss.backward()
    ours = [module for module in model.modules() if isinstance(module, ABNNLoss)]
    gradients = [
        layer.weight.grad
        for layer in bayesian_layers(model).values()
        if layer.weight.grad is not None
    ]
    promises = {
        'the loss is finite': bool(loss.isfinite()),
        'there are losses with class weights, and all are used': all(loss.terms for loss in ours)
        and bool(ours),
        'Bayesian layers have finite gradients': all(g.isfinite().all() for g in gradients)
        and any(g.any() for g in gradients),
    }
    raise_if_broken(name, promises)


def raise_if_broken(name: str, promises: Mapping[str, bool]) -> None:
    """Raise RuntimeError if the network of a family does not keep all promises."""
    broken = [promise for promise, kept in promises.items() if not kept]
    if broken:
        raise RuntimeError(f'{name}: not true that {"; ".join(broken)}')
