"""What an ABNN is compared with: temperature scaling, MC-Dropout, Deep Ensembles."""

import json
import re

import numpy as np
import pytest
import torch

from helpers.in_process import run_script
from helpers.sharing import made_once
from helpers.tool_runner import ABNN_CONFIG, BASE_CONFIG, ROOT, data_options, run_tool, succeeded
from mmseg_abnn.checkpoint import member_states, read_checkpoint
from mmseg_abnn.member_state import with_members

pytestmark = pytest.mark.usefixtures('without_plots')


def config(method):
    return ROOT / f'configs/{method}/deeplabv3plus_mini_streets.py'


def measure(path, checkpoint, data, work_dir, *arguments, **options):
    arguments = (path, checkpoint, '--work-dir', work_dir, *arguments)
    succeeded(run_tool('test.py', *arguments, options={**data_options(data), **options}))
    return read_metrics(work_dir)


def measure_as_written(path, checkpoint, work_dir):
    """Test with a config alone."""
    arguments = (path, checkpoint, '--work-dir', work_dir)
    succeeded(run_script(ROOT / 'tools/test.py', *arguments, cwd=ROOT))
    return read_metrics(work_dir)


def read_metrics(work_dir):
    return json.loads((work_dir / 'metrics.json').read_text())


@pytest.fixture(scope='module')
def plain(base, data, tmp_path_factory):
    def test(folder):
        measure(BASE_CONFIG, base, data, folder)

    return read_metrics(made_once(tmp_path_factory, 'plain', test))


def fit(checkpoint, data, work_dir):
    arguments = (BASE_CONFIG, checkpoint, '--work-dir', work_dir, '--pixels', 4000)
    arguments += ('--out', work_dir / 'temperature.py')
    return run_tool('misc/fit_temperature.py', *arguments, options=data_options(data))


@pytest.fixture(scope='module')
def trained(data, tmp_path_factory):
    """Train a network until it tells classes apart; return its checkpoint."""
    options = {**data_options(data), 'train_cfg.max_iters': 40, 'train_cfg.val_interval': 40}
    options['default_hooks.checkpoint.interval'] = 40

    def train(folder):
        succeeded(run_tool('train.py', BASE_CONFIG, '--work-dir', folder, options=options))

    return made_once(tmp_path_factory, 'trained', train) / 'iter_40.pth'


def read_fit(text):
    before, after = map(float, re.search(r'pixels: ([\d.]+), with .*: ([\d.]+)', text).groups())
    return (
        before,
        after,
        *re.search(r'^([\w.]+\.temperature)=([\d.]+)', text, re.MULTILINE).groups(),
    )


def test_temperature_scaling(trained, data, tmp_path):
    fitted = succeeded(fit(trained, data, tmp_path / 'fit')).stdout
    before, after, name, value = read_fit(fitted)
    assert name == 'model.test_cfg.temperature'
    assert float(value) > 0
    assert after <= before
    plain = measure(BASE_CONFIG, trained, data, tmp_path / 'plain')
    options = {name: float(value) / 4}
    scaled = measure(config('temperature_scaling'), trained, data, tmp_path / 'scaled', **options)
    # the labels stay, the confidence does not
    assert scaled['mIoU'] == pytest.approx(plain['mIoU'], abs=0.01)
    assert scaled['ECE'] != pytest.approx(plain['ECE'], abs=1e-3)
    # the same by the option, and by the config that was written
    option = measure(
        config('temperature_scaling'), trained, data, tmp_path / 'option', **{name: value}
    )
    # which holds the options that were given then: it needs none
    assert measure_as_written(
        tmp_path / 'fit/temperature.py', trained, tmp_path / 'written'
    ) == pytest.approx(option, rel=1e-3)


def test_temperature_of_an_abnn(abnn, trained, data, tmp_path):
    """The members are those of a network that is hardly trained; the base network is another."""
    member = tmp_path / 'abnn.pth'
    whole = read_checkpoint(abnn / 'abnn.pth')
    state = with_members(read_checkpoint(trained)['state_dict'], member_states(whole))
    torch.save({**whole, 'state_dict': state}, member)
    arguments = (ABNN_CONFIG, member, '--work-dir', tmp_path / 'fit', '--pixels', 4000)
    arguments += ('--out', tmp_path / 'fit/temperature.py')
    fitted = succeeded(run_tool('misc/fit_temperature.py', *arguments, options=data_options(data)))
    before, after, name, value = read_fit(fitted.stdout)
    assert name == 'abnn.temperature'
    assert after <= before
    option = measure(ABNN_CONFIG, member, data, tmp_path / 'option', **{name: value})
    # the section sets the schedule, which is of no account for a test
    lost = re.search('^Give these options again, .* sets them: (.*)$', fitted.stdout, re.MULTILINE)
    assert lost.group(1) == 'train_cfg.max_iters, train_cfg.val_interval'
    written = measure_as_written(tmp_path / 'fit/temperature.py', member, tmp_path / 'written')
    assert written == pytest.approx(option, rel=1e-3)
    plain = measure(ABNN_CONFIG, member, data, tmp_path / 'plain')
    assert written['NLL'] != pytest.approx(plain['NLL'], rel=1e-4)


def test_no_temperature_helps_a_network_that_is_always_wrong(trained, data, tmp_path):
    checkpoint = read_checkpoint(trained)
    for name, tensor in checkpoint['state_dict'].items():
        if name.startswith('decode_head.conv_seg'):
            tensor.neg_()
    torch.save({'state_dict': checkpoint['state_dict']}, tmp_path / 'wrong.pth')
    result = fit(tmp_path / 'wrong.pth', data, tmp_path / 'fit')
    assert result.returncode != 0
    assert 'no T from 0.001 to 1000 is best' in result.stderr


@pytest.mark.parametrize('tool', ['test.py', 'misc/fit_temperature.py'])
def test_the_checkpoint_of_another_network_is_refused(base, data, tmp_path, tool):
    options = {**data_options(data), 'model.decode_head.channels': 8}
    arguments = (BASE_CONFIG, base, '--work-dir', tmp_path)
    result = run_tool(tool, *arguments, options=options)
    assert result.returncode != 0
    assert 'the checkpoint does not fit the model' in result.stderr
    assert 'decode_head.conv_seg.weight: (9, 16, 1, 1) instead of (9, 8, 1, 1)' in result.stderr


def test_mc_dropout(base, data, plain, tmp_path):
    out = tmp_path / 'out'
    # the network is hardly trained: only much dropout makes a difference that shows
    options = {'model.decode_head.dropout_ratio': 0.9}
    options['test_evaluator.scores'] = '[entropy,mutual_information]'
    found = measure(config('mc_dropout'), base, data, tmp_path, '--out', out, **options)
    assert found['mIoU'] == pytest.approx(plain['mIoU'], abs=5)
    maps = [np.load(path) for path in out.rglob('*_mutual_information.npy')]
    assert len(maps) == 7
    assert all((m >= 0).all() and m.max() > 1e-6 for m in maps)


def merge(*arguments):
    return run_script(ROOT / 'tools/misc/merge_networks.py', *arguments, cwd=ROOT)


def test_deep_ensemble(base, data, plain, tmp_path):
    checkpoint = read_checkpoint(base)
    generator = torch.Generator().manual_seed(0)
    other = {
        name: t * (1 + 0.2 * torch.randn(t.shape, generator=generator))
        if t.is_floating_point() and not name.endswith('running_var')
        else t
        for name, t in checkpoint['state_dict'].items()
    }
    torch.save({'state_dict': other}, tmp_path / 'other.pth')
    merged = tmp_path / 'ensemble.pth'
    succeeded(merge(base, tmp_path / 'other.pth', '--out', merged))
    assert len(member_states(read_checkpoint(merged))) == 2
    options = {'test_evaluator.scores': '[entropy,mutual_information]'}
    both = measure(config('deep_ensembles'), merged, data, tmp_path / 'both', **options)
    alone = measure(BASE_CONFIG, tmp_path / 'other.pth', data, tmp_path / 'alone')
    assert both['ECE'] not in (plain['ECE'], alone['ECE'])
    assert both['mutual_information/AUROC'] != 50
    again = merge(base, base, '--out', merged)
    assert again.returncode == 2
    assert 'a checkpoint is given twice' in again.stderr
