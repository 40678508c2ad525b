"""The losses of a head, as the section `abnn` replaces them."""

from collections.abc import Callable, Mapping
from inspect import signature
from typing import Any

from mmengine.config import ConfigDict
from mmengine.registry import MODELS

from ..models.losses.class_weights import Eta
from .abnn_settings import SECTION
from .config_parts import dicts_in, type_name

# what a cross-entropy may say without any effect here: ABNNLoss is always the mean over the pixels
# that are not ignored, and has a name of its own in the log
_WITHOUT_EFFECT = ('type', 'avg_non_ignore', 'loss_name', 'num_classes')
_KEPT = ('loss_weight', 'class_weight')


def write_default_losses(heads: Any, scope: str, name: str) -> None:
    """Give each head that names no loss the one that its class has by default, in place.

    A head with heads inside that have losses, as K-Net's, has none of its own.

    Args:
        heads: A head's config, or a list of them.
        scope: Of the registry of heads.
        name: Of the losses in a head's config.
    """
    for head in heads if isinstance(heads, (list, tuple)) else [heads]:
        if isinstance(head, dict) and not any(name in part for part in dicts_in(head)):
            kind = head.get('type')
            with MODELS.switch_scope_and_registry(scope) as registry:
                found = kind if isinstance(kind, type) else registry.get(kind)
            defaults = (
                signature(cls.__init__).parameters.get(name)
                for cls in getattr(found, '__mro__', ())
            )
            default = next((p.default for p in defaults if p is not None), None)
            if isinstance(default, Mapping):
                head[name] = ConfigDict(default)


def replace_losses(head: dict[str, Any], name: str, where: str, eta: Eta) -> list[str]:
    """Replace the cross-entropies of a head by ``ABNNLoss``, in place.

    Args:
        head: Its config.
        name: Of the losses in it.
        where: What the model calls the head.
        eta: Of the losses.

    Returns:
        For each of its losses the name of its class: now ``ABNNLoss``, or what is left as it is.

    Raises:
        ValueError: If a cross-entropy has no such form.
    """
    losses = head[name]
    several = isinstance(losses, (list, tuple))
    replaced = [_replace(loss, where, eta) for loss in (losses if several else [losses])]
    head[name] = replaced if several else replaced[0]
    return [type_name(loss) for loss in replaced]


def _replace(loss: ConfigDict, where: str, eta: Eta) -> ConfigDict:
    kind = type_name(loss)
    if kind not in _FORMS:
        return loss
    if where == 'auxiliary_head' and (loss.get('use_sigmoid') or loss.get('use_mask')):
        return loss  # of no class, such as that of STDC's boundaries
    form = _FORMS[kind](loss, where)
    known = {*_WITHOUT_EFFECT, *_KEPT, *_READ[kind]}
    unknown = sorted(set(loss) - known)
    if unknown:
        raise ValueError(
            f'a {kind} of `model.{where}` has {unknown}, which ABNNLoss has no equal of: take them '
            f'out, or write ABNNLoss and everything else without the section `{SECTION}`, as '
            'docs/method.md shows'
        )
    kept = {name: loss[name] for name in _KEPT if name in loss}
    return ConfigDict(type='ABNNLoss', eta=eta, **kept, **form)


def _of_cross_entropy(loss: ConfigDict, where: str) -> dict[str, Any]:
    _check_mean_of_softmax(loss, where)
    return {}


def _check_mean_of_softmax(loss: ConfigDict, where: str) -> None:
    for name in ('use_sigmoid', 'use_mask'):
        if loss.get(name):
            raise ValueError(
                f'`{SECTION}` needs a softmax over classes, but a loss of `model.{where}` has '
                f'{name}=True, a sigmoid per class: train the network with {name}=False first'
            )
    if loss.get('reduction', 'mean') != 'mean':
        raise ValueError(
            f'`{SECTION}` needs a mean over the pixels, but a loss of `model.{where}` has '
            f"reduction={loss['reduction']!r}: set it to 'mean'"
        )


def _of_label_smoothing(loss: ConfigDict, where: str) -> dict[str, Any]:
    """Return s of the smoothed labels (1 - s) q + s / C that are MMPretrain's."""
    _check_mean_of_softmax(loss, where)
    value, mode = loss.get('label_smooth_val', 0.1), loss.get('mode', 'original')
    if mode == 'classy_vision':  # (q + value / C) / (1 + value)
        value = value / (1 + value)
    elif mode != 'original':
        raise ValueError(
            f"`{SECTION}` needs the `mode` of a LabelSmoothLoss to be 'original' or "
            f"'classy_vision', which have a softmax over classes, got {mode!r}"
        )
    return dict(label_smoothing=value)


def _of_ohem(loss: ConfigDict, where: str) -> dict[str, Any]:
    ohem = {name: loss[name] for name in ('thres', 'min_kept') if name in loss}
    return dict(ohem=ohem, ignore_index=loss.get('ignore_label', 255))


_FORMS: dict[str, Callable[[ConfigDict, str], dict[str, Any]]] = {
    'CrossEntropyLoss': _of_cross_entropy,
    'LabelSmoothLoss': _of_label_smoothing,
    'OhemCrossEntropy': _of_ohem,
}
_READ = {
    'CrossEntropyLoss': ('use_sigmoid', 'use_mask', 'use_soft', 'reduction'),
    'LabelSmoothLoss': ('label_smooth_val', 'mode', 'use_sigmoid', 'reduction'),
    'OhemCrossEntropy': ('thres', 'min_kept', 'ignore_label'),
}
REPLACED = tuple(_FORMS)
"""The losses that are replaced, by the names of their classes."""
