"""What the command says to its arguments, and what it does with them."""

import argparse
import importlib
import sys
from types import ModuleType

import pytest

from mmseg_abnn import compat
from mmseg_abnn.command import main, run_tool
from mmseg_abnn.parsers import CommandParser, add_common_arguments, number


def error_of(capsys, *arguments):
    """Return the last line that a command line that is refused gives."""
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ((), 'mmseg-abnn: error: the following arguments are required: SUBCOMMAND'),
        (('tset',), "mmseg-abnn: error: there is no subcommand 'tset' (did you mean 'test'?); "),
        (('frobnicate',), "there is no subcommand 'frobnicate'; there are train, test, predict, "),
        (('--vresion',), "there is no option --vresion (did you mean '--version'?)"),
        (
            ('train', 'a.py', '--wrok-dir', 'b'),
            "mmseg-abnn train: error: there is no option --wrok-dir (did you mean '--work-dir'?)",
        ),
        (('merge', 'a', 'b', '--uot=c'), "there is no option --uot (did you mean '--out'?)"),
        (('test', 'a.py', 'b', '--frobnicate'), 'there is no option --frobnicate'),
        (('train', 'a.py', 'b.py'), 'unrecognized arguments: b.py'),
        (('train', 'a.py', '--cfg-options', 'a=1', 'b'), "--cfg-options takes key=value, got 'b'"),
        (('suggest-alpha', 'a.py', 'b', '--images', '0'), '--images: must be >= 1, got 0'),
        (('suggest-alpha', 'a.py', 'b', '--images', 'x'), "--images: invalid int value: 'x'"),
        (('suggest-alpha', 'a.py', 'b', '--max-loss', 'nan'), '--max-loss: must be >= 0, got nan'),
        (('predict', 'a.pth', 'b.png', '--format', 'jpg'), "--format: invalid choice: 'jpg'"),
        (('predict', 'a.pth'), 'the following arguments are required: INPUT'),
    ],
)
def test_what_is_refused(capsys, arguments, message):
    assert message in error_of(capsys, *arguments)


def test_a_beginning_of_an_option_and_values_that_look_like_one_are_allowed():
    parser = CommandParser()
    add_common_arguments(parser)
    parser.add_argument('files', nargs='*')
    args = parser.parse_args(['--work', 'w', '--cfg-options', 'a=--b', 'c=[1,2]', '--', '--d'])
    assert (args.work_dir, args.cfg_options, args.files) == ('w', ['a=--b', 'c=[1,2]'], ['--d'])


def test_options_given_in_several_places_are_collected():
    parser = CommandParser()
    add_common_arguments(parser)
    args = parser.parse_args(['--cfg-options', 'a=1', '--launcher=none', '--cfg-options', 'b=2'])
    assert args.cfg_options == ['a=1', 'b=2']


@pytest.mark.parametrize(
    ('kind', 'text', 'expected'), [(float, '1e-3', 0.001), (int, '2', 2), (float, '2.5', 2.5)]
)
def test_numbers(kind, text, expected):
    found = number(kind, 0, without=True)(text)
    assert (found, type(found)) == (expected, kind)


def test_predict_hands_its_arguments_over(monkeypatch):
    seen = []
    inferencer = ModuleType('mmseg_abnn.apis.inferencer')
    inferencer.predict_command = seen.append
    monkeypatch.setitem(sys.modules, inferencer.__name__, inferencer)
    main(['predict', 'abnn.pth', 'a.png', 'folder'])
    options = ['--weights', 'w.pth', '--out-dir', 'out', '--batch-size', '4', '--device', 'cpu']
    options += ['--cfg-options', 'abnn.num_samples=5', '--maps', 'entropy', 'msp']
    main(['predict', 'my.py', 'camera:0', *options, '--format', 'npy', '--no-pictures'])
    default = dict(
        weights=None,
        out_dir='predictions',
        batch_size=1,
        device=None,
        cfg_options=None,
        maps=None,
        format='png',
        no_pictures=False,
    )
    assert seen == [
        argparse.Namespace(model='abnn.pth', inputs=['a.png', 'folder'], **default),
        argparse.Namespace(
            model='my.py',
            inputs=['camera:0'],
            weights='w.pth',
            out_dir='out',
            batch_size=4,
            device='cpu',
            cfg_options=['abnn.num_samples=5'],
            maps=['entropy', 'msp'],
            format='npy',
            no_pictures=True,
        ),
    ]


def test_a_tool_is_called_by_its_own_name(monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', ['tools/misc/merge_members.py', 'base.pth'])
    with pytest.raises(SystemExit):
        run_tool('merge')
    assert 'merge_members.py: error: the following arguments are required: members' in (
        capsys.readouterr().err
    )


def test_env_names_versions_and_distributions(capsys, monkeypatch):
    versions = {'onedl-mmcv': '2.9', 'mmengine': '0.10.7', 'torch': '2.1'}
    monkeypatch.setattr(compat, '_installed', versions.__contains__)
    monkeypatch.setattr(compat, 'version', versions.__getitem__)
    collect = importlib.import_module('mmengine.utils.dl_utils')
    monkeypatch.setattr(collect, 'collect_env', lambda: {'CUDA available': False})
    main(['env'])
    lines = capsys.readouterr().out.splitlines()
    assert lines[2:] == [
        'mmengine: 0.10.7 (mmengine)',
        'mmcv: 2.9 (onedl-mmcv)',
        'mmseg: not installed',
        'mmpretrain: not installed',
        'torch: 2.1',
        'torchvision: not installed',
        'numpy: not installed',
        'CUDA available: False',
    ]


def test_an_error_of_ours_is_one_line(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        main(['predict', 'missing.pth', 'a.png'])
    assert end.value.code == (
        'mmseg-abnn predict: error: there is no checkpoint file missing.pth (relative to '
        f'{tmp_path})'
    )


def test_an_error_of_others_has_its_traceback(monkeypatch):
    monkeypatch.setattr('mmseg_abnn.command.config_files.own_configs', lambda parts: int('x'))
    with pytest.raises(ValueError, match='invalid literal'):
        main(['list-configs'])
