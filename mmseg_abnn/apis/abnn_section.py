"""The section `abnn` of a config, which makes an ABNN of any segmentor or classifier."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from inspect import signature
from typing import Any, NamedTuple

from mmengine.config import Config, ConfigDict
from mmengine.registry import MODELS

from ..models.losses.class_weights import Eta
from ..models.prediction_settings import PredictionSettings
from .abnn_settings import SECTION, ABNNSettings
from .config_parts import dicts_in, has_hook, type_name, type_names


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
# of the base's optimizer wrapper: it trains a few parameters now, with settings of their own
_NOT_INHERITED = ('optimizer', 'paramwise_cfg', 'constructor', 'clip_grad')


def expand_abnn_section(cfg: Config) -> None:
    """Replace the section ``abnn`` of a config, if it has one, by what it stands for, in place.

    The network becomes its Monte-Carlo form, each cross-entropy an ``ABNNLoss`` of the same
    weight, class weights and label smoothing (other losses stay), the schedule a short
    fine-tuning, and the conversion hook is added. Data, evaluation and everything else stay as they
    are. Schedule means ``train_cfg``, ``param_scheduler`` and the optimizer; checkpoints are
    written four times.

    Args:
        cfg: The complete config of a segmentor or classifier, with ``abnn=dict(...)``, see
            :class:`ABNNSettings`. ``abnn=None`` is no section: it takes that of a base config away.

    Raises:
        ValueError: If the section holds an unknown or unusable setting, the config is an ABNN's
            already, or its network or losses have no Bayesian form.
        TypeError: If the section is no dict, or a setting is of another type.
    """
    if SECTION not in cfg:
        return
    section = cfg.pop(SECTION)
    if section is None:
        return
    settings = ABNNSettings.read(section)
    if 'num_members' in cfg or has_hook(cfg.get('custom_hooks'), 'ABNNConversionHook'):
        raise ValueError(
            f"the config has a section `{SECTION}` and is an ABNN's without it (`num_members`, "
            '`ABNNConversionHook`): remove one of them'
        )
    _check_hooks(cfg.get('custom_hooks') or [])
    cfg.num_members = settings.num_members
    kind = _kind_of(cfg.model)
    _import_us(cfg, kind.module)
    _expand_model(cfg.model, settings, kind)
    cfg.custom_hooks = [*(cfg.get('custom_hooks') or []), ConfigDict(settings.hook())]
    _expand_schedule(cfg, settings)


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


def _expand_model(model: ConfigDict, settings: ABNNSettings, kind: _Kind) -> None:
    model.type = kind.monte_carlo
    test_cfg = model.get('test_cfg') or {}
    twice = [name for name in PredictionSettings.names() if name in test_cfg]
    if twice:
        moved = ', '.join(f'{name}={test_cfg[name]!r}' for name in twice)
        raise ValueError(
            f'`model.test_cfg` sets {twice}, which belong into the section `{SECTION}`: write '
            f'{SECTION}=dict({moved})'
        )
    model.test_cfg = ConfigDict(test_cfg, **settings.test_cfg())
    changed = 0
    for name in kind.heads:
        _write_default_losses(model.get(name), kind)
        changed += sum(
            _expand_losses(head, name, kind.loss, settings.eta)
            for head in dicts_in(model.get(name))
            if kind.loss in head
        )
    if not changed:
        raise ValueError(
            f'`{SECTION}` replaces the CrossEntropyLoss of the heads by ABNNLoss, but no '
            f'`{kind.loss}` of this config is one'
        )


def _write_default_losses(heads: Any, kind: _Kind) -> None:
    """Give each head that names no loss the one that its class has by default."""
    for head in heads if isinstance(heads, (list, tuple)) else [heads]:
        if isinstance(head, dict) and kind.loss not in head:
            name = head.get('type')
            with MODELS.switch_scope_and_registry(kind.scope) as registry:
                found = name if isinstance(name, type) else registry.get(name)
            defaults = (
                signature(cls.__init__).parameters.get(kind.loss)
                for cls in getattr(found, '__mro__', ())
            )
            default = next((p.default for p in defaults if p is not None), None)
            if isinstance(default, Mapping):
                head[kind.loss] = ConfigDict(default)


def _expand_losses(head: dict[str, Any], where: str, name: str, eta: Eta) -> int:
    """Replace the cross-entropies of a head; return how many there were."""
    losses = head[name]
    several = isinstance(losses, (list, tuple))
    expanded = [_expand_loss(loss, where, eta) for loss in (losses if several else [losses])]
    head[name] = expanded if several else expanded[0]
    return type_names(expanded).count('ABNNLoss')


def _expand_loss(loss: ConfigDict, where: str, eta: Eta) -> ConfigDict:
    if type_name(loss) not in ('CrossEntropyLoss', 'LabelSmoothLoss'):
        return loss
    for name in ('use_sigmoid', 'use_mask'):
        if loss.get(name) and where == 'auxiliary_head':
            return loss  # of no class, such as that of STDC's boundaries
        if loss.get(name):
            raise ValueError(
                f'`{SECTION}` needs a softmax over classes, but a loss of `model.{where}` has '
                f'{name}=True'
            )
    kept = {name: loss[name] for name in ('loss_weight', 'class_weight') if name in loss}
    if type_name(loss) == 'LabelSmoothLoss':
        kept['label_smoothing'] = _label_smoothing(loss)
    return ConfigDict(type='ABNNLoss', eta=eta, **kept)


def _label_smoothing(loss: ConfigDict) -> float:
    """Return s of the smoothed labels (1 - s) q + s / C that are MMPretrain's."""
    value, mode = loss.get('label_smooth_val', 0.1), loss.get('mode', 'original')
    if mode == 'original':
        return value
    if mode == 'classy_vision':  # (q + value / C) / (1 + value)
        return value / (1 + value)
    raise ValueError(
        f"`{SECTION}` needs the `mode` of a LabelSmoothLoss to be 'original' or 'classy_vision', "
        f'which have a softmax over classes, got {mode!r}'
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


def _check_sampler(cfg: Config) -> None:
    sampler = type_name((cfg.get('train_dataloader') or {}).get('sampler'))
    if 'InfiniteSampler' in sampler:
        raise ValueError(
            f'`{SECTION}.max_epochs` needs a `train_dataloader.sampler` whose epochs end, '
            f'DefaultSampler for instance, got {sampler!r}: set `max_iters`, and `max_epochs` to '
            'None'
        )


def _check_hooks(hooks: Sequence[Any]) -> None:
    named = [hook for hook in hooks if isinstance(hook, Mapping)]
    switching = [hook for hook in named if type_name(hook) == 'SwitchRecipeHook']
    recipes = [recipe for hook in switching for recipe in hook.get('schedule', ())]
    if any(recipe.get('loss') is not None for recipe in recipes):
        raise ValueError(
            f'`{SECTION}` sets the loss, but a SwitchRecipeHook in `custom_hooks` replaces it '
            'during the training: take its `loss` out'
        )


def _expand_schedule(cfg: Config, settings: ABNNSettings) -> None:
    wrapper = cfg.get('optim_wrapper') or dict(type='OptimWrapper')
    cfg.optim_wrapper = {
        **{name: value for name, value in wrapper.items() if name not in _NOT_INHERITED},
        'optimizer': dict(settings.optimizer),
    }
    epochs = settings.max_epochs is not None
    if epochs:
        _check_sampler(cfg)
    end = settings.max_epochs or settings.max_iters
    poly = dict(type='PolyLR', power=0.9, eta_min=0.0, begin=0, end=end, by_epoch=epochs)
    cfg.param_scheduler = [{**poly, 'convert_to_iter_based': True} if epochs else poly]
    cfg.train_cfg = (
        dict(type='EpochBasedTrainLoop', max_epochs=end, val_interval=end)
        if epochs
        else dict(type='IterBasedTrainLoop', max_iters=end, val_interval=end)
    )
    cfg.log_processor = {**(cfg.get('log_processor') or {}), 'by_epoch': epochs}
    hooks = cfg.get('default_hooks') or {}
    if hooks.get('logger') is not None:
        hooks['logger']['log_metric_by_epoch'] = epochs
    # without an entry, MMEngine's default would save once in an epoch, which iterations never end;
    # an entry that is None says that nothing is to be saved
    checkpoint = hooks.setdefault('checkpoint', ConfigDict(type='CheckpointHook'))
    if checkpoint is not None:
        by_epoch, interval = checkpoint.get('by_epoch', True), checkpoint.get('interval', -1)
        quarter = max(1, end // 4)
        # what the base has is too seldom for a short training, or counts otherwise
        checkpoint.update(
            by_epoch=epochs,
            interval=min(interval, quarter) if interval > 0 and by_epoch == epochs else quarter,
        )
        checkpoint.setdefault('max_keep_ckpts', 1)
    cfg.default_hooks = hooks
