"""Convert one config of every model family that MMSegmentation has, and check the networks.

The families are the folders of MMSegmentation's installed configs. Nothing is downloaded.
"""

import argparse
import copy
import importlib
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import mmseg
import torch
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import DefaultScope
from mmseg.registry import MODELS
from torch import Tensor, nn

from family_training import check_training, raise_if_broken, section_of
from mmseg_abnn import Draw, convert_to_abnn, hold_draw
from mmseg_abnn.models.layers import bayesian_layers
from model_families import FAMILIES, NEEDS

CONFIGS = Path(mmseg.__file__).parent / '.mim/configs'
ALPHA = 0.1
# an output has moved if it changes by more than this share of its own size; rounding is 1e-6 of it
CLEARLY = 1e-3

INTRO = """\
# Model families

MMSegmentation {version} has configs of {count} model families. One network of each was built, with
random weights and with normalization layers as if they were trained, and converted with
`convert_to_abnn`. 'ok' means that

- with alpha = 0 all outputs, those of the auxiliary heads too, are the same as before, bit for bit;
- with alpha = {alpha} every output moves, two draws give different outputs, and one draw gives the
  same outputs twice.

The section `abnn` of a config does more than convert: it needs a segmentor that samples, and losses
with class weights. 'ok' in its column means that it accepts the config, and that a step of the
training that it stands for, with the losses that the heads then have, gives finite gradients to
Bayesian layers of the backbone. Else the column says what the section needs and does not find.

The table is made by

    python tools/analysis_tools/convert_families.py --out docs/families.md

and `tests/test_conversion/test_families.py` compares its rows with what the installed packages
give. The Bayesian form of SyncBN is `BayesBatchNormXd` here, of what MMEngine makes of SyncBN where
training is not distributed. The conversion's report names every normalization layer that is left
alone, with the reason. 'remarks' gives their number, the number of Bayesian layers that testing
does not use (in branches for training, for instance), and the settings of the model that were
changed to make it small.

Some families need what this project does not install, see 'needs': `mmcv.ops` are the compiled
operators of MMCV, which the wheels of onedl-mmcv on PyPI do not hold (`mmdet` needs them too), and
`ldm` is Stable Diffusion. Where that is missing, the tool says so and the tests skip the family.

Conversion freezes what it does not train, and freezing a weight can by itself change the last bits
of PyTorch's matrix products: it does so in MaskFormer. The outputs are therefore compared with
those of the network with frozen weights. SegNeXt draws random numbers of its own in every forward
pass (`rand_init` of its head), with or without conversion: they are seeded alike here, and without
that two passes of one draw differ. SAN keeps the embeddings of the class names from its first
forward pass, with the noise of the draw that was held then, unless `cache_feature=False` is set.

"""
COLUMNS = (
    'family',
    'config',
    'segmentor',
    'Bayesian layers',
    'remarks',
    'needs',
    'result',
    'section `abnn`',
)


@dataclass
class FamilyResult:
    """What became of one family.

    Attributes:
        family: Its name.
        segmentor: Class name of the network.
        layers: Number of Bayesian layers by class name.
        left_alone: Number of normalization layers that were not converted, by reason.
        idle: Number of Bayesian layers that neither testing nor the auxiliary heads use.
        not_built: What is missing to build the network, empty if it was built.
        section: Why the section `abnn` refuses the config, 'ok' if it does not.
    """

    family: str
    segmentor: str = ''
    layers: dict[str, int] = field(default_factory=dict)
    left_alone: dict[str, int] = field(default_factory=dict)
    idle: int = 0
    not_built: str = ''
    section: str = 'ok'

    def row(self) -> str:
        """Return the row of the table."""
        family = FAMILIES[self.family]
        remarks = [f'{n} left alone: {reason}' for reason, n in self.left_alone.items()]
        if self.idle:
            remarks.append(f'{self.idle} unused in testing')
        remarks += [f'`{key}={value}`' for key, value in family.overrides.items()]
        cells = (
            self.family,
            family.config,
            self.segmentor,
            ', '.join(f'{n} {kind}' for kind, n in self.layers.items()),
            '; '.join(remarks),
            _package(NEEDS.get(self.family, '')),
            f'not built: {self.not_built}' if self.not_built else 'ok',
            self.section,
        )
        return _row(cells)


def _row(cells: Iterable[str]) -> str:
    return f'| {" | ".join(cells)} |'


def _package(module: str) -> str:
    name = module if module == 'mmcv.ops' else module.partition('.')[0]
    return f'`{name}`' if name else ''


def installed_families() -> set[str]:
    """Return the names of the families that the installed MMSegmentation has configs of."""
    return {path.parent.name for path in CONFIGS.glob('*/*.py')} - {'_base_'}


def import_error(module: str) -> str:
    """Return why ``module`` cannot be imported, an empty string if it can."""
    try:
        importlib.import_module(module)
    # torchvision beside another build of PyTorch raises RuntimeError, version checks AssertionError
    except (ImportError, RuntimeError, AssertionError) as error:
        return str(error).splitlines()[0] if str(error) else type(error).__name__
    return ''


def config_of(name: str) -> Config:
    """Return the config of a family, made small and independent of downloads."""
    family = FAMILIES[name]
    cfg = Config.fromfile(CONFIGS / name / family.config, import_custom_modules=False)
    cfg.merge_from_dict({f'model.{key}': value for key, value in family.overrides.items()})
    _drop_checkpoints(cfg.model)
    return cfg


def build(name: str, cfg: Config) -> nn.Module:
    """Build the network of a family, with seeded weights, frozen, in evaluation mode.

    Raises:
        Exception: Of any type, if the network needs a package that is not installed.
    """
    with TemporaryDirectory() as folder:
        if name == 'vpd':  # reads embeddings of the class names while it is built
            cfg.model.backbone.class_embed_path = f'{folder}/embeddings.pth'
            torch.save(torch.randn(3, 768), cfg.model.backbone.class_embed_path)
        model = MODELS.build(cfg.model)
    model = revert_sync_batchnorm(model)  # as the Runner does without a launcher
    _randomize(model)
    # conversion freezes weights, which alone may change the last bits: see the page's text
    return model.requires_grad_(False).eval()


def _drop_checkpoints(cfg: Any) -> None:
    if isinstance(cfg, dict):
        for key in {'pretrained', 'init_cfg'} & set(cfg):
            cfg[key] = None
        cfg = cfg.values()
    elif not isinstance(cfg, (list, tuple)):
        return
    for value in cfg:
        _drop_checkpoints(value)


def _randomize(model: nn.Module) -> None:
    # as if trained: untrained gains and scales of residual branches of 0 would hide the noise
    ranges = {
        'weight': (0.5, 1.5),
        'bias': (-0.5, 0.5),
        'running_mean': (-0.5, 0.5),
        'running_var': (0.5, 2.0),
    }
    for module in model.modules():
        is_norm = 'norm' in type(module).__name__.lower()
        tensors = (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False))
        for name, tensor in tensors:
            if is_norm and name in ranges:
                tensor.data.uniform_(*ranges[name])
            elif isinstance(tensor, nn.Parameter) and tensor.dim() > 1:
                tensor.data.normal_(0, tensor[0].numel() ** -0.5)


@torch.no_grad()
def outputs(model: Any, image: Tensor) -> list[Tensor]:
    """Return the logits (or depths) of ``image``, and the outputs of the auxiliary heads."""
    torch.manual_seed(0)  # SegNeXt draws random numbers at every forward pass
    size = tuple(image.shape[2:])
    metas = [dict.fromkeys(('img_shape', 'ori_shape', 'pad_shape', 'batch_input_shape'), size)]
    found = [model.encode_decode(image, metas)]
    heads = getattr(model, 'auxiliary_head', None)
    if heads is None:
        return found
    features = model.extract_feat(image)
    for head in heads if isinstance(heads, nn.ModuleList) else [heads]:
        output = head(features)
        found += output if isinstance(output, (list, tuple)) else [output]
    return found


def _equal(some: list[Tensor], others: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(some, others, strict=True))


def _moved(some: list[Tensor], others: list[Tensor]) -> bool:
    pairs = zip(some, others, strict=True)
    return all(bool((a - b).norm() > CLEARLY * b.norm()) for a, b in pairs)


def check_family(name: str) -> FamilyResult:
    """Build the network of a family, convert it, and check what the conversion promises.

    Returns:
        What was converted; or, where what the family needs (see ``NEEDS``) cannot be imported,
        why the network cannot be built.

    Raises:
        RuntimeError: If the converted network, or its training by the section `abnn`, does not do
            what it should.
        Exception: Of any type, if building or converting fails though nothing is missing.
    """
    with torch.random.fork_rng(devices=[]), DefaultScope.overwrite_default_scope('mmseg'):
        torch.manual_seed(0)
        cfg = config_of(name)
        with_section = copy.deepcopy(cfg)
        section = section_of(with_section)
        try:
            model = build(name, cfg)
        except Exception:
            missing = import_error(NEEDS[name]) if name in NEEDS else ''
            if not missing:
                raise
            return FamilyResult(name, not_built=missing, section=section)
        size = FAMILIES[name].size
        result = _check(name, model, torch.randn(1, 3, size, size))
        result.section = section
        if section == 'ok':
            model = build(name, with_section)
            convert_to_abnn(model, alpha=ALPHA, include=['backbone.*'])
            check_training(name, model, torch.randn(2, 3, size, size))
        return result


def _check(name: str, model: nn.Module, image: Tensor) -> FamilyResult:
    plain = outputs(model, image)
    report = convert_to_abnn(model, alpha=0.0)
    without_noise = outputs(model, image)
    convert_to_abnn(model, alpha=ALPHA)
    layers = bayesian_layers(model)
    idle = set(layers.values())
    hooks = [la.register_forward_hook(lambda la, *_: idle.discard(la)) for la in layers.values()]
    with hold_draw(model, Draw(seed=0)):
        first, again = outputs(model, image), outputs(model, image)
    for hook in hooks:
        hook.remove()
    with hold_draw(model, Draw(seed=1)):
        second = outputs(model, image)
    promises = {
        'the outputs are finite': all(bool(output.isfinite().all()) for output in plain),
        'alpha = 0 changes nothing': _equal(without_noise, plain),
        'noise moves every output': _moved(first, plain),
        'a draw is one function': _equal(again, first),
        'two draws differ in every output': _moved(second, first),
    }
    raise_if_broken(name, promises)
    return FamilyResult(
        name,
        segmentor=type(model).__name__,
        layers=dict(Counter(report.converted.values())),
        left_alone=dict(Counter(report.left_alone.values())),
        idle=len(idle),
    )


def table(results: Iterable[FamilyResult]) -> str:
    """Return the results as a Markdown table."""
    lines = [_row(COLUMNS), _row('---' for _ in COLUMNS), *(result.row() for result in results)]
    return '\n'.join(lines) + '\n'


def main() -> None:
    """Check the families, print the table, write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--family', nargs='+', choices=list(FAMILIES), help='only these; all without it'
    )
    parser.add_argument('--out', type=Path, help='the Markdown page to write, with the table')
    args = parser.parse_args()
    torch.set_num_threads(1)  # on small images threads wait for each other more than they help
    results = []
    for name in args.family or FAMILIES:
        print(f'{name} ...', file=sys.stderr, flush=True)
        results.append(check_family(name))
    print(table(results), end='')
    if args.out is not None:
        intro = INTRO.format(
            version=mmseg.__version__, count=len(installed_families()), alpha=ALPHA
        )
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(intro + table(results), encoding='utf-8')


if __name__ == '__main__':
    main()
