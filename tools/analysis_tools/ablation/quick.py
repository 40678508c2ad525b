"""An ablation in small: a trial of its list and of the tools, whose numbers mean nothing."""

from dataclasses import replace
from pathlib import Path

from mmengine.config import Config

from comparison.methods import fill_seed
from comparison.reading import option_text
from comparison.runs import call_tool
from mmseg_abnn.package_configs import find_config

from .settings import arguments_of, data_roots
from .variants import Ablation

_RENDERED = '--seed 1 --size 64 128 --train 4 --val 1 --test-id 1 --test-ood 2 --workers 1'
_TRAINING = {'train_cfg.max_iters': '1', 'train_cfg.val_interval': '1'}
_WRITING = {'default_hooks.checkpoint.interval': '1', 'default_hooks.checkpoint.save_last': 'True'}


def make_small(ablation: Ablation, out: Path, tools: Path) -> Ablation:
    """Render a few MiniStreets scenes, train a base for one iteration, and adapt a list to that.

    Args:
        ablation: Variants of an ABNN on MiniStreets.
        out: The folder to write to; what is there already is kept.
        tools: The folder of the tools.

    Returns:
        The list with its first seed alone, and one iteration for each member.

    Raises:
        RuntimeError: If the rendering or the training of the base fails.
    """
    data = out / 'data'
    renderer = tools / 'dataset_converters' / 'mini_streets.py'
    call_tool(renderer, [str(data), *_RENDERED.split()], 'the rendering of a few images')
    common = _loader_options(ablation.base, data)
    seed = ablation.seeds[0]
    small = replace(
        ablation,
        base_checkpoint=str(out / 'base' / '{seed}' / 'iter_1.pth'),
        data_root=str(data),
        split='a few rendered images, as a trial: the numbers mean nothing',
        seeds=(seed,),
        train={**common, **ablation.train, **_TRAINING},
        test={**common, **ablation.test, 'test_evaluator.histogram_bits': '10'},
    )
    checkpoint = Path(fill_seed(small.base_checkpoint, seed))
    if not checkpoint.is_file():
        options = {**small.train, **_WRITING, 'randomness.seed': str(seed)}
        arguments = [small.base, *arguments_of(checkpoint.parent, options)]
        call_tool(tools / 'train.py', arguments, 'the training of the base')
    return small


def _loader_options(config: str, data: Path) -> dict[str, str]:
    """Let all loaders read the rendered images, in the process of the tool."""
    cfg = Config.fromfile(find_config(config))
    options: dict[str, str] = {}
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        options |= dict.fromkeys(data_roots(cfg[name], name), option_text(str(data)))
        options |= {f'{name}.num_workers': '0', f'{name}.persistent_workers': 'False'}
    return options
