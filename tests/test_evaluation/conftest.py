"""The asserts of helpers show their values, as those of tests do."""

import pytest

pytest.register_assert_rewrite('helpers.score_histogram_samples')
