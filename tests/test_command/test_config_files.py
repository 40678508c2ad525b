"""Listing and copying configs, and naming them in place of a path."""

import argparse
import ast

import pytest
from mmengine.config import Config

from helpers.tool_runner import ROOT
from mmseg_abnn.apis import load_config
from mmseg_abnn.apis.config_copy import with_named_bases
from mmseg_abnn.command import main
from mmseg_abnn.package_configs import find_config, own_configs

MUAD = 'mmseg_abnn::abnn/deeplabv3plus_muad.py'


def listed(capsys, *arguments):
    main(['list-configs', *arguments])
    return capsys.readouterr().out.splitlines()


def test_configs_of_networks_are_listed(capsys):
    folder = ROOT / 'configs'
    files = {path.relative_to(folder) for path in folder.rglob('*.py')}
    expected = {
        f'mmseg_abnn::{path}'
        for path in files
        if path.parts[0] not in ('_base_', 'compare', 'ablation')
    }
    names = listed(capsys)
    assert names == sorted(expected)
    assert MUAD in names
    assert set(listed(capsys, '--all')) == {f'mmseg_abnn::{path}' for path in files}
    # what is listed can be read
    assert all(find_config(name) == str(folder / name.partition('::')[2]) for name in names)


def test_a_pattern_is_a_part_of_a_name_or_describes_a_whole_one(capsys):
    assert listed(capsys, 'abnn/deeplabv3plus_muad') == [MUAD, MUAD.replace('.py', '_paper.py')]
    assert listed(capsys, '*abnn/*_muad.py') == [MUAD]
    # the name of the package is in all of them
    assert all('abnn' in name.partition('::')[2] for name in listed(capsys, 'abnn'))
    with pytest.raises(SystemExit) as end:
        main(['list-configs', 'nowhere'])
    assert "configs matches 'nowhere'" in str(end.value.code)


@pytest.mark.parametrize('name', [MUAD, 'deeplabv3plus/deeplabv3plus_r18-d8_mini_streets.py'])
def test_a_copy_says_the_same_wherever_it_lies(name, tmp_path, capsys):
    out = tmp_path / 'new/mine.py'
    main(['copy-config', name, str(out)])
    assert capsys.readouterr().out == f'Written: {out}\n'
    original = Config.fromfile(ROOT / 'configs' / name.removeprefix('mmseg_abnn::'))
    assert Config.fromfile(out).to_dict() == original.to_dict()
    with pytest.raises(SystemExit, match=r'mine\.py is there already, and is not overwritten'):
        main(['copy-config', name, str(out)])


def test_a_copy_into_a_folder_keeps_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    main(['copy-config', '_base_/datasets/muad.py'])
    copied = (tmp_path / 'muad.py').read_text()
    assert "_base_ = 'mmseg_abnn::_base_/datasets/ood_segmentation.py'" in copied


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (('mmseg::a/b.py',), "inherit it by _base_ = 'mmseg::a/b.py'"),
        ((MUAD, 'mine.txt'), r'must be a folder, or end in \.py, got mine\.txt \(rel'),
        ((MUAD.replace('muad', 'mud'),), rf"did you mean '{MUAD}'"),
    ],
)
def test_what_cannot_be_copied(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=message):
        main(['copy-config', *arguments])
    assert list(tmp_path.iterdir()) == []


def test_relative_bases_get_names_and_nothing_else_changes():
    text = (
        "# Grüße: '../_base_/a.py'\n_base_ = [\n    '../_base_/a.py',  # ü '../b'\n"
        "    \"b.py\", 'mmseg::c/d.py',\n]\nx = dict(_base_='../e.py')\n"
    )
    assert with_named_bases(text, 'mmseg_abnn::abnn/mine.py') == (
        "# Grüße: '../_base_/a.py'\n_base_ = [\n    'mmseg_abnn::_base_/a.py',  # ü '../b'\n"
        "    'mmseg_abnn::abnn/b.py', 'mmseg::c/d.py',\n]\nx = dict(_base_='../e.py')\n"
    )


@pytest.mark.parametrize('name', own_configs(parts=True))
def test_the_bases_of_every_copy_exist(name):
    with open(find_config(name), encoding='utf-8') as file:
        copy = with_named_bases(file.read(), name)
    for statement in ast.parse(copy).body:
        if isinstance(statement, ast.Assign) and statement.targets[0].id == '_base_':
            bases = ast.literal_eval(statement.value)
            for base in [bases] if isinstance(bases, str) else bases:
                assert '::' in base
                if base.startswith('mmseg_abnn::'):
                    find_config(base)


def load(config, **changes):
    settings = dict(cfg_options=None, work_dir=None, launcher='none', local_rank=0)
    analysis = changes.pop('analysis', None)
    return load_config(
        argparse.Namespace(config=str(config), **settings | changes), analysis=analysis
    )


def test_a_config_is_given_by_its_name():
    by_name, by_path = load(MUAD), load(ROOT / 'configs/abnn/deeplabv3plus_muad.py')
    assert by_name.to_dict() == by_path.to_dict()
    assert by_name.work_dir == 'work_dirs/deeplabv3plus_muad'
    theirs = load('mmseg::pspnet/pspnet_r50-d8_4xb2-80k_cityscapes-512x1024.py')
    assert theirs.model.decode_head.type == 'PSPHead'
    assert theirs.work_dir == 'work_dirs/pspnet_r50-d8_4xb2-80k_cityscapes-512x1024'


@pytest.mark.parametrize(
    ('config', 'error', 'message'),
    [
        (
            MUAD.replace('plus', 'pls'),
            FileNotFoundError,
            rf"no config .* \(did you mean '{MUAD}'\?",
        ),
        ('abn/x.py', FileNotFoundError, r'no config file abn/x.py \(relative to {folder}\)$'),
        ('configs/abnn/deeplabv3plus_muad.py', FileNotFoundError, rf'\(did you mean {MUAD}\?\)'),
        ('mmsge::a/b.py', ValueError, r"of the package 'mmsge' \(did you mean 'mmseg'\?\)"),
        ('mmseg::pspnet/nowhere.py', FileNotFoundError, r'pspnet/nowhere\.py'),
    ],
)
def test_a_config_that_is_not_there(config, error, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message.replace('{folder}', str(tmp_path))):
        load(config)


@pytest.mark.parametrize(
    ('changes', 'work_dir'),
    [
        ({}, 'work_dirs/my_abnn/suggest_alpha'),
        ({'cfg_options': ['work_dir=mine']}, 'mine/suggest_alpha'),
        ({'work_dir': 'here'}, 'here'),
    ],
)
def test_an_analysis_writes_to_a_folder_of_its_own(changes, work_dir, tmp_path):
    config = tmp_path / 'my_abnn.py'
    config.write_text("model = dict(type='EncoderDecoder')")
    assert load(config, analysis='suggest_alpha', **changes).work_dir == work_dir
