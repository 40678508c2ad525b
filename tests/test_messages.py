"""Words of error messages."""

import os
from pathlib import Path

import pytest

from mmseg_abnn.messages import did_you_mean, located


@pytest.mark.parametrize(
    ('names', 'expected'),
    [
        ('alhpa', " (did you mean 'alpha'?)"),
        ('zzz', ''),
        (['sed', 'zzz', 'aplha'], " (did you mean 'seed', 'alpha'?)"),
        ([], ''),
    ],
)
def test_what_was_meant(names, expected):
    assert did_you_mean(names, iter(('alpha', 'seed', 'eta'))) == expected


def test_relative_paths_say_what_they_are_relative_to(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in ('data/x.pth', Path('data/x.pth')):
        assert located(path) == f'data/x.pth (relative to {tmp_path})'
    assert located(tmp_path / 'x.pth') == os.fspath(tmp_path / 'x.pth')
    assert located('~/x.pth') == '~/x.pth'
