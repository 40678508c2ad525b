"""A config with noise scales of equal effect, measured on a base network."""

import copy
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

from mmengine.config import Config
from mmengine.registry import init_default_scope

from comparison.stamps import make_stamp
from mmseg_abnn.apis import load_runner
from mmseg_abnn.apis.stamps import is_current, stamped

from .equal_effect import equal_effect_alphas

_IMAGES = 8  # of the validation set
_DRAWS = 4


def write_layer_scales(
    path: Path, config: str, checkpoint: str, cfg: Config, arguments: Sequence[str], alpha: float
) -> None:
    """Write a config that inherits another one and gives each layer its noise scale.

    The effects are measured on the first images of ``val_dataloader``. A file that was written
    before with the same settings is kept.

    Args:
        path: The file to write.
        config: The config that it inherits.
        checkpoint: The base network.
        cfg: What the config and its options give.
        arguments: The options.
        alpha: The noise scale that all layers together have the effect of.

    Raises:
        ValueError: If the config has no ``val_dataloader``.
    """
    stamp_file = path.with_suffix('.json')
    stamp = make_stamp(arguments, cfg, checkpoint)
    stamp = {**stamp, 'alpha': alpha, 'images': _IMAGES, 'draws': _DRAWS}
    if path.is_file() and is_current(stamp_file, stamp):
        return
    if not cfg.get('val_dataloader'):
        raise ValueError(f'{config} has no `val_dataloader`, which the noise scales are found with')
    path.parent.mkdir(parents=True, exist_ok=True)
    with stamped(stamp_file, stamp):
        alphas = _measure(cfg, checkpoint, path, alpha)
        path.write_text(_content(config, alphas, alpha), encoding='utf-8')


def _measure(cfg: Config, checkpoint: str, path: Path, alpha: float) -> dict[str, float]:
    cfg = copy.deepcopy(cfg)
    cfg.work_dir = str(path.with_suffix(''))
    cfg.experiment_name = f'layer_scales_{path.parent.name}_{path.stem}'
    if cfg.get('visualizer') is not None:  # one of each name can be made
        cfg.visualizer.name = cfg.experiment_name
    cfg.log_level = 'WARNING'
    init_default_scope(cfg.get('default_scope') or 'mmseg')
    runner = load_runner(cfg, checkpoint)
    loader = runner.build_dataloader(cfg.val_dataloader)
    return equal_effect_alphas(runner.model, islice(loader, _IMAGES), alpha, draws=_DRAWS)


def _content(config: str, alphas: Mapping[str, float], alpha: float) -> str:
    lines = [f'        {name!r}: {value!r},' for name, value in alphas.items()]
    return '\n'.join(
        [
            f'# Noise scales of equal effect on the output, together that of alpha = {alpha}',
            f'_base_ = {str(Path(config).resolve())!r}',
            'abnn = dict(',
            '    alpha={',
            "        '_delete_': True,",
            *lines,
            '    }',
            ')',
            '',
        ]
    )
