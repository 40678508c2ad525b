"""What a finished result was made with."""

import json

import pytest

from mmseg_abnn.apis.stamps import (
    differences,
    is_current,
    read_stamp,
    settings_hash,
    stamped,
    write_stamp,
)

STAMP = {'config': {'alpha': 0.1, 'members': [1, 2]}, 'version': '1'}


@pytest.mark.parametrize(
    ('old', 'new', 'expected'),
    [
        (STAMP, STAMP, []),
        ({'a': 1, 'b': 2}, {'b': 3, 'c': 4}, ['a: 1 -> None', 'b: 2 -> 3', 'c: None -> 4']),
        (
            STAMP,
            {**STAMP, 'config': {'alpha': 0.2}},
            ['config.alpha: 0.1 -> 0.2', 'config.members: [1, 2] -> None'],
        ),
        ({'a': {'b': {'c': 1}}}, {'a': {'b': {'c': 2}}}, ['a.b.c: 1 -> 2']),
        ({'a': {'b': 1}}, {'a': 5}, ["a: {'b': 1} -> 5"]),
        ({'a': [1, 2]}, {'a': [1, 3]}, ['a.1: 2 -> 3']),
        ({'a': [1, 2]}, {'a': [1]}, ['a: [1, 2] -> [1]']),
        ({}, {}, []),
    ],
)
def test_differences(old, new, expected):
    assert list(differences(old, new)) == expected


def test_written_and_read(tmp_path):
    path = tmp_path / 'work' / 'stamp.json'
    assert read_stamp(path) is None
    assert not is_current(path, STAMP)
    write_stamp(path, STAMP)
    assert json.loads(path.read_text()) == read_stamp(path) == STAMP
    assert is_current(path, STAMP)
    assert not is_current(path, {**STAMP, 'version': '2'})
    assert [file.name for file in path.parent.iterdir()] == ['stamp.json']


@pytest.mark.parametrize('content', ['', '{"version": '])
def test_a_file_that_was_cut_off_is_no_stamp(tmp_path, content):
    (tmp_path / 'stamp.json').write_text(content)
    assert read_stamp(tmp_path / 'stamp.json') is None


def test_a_result_that_is_made_anew_has_no_stamp_until_it_is_done(tmp_path):
    path = tmp_path / 'stamp.json'
    write_stamp(path, {'version': '0'})
    with stamped(path, STAMP):
        assert not path.exists()
    assert read_stamp(path) == STAMP


def test_a_result_that_failed_has_no_stamp(tmp_path):
    path = tmp_path / 'stamp.json'
    write_stamp(path, STAMP)
    with pytest.raises(ZeroDivisionError), stamped(path, STAMP):
        raise ZeroDivisionError
    assert not path.exists()


def test_the_hash_of_settings_does_not_depend_on_their_order():
    settings = {'a': 1, 'b': {'c': [1, 2], 'd': None}}
    reordered = {'b': {'d': None, 'c': [1, 2]}, 'a': 1}
    assert settings_hash(settings) == settings_hash(reordered)
    for other in ({'a': 2, 'b': settings['b']}, {'a': 1, 'b': {'c': [2, 1], 'd': None}}, {'a': 1}):
        assert settings_hash(other) != settings_hash(settings)
