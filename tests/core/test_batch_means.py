from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from regime_nas_pipeline.core.batch_means import batch_means, batched
from regime_nas_pipeline.core.errors import DataError, ParameterError


def test_batches_are_means_of_neighbours() -> None:
    np.testing.assert_allclose(batched(np.arange(6.0), 2), [0.5, 2.5, 4.5])
    # Seven values in batches of at least two: three batches.
    np.testing.assert_allclose(batched(np.arange(7.0), 2), [1.0, 3.5, 5.5])
    np.testing.assert_allclose(batched(np.arange(3.0), 10), [1.0])


def test_with_batches_of_one_it_is_students_interval() -> None:
    values = np.random.default_rng(0).standard_normal((20, 3))
    found = batch_means(values, 1, level=0.9)
    expected = ttest_1samp(values, 0.0).confidence_interval(0.9)
    np.testing.assert_allclose(found.low, expected.low)
    np.testing.assert_allclose(found.high, expected.high)
    np.testing.assert_allclose(found.mean, values.mean(axis=0))


def test_intervals_of_dependent_values_cover_and_those_that_ignore_it_do_not() -> None:
    generator = np.random.default_rng(1)
    shocks = generator.standard_normal((2000, 300))
    values = np.zeros_like(shocks)
    for at in range(1, len(values)):
        values[at] = 0.9 * values[at - 1] + shocks[at]

    def covered(size: int) -> float:
        found = batch_means(values, size)
        return float(((found.low <= 0.0) & (found.high >= 0.0)).mean())

    assert 0.88 <= covered(100) <= 1.0
    assert covered(1) < 0.6


def test_few_batches_have_no_interval() -> None:
    found = batch_means(np.arange(8.0), 2)
    assert found.n_batches == 4
    assert np.isnan(found.low)
    assert found.mean == 3.5


def test_bad_settings_are_refused() -> None:
    with pytest.raises(DataError, match="no values"):
        batch_means(np.empty((0, 2)), 1)
    with pytest.raises(ParameterError, match="at least one value"):
        batch_means(np.ones(3), 0)
    with pytest.raises(ParameterError, match="level"):
        batch_means(np.ones(3), 1, level=1.0)
