"""The list of what is compared: what it may say, and what is wrong with it."""

import re
from pathlib import Path

import pytest
from mmengine.config import Config, DictAction

from comparison import Method, read_comparison
from comparison.reading import option_text
from helpers.tool_runner import ABNN_CONFIG, BASE_CONFIG, ROOT


@pytest.fixture(autouse=True)
def _files(tmp_path, monkeypatch):
    """Work in a folder with two checkpoints and a config."""
    monkeypatch.chdir(tmp_path)
    for seed in (0, 1):
        (tmp_path / str(seed)).mkdir()
        (tmp_path / str(seed) / 'net.pth').touch()
    (tmp_path / 'config.py').touch()


def method(**changes):
    entry = dict(name='net', config='config.py', checkpoint='{seed}/net.pth', scores=['msp'])
    return {k: v for k, v in {**entry, **changes}.items() if v is not ...}


def read(tmp_path, seeds=None, **changes):
    content = dict(title='T', seeds=[0, 1], reference='net', methods=[method()])
    content = {k: v for k, v in {**content, **changes}.items() if v is not ...}
    path = tmp_path / 'list.py'
    path.write_text('\n'.join(f'{key} = {value!r}' for key, value in content.items()))
    return read_comparison(str(path), seeds)


def test_all_that_a_list_may_hold(tmp_path):
    other = method(
        name='other (M=2)',
        checkpoint='0/net.pth',
        scores=['entropy', 'msp'],
        trained_in=['work/{seed}/a', 'work/b'],
        options={'a.b': [1, 'x'], 'seed': '{seed}', 'name': 'run_{seed}'},
    )
    found = read(tmp_path, methods=[method(), other], _helper=1, reference='other (M=2)')
    assert (found.title, found.seeds, found.reference) == ('T', (0, 1), 'other (M=2)')
    first, second = found.methods
    assert first == Method('net', 'config.py', '{seed}/net.pth', ('msp',))
    assert second.folder == 'other_M_2'
    one = second.of_seed(1)
    assert one.trained_in == ('work/1/a', 'work/b')
    assert one.options == {'a.b': '[1,x]', 'seed': '1', 'name': 'run_1'}
    assert first.of_seed(7).checkpoint == '7/net.pth'


def test_seeds_of_the_command_line_come_first(tmp_path):
    assert read(tmp_path, seeds=[1]).seeds == (1,)
    with pytest.raises(ValueError, match=r'`seeds` must be .*, got \[1, 1\]'):
        read(tmp_path, seeds=[1, 1])


def test_all_missing_files_are_listed(tmp_path):
    methods = [
        method(),
        method(name='b', checkpoint='{seed}/b.pth'),
        method(name='c', config='{seed}.py'),
    ]
    with pytest.raises(FileNotFoundError) as error:
        read(tmp_path, methods=methods)
    below = f' (relative to {Path.cwd()})'
    assert str(error.value).splitlines() == [
        '4 files are missing:',
        f"  0/b.pth{below}, of method 'b'",
        f"  1/b.pth{below}, of method 'b'",
        f"  0.py{below}, of method 'c'",
        f"  1.py{below}, of method 'c'",
    ]
    with pytest.raises(FileNotFoundError, match=r'there is no list nowhere\.py'):
        read_comparison('nowhere.py')


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(seed=[0]), "the list may hold ['title', 'seeds', 'reference', 'methods'], got"),
        (dict(reference=...), 'the list must hold'),
        (dict(title=3), '`title` must be a text, got 3'),
        (dict(seeds=[]), '`seeds` must be a list of different ints >= 0, got []'),
        (dict(seeds=[0, True]), 'ints >= 0, got [0, True]'),
        (dict(seeds=[-1]), 'ints >= 0, got [-1]'),
        (dict(methods=[]), '`methods` must be a list of dicts, got []'),
        (dict(methods=['net']), "`methods[0]` must be a dict, got 'net'"),
        (dict(reference='abnn'), "`reference` must be one of ['net'], got 'abnn'"),
        (dict(methods=[method(), method()]), "method 'net': `name` must hold letters"),
        (dict(methods=[method(), method(name='net.')]), "and 'net' is another method"),
        (dict(methods=[method(name='()')]), "method '()': `name` must hold letters or digits"),
    ],
)
def test_wrong_lists(tmp_path, changes, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        read(tmp_path, **changes)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(score='msp'), "method 'net' may hold ['name', 'config', 'checkpoint', 'scores'"),
        (dict(scores=...), "got no ['scores']"),
        (dict(name=...), "`methods[0]` must hold ['name', 'config', 'checkpoint', 'scores']"),
        (dict(config=''), "method 'net': `config` must be a text, got ''"),
        (dict(scores='msp'), "method 'net': `scores` must be a list of texts, got 'msp'"),
        (dict(scores=[]), "method 'net': `scores` must hold at least one score"),
        (dict(scores=['msp', 'msp']), 'must not hold a text twice'),
        (dict(trained_in='work'), "method 'net': `trained_in` must be a list of texts"),
        (dict(options=['a=1']), "method 'net': `options` must be a dict, got ['a=1']"),
        (dict(options={'a': dict(b=1)}), "method 'net': an option {'b': 1} cannot be given on a"),
        (dict(checkpoint='0/net.pth'), "method 'net': with several seeds `checkpoint` must hold"),
    ],
)
def test_wrong_methods(tmp_path, changes, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        read(tmp_path, methods=[method(**changes)])


@pytest.mark.parametrize(
    'value',
    [1, 0.001, True, None, 'text', '{seed}', [1, 2.5], ['a', 'b'], [], (1,), [(1, 2), [None]]],
)
def test_options_that_a_command_line_can_say(value):
    assert DictAction._parse_iterable(option_text(value)) == value


@pytest.mark.parametrize('value', ['1', 'a,b', 'with space', '(,', 'true', {'a': 1}, ['1']])
def test_options_that_a_command_line_cannot_say(value):
    with pytest.raises(ValueError, match='cannot be given on a command line'):
        option_text(value)


def test_the_list_of_mini_streets():
    """It is as the configs are; its checkpoints are made by the commands that it names."""
    content = Config.fromfile(ROOT / 'configs/compare/mini_streets.py')
    found = {entry.name: entry for entry in content.methods}
    assert content.reference == 'deterministic'
    assert ROOT / found['deterministic'].config == BASE_CONFIG
    assert ROOT / found['ABNN'].config == ABNN_CONFIG
    assert found['deterministic'].trained_in[0] in found['ABNN'].trained_in
