"""The section `abnn` of a config, which makes an ABNN of any segmentor or classifier."""

import logging
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, NamedTuple

from mmengine.config import Config, ConfigDict
from mmengine.logging import print_log

from ..models.prediction_settings import PredictionSettings
from .abnn_settings import SECTION, ABNNSettings
from .config_parts import dicts_in, has_hook, registered_name, type_name
from .expanded_names import mark_expanded
from .section_losses import REPLACED, replace_losses, write_default_losses
from .section_name import check_no_misspelt_section
from .short_schedule import write_short_schedule


class _Kind(NamedTuple):
    """A class of networks.

    Attributes:
        monte_carlo: The class that samples.
        scope: The registry of the network and its heads.
        heads: Their names in the network.
        loss: Name of the losses in a head.
        module: What registers our classes for it.
    """

    monte_carlo: str
    scope: str
    heads: tuple[str, ...]
    loss: str
    module: str


_SEGMENTOR = ('mmseg', ('decode_head', 'auxiliary_head'), 'loss_decode', 'mmseg_abnn')
_CLASSIFIER = ('mmpretrain', ('head',), 'loss', 'mmseg_abnn.classification')
_KINDS = {
    'EncoderDecoder': _Kind('MCEncoderDecoder', *_SEGMENTOR),
    'CascadeEncoderDecoder': _Kind('MCCascadeEncoderDecoder', *_SEGMENTOR),
    'ImageClassifier': _Kind('MCImageClassifier', *_CLASSIFIER),
}


def expand_abnn_section(cfg: Config) -> None:
    """Replace the section ``abnn`` of a config, if it has one, by what it stands for, in place.

    The network becomes its Monte-Carlo form, each cross-entropy an ``ABNNLoss`` of the same
    weight, class weights, label smoothing and choice of hard pixels (other losses stay), the
    schedule a short fine-tuning, and the conversion hook is added. Data, evaluation and everything
    else stay as they are. Schedule means ``train_cfg``, ``param_scheduler`` and the optimizer;
    checkpoints are written four times.

    Args:
        cfg: The complete config of a segmentor or classifier, with ``abnn=dict(...)``, see
            :class:`ABNNSettings`. ``abnn=None`` is no section: it takes that of a base config away.

    Raises:
        ValueError: If the section holds an unknown or unusable setting or is misspelt, the config
            is an ABNN's already, or its network or losses have no Bayesian form.
        TypeError: If the section is no dict, or a setting is of another type.
    """
    if SECTION not in cfg:
        check_no_misspelt_section(cfg)
        return
    section = cfg.pop(SECTION)
    if section is None:
        return
    settings = ABNNSettings.read(section)
    mark_expanded(cfg)
    if 'num_members' in cfg or has_hook(cfg.get('custom_hooks'), 'ABNNConversionHook'):
        raise ValueError(
            f"the config has a section `{SECTION}` and is an ABNN's without it (`num_members`, "
            '`ABNNConversionHook`): remove one of them'
        )
    _check_hooks(cfg.get('custom_hooks') or [])
    kind = _kind_of(cfg.model)
    cfg.num_members = settings.num_members
    _import_us(cfg, kind.module)
    _expand_model(cfg, settings, kind)
    cfg.custom_hooks = [*(cfg.get('custom_hooks') or []), ConfigDict(settings.hook())]
    write_short_schedule(cfg, settings)


def monte_carlo_type(model: ConfigDict) -> str:
    """Return the class that samples in place of a network's.

    Raises:
        ValueError: If there is none.
    """
    return _kind_of(model).monte_carlo


def _kind_of(model: ConfigDict) -> _Kind:
    network = type_name(model)
    if network not in _KINDS:
        raise ValueError(
            f'`{SECTION}` needs `model.type` to be one of {list(_KINDS)}, got {network!r}: '
            'convert another network by convert_to_abnn'
        )
    return _KINDS[network]


def _expand_model(cfg: Config, settings: ABNNSettings, kind: _Kind) -> None:
    model = cfg.model
    model.type = registered_name(cfg, kind.scope, kind.monte_carlo)
    test_cfg = model.get('test_cfg') or {}
    twice = [name for name in PredictionSettings.names() if name in test_cfg]
    if twice:
        moved = ', '.join(f'{name}={test_cfg[name]!r}' for name in twice)
        raise ValueError(
            f'`model.test_cfg` sets {twice}, which belong into the section `{SECTION}`: write '
            f'{SECTION}=dict({moved})'
        )
    model.test_cfg = ConfigDict(test_cfg, **settings.test_cfg())
    losses: dict[str, list[str]] = {}
    for name in kind.heads:
        write_default_losses(model.get(name), kind.scope, kind.loss)
        losses[name] = [
            loss
            for head in dicts_in(model.get(name))
            if kind.loss in head
            for loss in replace_losses(head, kind.loss, name, settings.eta)
        ]
    _check_losses(losses, kind)


def _check_losses(losses: Mapping[str, Sequence[str]], kind: _Kind) -> None:
    """Refuse heads of which none has a loss with class weights; say it of the main head."""
    if not any('ABNNLoss' in names for names in losses.values()):
        found = {f'model.{head}': list(names) for head, names in losses.items() if names}
        raise ValueError(
            f'no `{kind.loss}` of this config is one of {list(REPLACED)}, which `{SECTION}` '
            f'replaces by ABNNLoss and its random class weights, got {found or "none"}: write out '
            'what docs/method.md shows, without the section and with the losses as they are; the '
            'members then differ by their noise and data alone'
        )
    main = kind.heads[0]
    if 'ABNNLoss' not in losses[main]:
        print_log(
            f'The losses {list(losses[main])} of `model.{main}` stay as they are: the random class '
            'weights of the members act in the other heads only',
            logger='current',
            level=logging.WARNING,
        )


def _import_us(cfg: Config, module: str) -> None:
    """Let tools that know nothing of this package read the config when it is written down."""
    imports = cfg.get('custom_imports') or dict(imports=[], allow_failed_imports=False)
    names = imports['imports']
    names = [names] if isinstance(names, str) else list(names)
    if module not in names:
        cfg.custom_imports = dict(imports, imports=[*names, module])
    # where the config does not name it, nothing has imported it yet
    import_module(module)


def _check_hooks(hooks: Sequence[Any]) -> None:
    named = [hook for hook in hooks if isinstance(hook, Mapping)]
    switching = [hook for hook in named if type_name(hook) == 'SwitchRecipeHook']
    recipes = [recipe for hook in switching for recipe in hook.get('schedule', ())]
    if any(recipe.get('loss') is not None for recipe in recipes):
        raise ValueError(
            f'`{SECTION}` sets the loss, but a SwitchRecipeHook in `custom_hooks` replaces it '
            'during the training: take its `loss` out'
        )
