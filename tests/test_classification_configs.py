"""The configs of classification: at full size, and narrow ones on a few images in the original file
formats.
"""

import copy

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from helpers.sharing import made_once
from helpers.tool_runner import ROOT

pytest.importorskip('mmpretrain', reason='classification needs MMPretrain')

from mmpretrain.registry import MODELS

import mmseg_abnn.classification  # noqa: F401  registers what the configs name
from helpers.classification_standins import (
    lift_md5s,
    write_cifar10,
    write_cifar100,
    write_dtd,
    write_imagenet,
    write_svhn,
)
from mmseg_abnn.apis import build_test_runner, expand_abnn_section, train
from mmseg_abnn.checkpoint import use_safe_loading
from mmseg_abnn.conversion import convert_to_abnn

pytestmark = pytest.mark.mmpretrain

CONFIGS = sorted((ROOT / 'configs/classification').glob('*.py'))
BASES = [path for path in CONFIGS if not path.name.startswith('abnn_')]
NUM_CLASSES = {'cifar100': 100, 'cifar10': 10, 'imagenet': 1000, 'digits': 8}
OOD_SETS = {
    'cifar100': ('SVHN',),
    'cifar10': ('SVHN',),
    'imagenet': ('DTD',),
    'digits': ('unseen', 'shuffled', 'textures'),
}
# of one member: weights and biases of the normalization layers
NORM_PARAMETERS = {'resnet50': 53120, 'wrn28-10': 17952, 'vit-b16': 38400, 'resnet18': 2400}

# the same networks with few channels, which are trained in no time
NARROW = {
    'resnet50': dict(
        backbone=dict(base_channels=8, stem_channels=8),
        head=dict(in_channels=256),
    ),
    'wrn28-10': dict(
        backbone=dict(_delete_=True, type='WideResNet', depth=10, widen_factor=1),
        head=dict(in_channels=64),
    ),
    'vit-b16': dict(
        backbone=dict(
            arch=dict(
                _delete_=True, embed_dims=48, num_layers=2, num_heads=3, feedforward_channels=96
            )
        ),
        head=dict(in_channels=48, hidden_dim=96),
    ),
    'resnet18': {},
}


def data_name(path):
    return path.stem.rpartition('_')[2]


def name_of(path):
    return path.stem


def network_name(path):
    return path.stem.rpartition('_')[0]


def complete(path):
    cfg = Config.fromfile(path)
    expand_abnn_section(cfg)
    return cfg


@pytest.fixture(autouse=True)
def _mmpretrain_scope(_mmseg_scope):
    init_default_scope('mmpretrain')


def write_stand_ins(root):
    """Write a stand-in of each data set below `data`."""
    write_cifar10(root / 'data/cifar10')
    write_cifar100(root / 'data/cifar100')
    write_svhn(root / 'data/svhn')
    write_dtd(root / 'data/dtd')
    write_imagenet(root / 'data/imagenet')


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return made_once(tmp_path_factory, 'classification_stand_ins', write_stand_ins)


def test_all_are_there():
    bases = {path.stem for path in BASES}
    assert {path.stem for path in CONFIGS} == bases | {f'abnn_{name}' for name in bases}
    assert bases == {
        'resnet50_cifar10',
        'resnet50_cifar100',
        'resnet50_imagenet',
        'wrn28-10_cifar10',
        'wrn28-10_cifar100',
        'vit-b16_imagenet',
        'resnet18_digits',
    }


@pytest.mark.parametrize('config', CONFIGS, ids=name_of)
def test_reading_and_writing(config, tmp_path):
    cfg = complete(config)
    cfg.dump(str(tmp_path / 'dumped.py'))
    assert complete(tmp_path / 'dumped.py').to_dict() == cfg.to_dict()
    assert (cfg.model.type == 'MCImageClassifier') == config.name.startswith('abnn_')


@pytest.mark.parametrize('config', BASES, ids=name_of)
def test_conversion(config):
    cfg = complete(config)
    size = 224 if data_name(config) == 'imagenet' else 32
    x = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    model = MODELS.build(cfg.model).eval()
    with torch.no_grad():
        expected = model(x, mode='tensor')
        report = convert_to_abnn(model, alpha=0.0)
        assert torch.equal(model(x, mode='tensor'), expected)
    assert expected.shape == (2, NUM_CLASSES[data_name(config)])
    network = network_name(config)
    assert report.num_trainable == NORM_PARAMETERS[network]
    assert not report.left_alone
    # published: 0.16 M and 0.05 M parameters more for three members
    published = {'resnet50': 0.16e6, 'wrn28-10': 0.05e6}
    if network in published:
        assert 3 * report.num_trainable == pytest.approx(published[network], rel=0.1)
    if config.stem == 'wrn28-10_cifar10':
        assert report.num_parameters == pytest.approx(36.5e6, rel=0.01)


def shortened(cfg, config, work_dir):
    """Make a config train a narrow network once on two images, without a validation."""
    cfg.merge_from_dict({'model': copy.deepcopy(NARROW[network_name(config)])})
    cfg.work_dir = str(work_dir)
    loader = dict(num_workers=0, persistent_workers=False, batch_size=2)
    cfg.train_dataloader.update(loader)
    cfg.train_dataloader.dataset.indices = 2
    cfg.test_dataloader.update(loader)
    cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
    cfg.train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=1)
    cfg.default_hooks.checkpoint = dict(type='CheckpointHook', interval=1, save_optimizer=False)
    return cfg


@pytest.mark.parametrize('config', BASES, ids=name_of)
def test_a_step_of_training_and_a_test(config, data, tmp_path, monkeypatch):
    monkeypatch.chdir(data)
    lift_md5s(monkeypatch)
    use_safe_loading()  # as the tools do; MMEngine 0.10.7 cannot load its own checkpoints
    name = data_name(config)
    base = shortened(complete(config), config, tmp_path / 'base')
    checkpoint = train(copy.deepcopy(base))
    abnn_cfg = Config.fromfile(config.with_name(f'abnn_{config.name}'))
    stated = abnn_cfg.abnn.to_dict()
    assert (stated['num_members'], stated['num_samples']) == (3, 3)
    abnn_cfg.abnn.update(num_members=1, num_samples=1)
    expand_abnn_section(abnn_cfg)
    abnn = shortened(abnn_cfg, config, tmp_path / 'abnn')
    abnn.load_from = checkpoint
    ensemble = train(copy.deepcopy(abnn))
    for cfg, path in ((base, checkpoint), (abnn, ensemble)):
        cfg.test_dataloader.dataset.dataset.indices = 2
        for part in cfg.test_dataloader.dataset.ood.values():
            part.indices = 3
        metrics = build_test_runner(cfg, path).test()
        assert metrics['num_images'] == 2
        assert 0 <= metrics['accuracy'] <= 100
        for ood in OOD_SETS[name]:
            assert metrics[f'{ood}/num_images'] == 3
            assert {f'{ood}/AUPR', f'{ood}/AUROC', f'{ood}/FPR95', f'{ood}/entropy/AUPR'} <= {
                *metrics
            }
