"""What is wrong with a user's input is said before training starts."""

import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from helpers.tool_runner import (
    ABNN_CONFIG,
    BASE_CONFIG,
    ROOT,
    data_options,
    process_environment,
    run_tool,
    tool_command,
)
from mmseg_abnn.checkpoint import read_checkpoint


def fails(*arguments, options):
    """Run training; return the last line of the error, having checked that no iteration ran."""
    result = run_tool('train.py', *arguments, options=options)
    assert result.returncode != 0
    assert 'Iter(train)' not in result.stdout + result.stderr
    return next(li for li in reversed(result.stderr.splitlines()) if 'Error' in li)


def abnn_options(data, load_from):
    return {**data_options(data), 'load_from': load_from, 'num_members': 1}


def test_no_normalization_layer_to_convert(base, data, tmp_path):
    config = tmp_path / 'instance_norm.py'
    norm = "dict(norm_cfg=dict(_delete_=True, type='IN'))"
    config.write_text(
        f"_base_ = '{ABNN_CONFIG}'\n"
        f'model = dict(backbone={norm}, decode_head={norm}, auxiliary_head={norm})\n'
    )
    error = fails(config, '--work-dir', tmp_path, options=abnn_options(data, base))
    assert 'no normalization layer of MCEncoderDecoder can be converted' in error
    assert 'affine=False: there is no gain to multiply' in error


def test_checkpoint_of_another_network(base, data, tmp_path):
    checkpoint = read_checkpoint(base)
    state = checkpoint['state_dict']
    changed = {n.replace('decode_head', 'head'): t for n, t in state.items()}
    changed['backbone.stem.0.weight'] = torch.zeros(1, 2, 3)
    torch.save({'state_dict': changed}, tmp_path / 'other.pth')
    options = abnn_options(data, tmp_path / 'other.pth')
    error = fails(ABNN_CONFIG, '--work-dir', tmp_path, options=options)
    renamed = [n for n in state if n.startswith('decode_head')]
    missing = [n for n in renamed if not n.endswith('num_batches_tracked')]
    assert f'{len(missing)} of {len(state)} weights of the model are missing' in error
    assert f'{len(renamed)} of {len(state)} of its weights are unknown' in error
    assert missing[0] in error
    shape = tuple(state['backbone.stem.0.weight'].shape)
    assert f'backbone.stem.0.weight: (1, 2, 3) instead of {shape}' in error


@pytest.mark.parametrize(
    ('load_from', 'message'),
    [
        ('None', '`load_from` is not set'),
        ('nowhere.pth', 'there is no checkpoint file nowhere.pth'),
    ],
)
def test_no_checkpoint(data, tmp_path, load_from, message):
    options = abnn_options(data, load_from)
    result = run_tool('train.py', ABNN_CONFIG, '--work-dir', tmp_path, options=options)
    assert result.returncode == 1
    # the last thing on the screen, without a config dump before
    assert message in result.stderr.splitlines()[-1]
    assert result.stdout == ''


def remove_all(data):
    shutil.rmtree(data / 'train')


def empty(data):
    for file in (data / 'train').rglob('*.png'):
        file.unlink()


def remove_label(data):
    (data / 'train/leftLabel/000002_leftLabel.png').unlink()


def unknown_id(data):
    path = data / 'train/leftLabel/000003_leftLabel.png'
    label = np.array(Image.open(path))
    label[:4, :4] = 77
    Image.fromarray(label).save(path)


@pytest.mark.parametrize(
    ('damage', 'messages'),
    [
        (remove_all, ['train/leftImg8bit does not exist']),
        (empty, ['train/leftImg8bit holds no file']),
        (remove_label, ['1 image(s) without a label', '000002_leftImg8bit.png']),
        (unknown_id, ['000003_leftLabel.png: unknown stored id(s) [77]', 'allowed stored ids']),
    ],
)
def test_damaged_dataset(data, tmp_path, damage, messages):
    copy = tmp_path / 'data'
    shutil.copytree(data, copy)
    damage(copy)
    error = fails(BASE_CONFIG, '--work-dir', tmp_path / 'run', options=data_options(copy))
    for message in messages:
        assert message in error


def test_number_of_members(base, data, tmp_path):
    options = {**abnn_options(data, base), 'num_members': 0}
    error = fails(ABNN_CONFIG, '--work-dir', tmp_path, options=options)
    assert '`num_members` must be an int >= 1, got 0' in error


def screen(*arguments, options):
    """Train in a process of its own, as a user does; return the lines on the screen."""
    process = subprocess.run(
        [sys.executable, *tool_command('train.py', *arguments, options=options)],
        cwd=ROOT,
        env=process_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.returncode == 1
    # a config dump would have the model in it
    assert 'DepthwiseSeparableASPPHead' not in process.stdout
    return process.stdout.rstrip().splitlines()


def test_an_unknown_setting_is_the_last_thing_on_the_screen(data, base, tmp_path):
    options = {**abnn_options(data, base), 'abnn.num_draws': 4}
    lines = screen(ABNN_CONFIG, '--work-dir', tmp_path, options=options)
    assert lines[-1].startswith('ValueError: `abnn` may hold [')
    assert lines[-1].endswith("], got ['num_draws'] (did you mean 'draws'?)")


def test_a_damaged_dataset_is_the_last_thing_on_the_screen(data, tmp_path):
    copy, work_dir = tmp_path / 'data', tmp_path / 'run'
    shutil.copytree(data, copy)
    unknown_id(copy)
    lines = screen(BASE_CONFIG, '--work-dir', work_dir, options=data_options(copy))
    assert lines[-1].startswith('ValueError: ')
    assert '000003_leftLabel.png: unknown stored id(s) [77]' in lines[-1]
    # environment and config are written down all the same
    (log,) = work_dir.glob('*/*.log')
    text = log.read_text()
    assert 'System environment:' in text
    assert "type='DepthwiseSeparableASPPHead'" in text
