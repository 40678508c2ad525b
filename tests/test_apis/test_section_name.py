"""A section `abnn` that is misspelt is found, and no variable is taken for one."""

import argparse
import ast
from pathlib import Path

import mmseg
import pytest
from mmengine.config import Config

from mmseg_abnn.apis import expand_abnn_section, load_config
from mmseg_abnn.apis.section_name import check_no_misspelt_section, check_options

EVERYTHING = dict(alpha=0.1, optimizer=dict(lr=0.1), max_iters=10)  # what only ours would hold


@pytest.mark.parametrize('name', ['anbb', 'ABNN', 'Abnn', 'abn', 'abbn', 'abnnn', 'ab_nn', 'anbn'])
@pytest.mark.parametrize('value', [{}, EVERYTHING, dict(alfa=0.1)])
def test_names_of_the_same_letters(name, value):
    with pytest.raises(ValueError, match=f'has `{name}`.* did you mean `abnn`'):
        expand_abnn_section(Config({name: value}))


@pytest.mark.parametrize('name', ['abnm', 'bnn', 'abnns', 'sabnn', 'ann'])
def test_names_nearly_the_same(name):
    with pytest.raises(ValueError, match='did you mean `abnn`'):
        expand_abnn_section(Config({name: EVERYTHING}))
    for other in ({}, dict(alpha=0.1, channels=3), 0.1):  # a user's own
        expand_abnn_section(Config({name: other}))


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('a', EVERYTHING),
        ('bn', EVERYTHING),
        ('nn', EVERYTHING),
        ('ann_file', EVERYTHING),
        ('ban', EVERYTHING),
        ('scan', EVERYTHING),
        ('abn', dict(type='ABN', requires_grad=True)),  # an activated batch normalization
        ('abn', 'train.txt'),
        ('num_classes', 5),
        ('num_member_files', 5),
    ],
)
def test_other_variables(name, value):
    check_no_misspelt_section(Config({name: value}))


@pytest.mark.parametrize('name', ['num_member', 'numMembers', 'num_memebrs'])
def test_the_number_of_members(name):
    with pytest.raises(ValueError, match=f'has `{name}`.* did you mean `num_members`'):
        check_no_misspelt_section(Config({name: 3}))


def test_a_config_with_a_section_may_have_variables_like_it():
    check_no_misspelt_section(Config(dict(abnn=dict(), abn=dict())))
    check_no_misspelt_section(Config(dict(num_members=3, abn=dict())))


def test_no_config_of_mmsegmentation_is_taken_for_one():
    folder = Path(mmseg.__file__).parent / '.mim/configs'
    files = list(folder.glob('**/*.py'))
    assert len(files) > 500
    names = {
        target.id
        for file in files
        for line in ast.parse(file.read_text(encoding='utf-8')).body
        if isinstance(line, ast.Assign)
        for target in line.targets
        if isinstance(target, ast.Name)
    }
    assert {'model', 'norm_cfg', 'num_classes'} < names
    # whatever these variables hold
    for value in ({}, EVERYTHING, 5):
        check_no_misspelt_section(Config(dict.fromkeys(names, value)))
    check_options(f'{name}.alpha' for name in names)


def test_the_tools_read_it(tmp_path):
    path = tmp_path / 'my_abnn.py'
    args = argparse.Namespace(
        config=str(path), cfg_options=None, work_dir=None, launcher='none', local_rank=0
    )
    path.write_text("model = dict(type='EncoderDecoder')\nanbb = dict(alpha=0.2)\n")
    with pytest.raises(ValueError, match='has `anbb`'):
        load_config(args)
    path.write_text("model = dict(type='EncoderDecoder')\n")
    args.cfg_options = {'ABNN.optimizer.lr': 0.1}
    with pytest.raises(ValueError, match=r'ABNN.optimizer.lr: did you mean `abnn.optimizer.lr`'):
        load_config(args)
