"""Layers of timm and torchvision, written again: neither package need be installed."""

import sys
import types

from torch import nn
from torch.nn import functional as F  # noqa: N812


class _Act:
    """What timm's layers with an activation inside have beside their normalization."""

    def _add(self, drop, act):
        self.drop = drop or nn.Identity()
        self.act = act or nn.ReLU(inplace=True)
        self._fast_norm = False

    def _end(self, x):
        return self.act(self.drop(x))


class BatchNormAct2d(_Act, nn.BatchNorm2d):
    def __init__(self, num_features, drop=None, act=None, **kwargs):
        super().__init__(num_features, **kwargs)
        self._add(drop, act)

    def forward(self, x):
        fixed = None if self.training and not self.track_running_stats else self
        return self._end(
            F.batch_norm(
                x,
                fixed and fixed.running_mean,
                fixed and fixed.running_var,
                self.weight,
                self.bias,
                self.training,
                self.momentum,
                self.eps,
            )
        )


class GroupNormAct(_Act, nn.GroupNorm):
    def __init__(self, num_channels, num_groups=2, drop=None, act=None, **kwargs):
        super().__init__(num_groups, num_channels, **kwargs)
        self._add(drop, act)

    def forward(self, x):
        return self._end(F.group_norm(x, self.num_groups, self.weight, self.bias, self.eps))


class LayerNormAct(_Act, nn.LayerNorm):
    def __init__(self, num_channels, drop=None, act=None, **kwargs):
        super().__init__(num_channels, **kwargs)
        self._add(drop, act)

    def forward(self, x):
        return self._end(F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps))


class LayerNormAct2d(LayerNormAct):
    def forward(self, x):
        x = x.permute(0, 2, 3, 1)
        x = F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)
        return self._end(x.permute(0, 3, 1, 2))


class LayerNorm2d(nn.LayerNorm):
    def forward(self, x):
        x = x.permute(0, 2, 3, 1)
        x = F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)
        return x.permute(0, 3, 1, 2)


def install(monkeypatch):
    """Let conversion find the classes of this file where it looks for those of the packages."""
    places = {
        'timm.layers.norm_act': (BatchNormAct2d, GroupNormAct, LayerNormAct, LayerNormAct2d),
        'torchvision.models.convnext': (LayerNorm2d,),
    }
    for name, classes in places.items():
        module = types.ModuleType(name)
        for kind in classes:
            setattr(module, kind.__name__, kind)
        monkeypatch.setitem(sys.modules, name, module)
