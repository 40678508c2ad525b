"""What the tests of the evaluation share."""

import logging

import pytest
from mmengine.logging import MMLogger

# its asserts show their values, as those of tests do
pytest.register_assert_rewrite('helpers.score_histogram_samples')


@pytest.fixture
def log():
    """The messages that are logged during the test."""
    messages = []
    handler = logging.Handler()
    handler.emit = lambda record: messages.append(record.getMessage())
    logger = MMLogger.get_current_instance()
    logger.addHandler(handler)
    yield messages
    logger.removeHandler(handler)
