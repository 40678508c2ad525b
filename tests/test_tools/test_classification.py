"""The tools as a user of classifiers runs them."""

import json
import sys

import pytest

from helpers.in_process import run_script
from helpers.sharing import made_once
from helpers.tool_runner import ROOT, run, succeeded

pytest.importorskip('mmpretrain', reason='classification needs MMPretrain')

pytestmark = pytest.mark.mmpretrain

BASE = ROOT / 'configs/classification/resnet18_digits.py'
QUICK = [
    'train_dataloader.batch_size=32',
    'train_dataloader.num_workers=0',
    'train_dataloader.persistent_workers=False',
    'train_dataloader.dataset.indices=64',
    'default_hooks.logger.interval=1',
]


def command(name, *arguments, options=()):
    return [ROOT / 'tools' / name, *arguments, '--cfg-options', *QUICK, *options]


def tool(name, *arguments, options=()):
    return run_script(*command(name, *arguments, options=options), cwd=ROOT)


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """A base network after one epoch, and the config of an ABNN outside the repository."""

    def train(root):
        options = ['train_cfg.max_epochs=1', 'train_cfg.val_interval=1']
        succeeded(tool('train.py', BASE, '--work-dir', root / 'base', options=options))
        (root / 'my_abnn.py').write_text(
            f"_base_ = '{BASE}'\nload_from = '{root / 'base/epoch_1.pth'}'\n"
            'abnn = dict(max_epochs=2, num_members=2, num_samples=2)\n'
            "train_dataloader = dict(sampler=dict(type='DefaultSampler'))\n"
        )

    root = made_once(tmp_path_factory, 'classifier', train)
    return root, root / 'my_abnn.py'


def test_train_test_and_pictures(trained, tmp_path):
    _, config = trained
    root = tmp_path
    work_dir = root / 'abnn'
    printed = succeeded(tool('train.py', config, '--work-dir', work_dir, '--amp')).stdout
    # two batches in each of two epochs: the rate falls from iteration to iteration
    rates = [line.split('lr: ')[1].split()[0] for line in printed.splitlines() if 'lr: ' in line]
    assert [float(rate) for rate in rates] == pytest.approx(
        [0.01 * (1 - i / 3) ** 0.9 for i in range(4)] * 2, rel=1e-3, abs=1e-6
    )
    data = 'test_dataloader.dataset'
    options = [f'{data}.dataset.indices=6']
    options += [f'{data}.ood.{name}.indices=3' for name in ('unseen', 'shuffled', 'textures')]
    arguments = [config, work_dir / 'abnn.pth', '--work-dir', root / 'test']
    pictures = root / 'pictures'
    succeeded(tool('test.py', *arguments, '--show-dir', pictures, options=options))
    metrics = json.loads((root / 'test/metrics.json').read_text())
    assert metrics['num_images'] == 6
    assert metrics['textures/num_images'] == 3
    report = json.loads((root / 'test/report/report.json').read_text())
    assert report['metrics']['unseen/AUPR'] == metrics['unseen/AUPR']
    assert len(list(pictures.iterdir())) >= 6
    for flag, message in ((['--tta'], '--tta is for seg'), (['--out', root], '--out is for seg')):
        result = tool('test.py', *arguments, *flag)
        assert result.returncode != 0
        assert message in result.stderr


def test_iterations_and_an_infinite_sampler(trained, tmp_path):
    _, config = trained
    child = tmp_path / 'infinite.py'
    child.write_text(
        f"_base_ = '{config}'\ntrain_dataloader = dict(\n"
        "    sampler=dict(_delete_=True, type='InfiniteSampler', shuffle=True))\n"
    )
    options = ['abnn.max_iters=2', 'abnn.num_members=1']
    succeeded(tool('train.py', child, '--work-dir', tmp_path / 'infinite', options=options))
    assert (tmp_path / 'infinite/abnn.pth').is_file()


@pytest.mark.parametrize('name', ['suggest_alpha.py', 'browse_dataset.py', 'fit_temperature.py'])
def test_tools_for_segmentors_say_so(trained, tmp_path, name):
    root, config = trained
    folder = 'misc' if name == 'fit_temperature.py' else 'analysis_tools'
    checkpoint = [] if name == 'browse_dataset.py' else [root / 'base/epoch_1.pth']
    arguments = [] if checkpoint else ['--out', tmp_path / 'browsed']
    result = tool(f'{folder}/{name}', config, *checkpoint, *arguments)
    assert result.returncode != 0
    said = 'suggest-alpha' if name == 'suggest_alpha.py' else name  # as the command calls it
    assert f'{said} is for segmentors, got the config of a classifier' in result.stderr


def test_a_deterministic_network_needs_no_import_of_ours(trained, tmp_path):
    root, _ = trained
    config = tmp_path / 'plain.py'
    config.write_text(f"_base_ = '{BASE}'\ncustom_imports = None\n")
    arguments = [config, root / 'base/epoch_1.pth', '--work-dir', tmp_path]
    # in a process in which nothing has imported our classes for classifiers
    succeeded(run([sys.executable, *command('test.py', *arguments)]))
    assert 'unseen/AUPR' in json.loads((tmp_path / 'metrics.json').read_text())
