"""Small networks of plain PyTorch, converted: no config, no MMEngine."""

import torch
from torch import nn

from mmseg_abnn import convert_to_abnn

ALPHA = 0.4


def bare_network(*last):
    """Return a converted network (N, 3, H, W) -> (N, 4, H, W), with ``last`` behind it."""
    torch.manual_seed(0)
    norms = nn.BatchNorm2d(8), nn.GroupNorm(2, 8)
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), norms[0], nn.ReLU(), norms[1], nn.Conv2d(8, 4, 1), *last
    ).eval()
    with torch.no_grad():
        for norm in norms:
            norm.weight.uniform_(0.5, 2.0)
            norm.bias.normal_()
        net[4].weight.mul_(3)
    convert_to_abnn(net, alpha=ALPHA)
    return net


def bare_members(net, count=2):
    """Return members of it, by the names of its norms' parameters."""
    generator = torch.Generator().manual_seed(1)
    names = [f'{layer}.{kind}' for layer in (1, 3) for kind in ('weight', 'bias')]
    state = net.state_dict()
    return [
        {name: state[name] + 0.5 * torch.randn(8, generator=generator) for name in names}
        for _ in range(count)
    ]


def images(count=3, height=6, width=5, seed=0):
    """Return a batch that it takes."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 3, height, width, generator=generator)
