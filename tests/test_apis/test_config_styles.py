"""The section `abnn` in each style of config: bare names, scoped names, MMEngine's pure Python."""

import json

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS

from helpers.in_process import run_script
from helpers.small_runs import MadeUpScenes  # noqa: F401  the configs below name it
from helpers.tool_runner import ROOT, succeeded
from mmseg_abnn.apis.member_files import load_member

# all three say the same; the first is an ordinary config, the others find nothing by a bare name
NAMES = dict(
    EncoderDecoder='mmseg.models',
    SegDataPreProcessor='mmseg.models',
    ResNetV1c='mmseg.models',
    FCNHead='mmseg.models',
    CrossEntropyLoss='mmseg.models',
    SegTTAModel='mmseg.models',
    MadeUpScenes='helpers.small_runs',
    IoUMetric='mmseg.evaluation',
    SegLocalVisualizer='mmseg.visualization',
    InfiniteSampler='mmengine.dataset',
    DefaultSampler='mmengine.dataset',
    LocalVisBackend='mmengine.visualization',
    LogProcessor='mmengine.runner',
    IterBasedTrainLoop='mmengine.runner',
    OptimWrapper='mmengine.optim',
    CheckpointHook='mmengine.hooks',
    LoggerHook='mmengine.hooks',
    EMAHook='mmengine.hooks',
    SGD='torch.optim',
)
BASE = """
norm_cfg = dict(type='BN', requires_grad=True)
model = dict(
    type=EncoderDecoder,
    data_preprocessor=dict(type=SegDataPreProcessor, size=(32, 32)),
    backbone=dict(
        type=ResNetV1c, depth=18, base_channels=8, stem_channels=8, num_stages=1, strides=(1,),
        dilations=(1,), out_indices=(0,), norm_cfg=norm_cfg,
    ),
    decode_head=dict(
        type=FCNHead, in_channels=8, in_index=0, channels=8, num_convs=1, concat_input=False,
        num_classes=5, norm_cfg=norm_cfg, align_corners=False, dropout_ratio=0.0,
        loss_decode=dict(type=CrossEntropyLoss, loss_weight=0.5),
    ),
    auxiliary_head=dict(  # with the loss that its class has by default
        type=FCNHead, in_channels=8, in_index=0, channels=8, num_convs=0, concat_input=False,
        num_classes=5, align_corners=False, dropout_ratio=0.0,
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
dataset = dict(type=MadeUpScenes)
train_dataloader = dict(
    batch_size=2, num_workers=0, sampler=dict(type=InfiniteSampler, shuffle=True), dataset=dataset
)
val_dataloader = dict(
    batch_size=2, num_workers=0, sampler=dict(type=DefaultSampler, shuffle=False), dataset=dataset
)
test_dataloader = val_dataloader
val_cfg = dict()
test_cfg = dict()
val_evaluator = dict(type=IoUMetric, iou_metrics=['mIoU'])
test_evaluator = val_evaluator
optim_wrapper = dict(
    type=OptimWrapper, accumulative_counts=1, optimizer=dict(type=SGD, lr=0.1, momentum=0.5)
)
train_cfg = dict(type=IterBasedTrainLoop, max_iters=10)
default_hooks = dict(
    logger=dict(type=LoggerHook, interval=1),
    checkpoint=dict(type=CheckpointHook, by_epoch=False, interval=5),
)
custom_hooks = [dict(type=EMAHook)]
log_processor = dict(type=LogProcessor, by_epoch=False)
visualizer = dict(
    type=SegLocalVisualizer, vis_backends=[dict(type=LocalVisBackend)], name='visualizer'
)
"""
SECTION = """
load_from = 'net.pth'
abnn = dict(num_members=1, num_samples=2, max_iters=2, optimizer=dict(lr=0.05))
"""


def write(folder, style):
    if style == 'pure Python':
        imports = [f'from {module} import {name}\n' for name, module in NAMES.items()]
        base = ''.join(imports) + 'default_scope = None\n' + BASE
        own = 'from mmengine.config import read_base\nwith read_base():\n    from .base import *\n'
    else:
        prefix = dict.fromkeys(NAMES, '')
        if style == 'scoped names':
            prefix = {name: 'mmseg.' for name, of in NAMES.items() if of.startswith('mmseg')}
        names = [f"{name} = '{prefix.get(name, '')}{name}'\n" for name in NAMES]
        scope = None if style == 'scoped names' else 'mmseg'
        base = ''.join(names) + f'default_scope = {scope!r}\n' + BASE
        own = "_base_ = 'base.py'\n"
    folder.mkdir()
    (folder / 'base.py').write_text(base)
    (folder / 'my_abnn.py').write_text(own + SECTION)


def run(tool, *arguments, cwd):
    return succeeded(run_script(ROOT / 'tools' / tool, *arguments, cwd=cwd))


@pytest.fixture(scope='module')
def reference(tmp_path_factory):
    """Fine-tune and test by a config of the ordinary style."""
    folder = tmp_path_factory.mktemp('styles') / 'bare'
    write(folder, 'bare names')
    return folder, results(folder)


def train_network(folder):
    """Write what passes for the trained network."""
    init_default_scope('mmseg')
    torch.manual_seed(0)
    network = MODELS.build(Config.fromfile(folder / 'base.py').model)
    torch.save({'state_dict': network.state_dict()}, folder / 'net.pth')


def results(folder):
    train_network(folder)
    run('train.py', 'my_abnn.py', '--work-dir', 'work', cwd=folder)
    tested = ('test.py', 'my_abnn.py', 'work/abnn.pth', '--work-dir', 'tested')
    run(*tested, cwd=folder)
    return (
        *load_member(str(folder / 'work/member_0.safetensors')),
        json.loads((folder / 'tested/metrics.json').read_text()),
    )


@pytest.mark.parametrize('style', ['scoped names', 'pure Python'])
def test_every_style_gives_the_same_abnn(reference, tmp_path, style):
    folder = tmp_path / 'styled'
    write(folder, style)
    tensors, facts, metrics = results(folder)
    expected_tensors, expected_facts, expected_metrics = reference[1]
    assert tensors.keys() == expected_tensors.keys()
    for name, tensor in tensors.items():
        assert torch.equal(tensor, expected_tensors[name])
    for head in ('decode_head', 'auxiliary_head'):
        eta = facts['eta'][f'{head}.loss_decode']
        assert eta == expected_facts['eta'][f'{head}.loss_decode']
        assert sorted(eta) == [-0.5] * 2 + [0.0] * 3
    times = ('time', 'data_time')
    assert {k: v for k, v in metrics.items() if k not in times} == {
        k: v for k, v in expected_metrics.items() if k not in times
    }
    # what a run writes down can be read again, by tools that know no section
    (written,) = (folder / 'work/member_0').glob('*.py')
    again = Config.fromfile(written)
    assert again.model.type.rpartition('.')[2] == 'MCEncoderDecoder'
    assert again.optim_wrapper.optimizer == dict(
        type='SGD', lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-4
    )


def test_pure_python_with_options_and_mixed_precision(tmp_path):
    folder = tmp_path / 'amp'
    write(folder, 'pure Python')
    (folder / 'my_abnn.py').write_text(
        (folder / 'my_abnn.py')
        .read_text()
        .replace('optimizer=', 'eta=dict(weight=2.0), optimizer=')
    )
    train_network(folder)
    arguments = ('my_abnn.py', '--work-dir', 'work', '--amp', '--cfg-options')
    run('train.py', *arguments, 'abnn.optimizer.lr=0.5', 'visualizer=None', cwd=folder)
    _, facts = load_member(str(folder / 'work/member_0.safetensors'))
    assert facts['config']['optim_wrapper']['type'] == 'CPUAmpOptimWrapper'
    assert facts['config']['optim_wrapper']['optimizer']['lr'] == 0.5
    assert sorted(facts['eta']['decode_head.loss_decode']) == [0.0] * 3 + [1.0] * 2
