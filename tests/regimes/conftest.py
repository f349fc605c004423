"""The shared check gets pytest's readable assertions although it is no test module."""

import pytest

pytest.register_assert_rewrite("labeller_checks")
