"""What a Runner shows."""

import logging

import pytest

from mmseg_abnn.apis.runner import _is_for_the_screen

LINE = 60 * '-'


@pytest.mark.parametrize(
    ('level', 'message', 'shown'),
    [
        ('INFO', 'Config:\nmodel = dict()', False),
        ('INFO', f'\n{LINE}\nSystem environment:\n    sys.platform: linux', False),
        ('INFO', 'Hooks will be executed in the following order:\nbefore_run', False),
        ('INFO', 'Iter(train) [1/3]', True),
        ('INFO', 'another Config: of a user', True),
        ('WARNING', 'Config: this setting is deprecated', True),
    ],
)
def test_what_is_for_the_screen(level, message, shown):
    record = logging.LogRecord('name', getattr(logging, level), 'file', 1, message, (), None)
    assert _is_for_the_screen(record) is shown
