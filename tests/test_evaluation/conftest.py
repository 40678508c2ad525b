"""What the tests of the evaluation share."""

import pytest

# its asserts show their values, as those of tests do
pytest.register_assert_rewrite('helpers.score_histogram_samples')
