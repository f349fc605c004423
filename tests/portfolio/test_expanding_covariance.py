import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.portfolio.covariance import horizon_covariance
from regime_nas_pipeline.portfolio.expanding_covariance import BLOCK, ExpandingCovariance

HORIZON = 21
NAMES = list("abcdefgh")


def _returns(rows: int = 700, assets: int = 6, seed: int = 0, mean: float = 3e-4) -> np.ndarray:
    rng = np.random.default_rng(seed)
    common = rng.standard_t(4, size=(rows, 1))
    moves = 0.6 * common + rng.standard_t(4, size=(rows, assets))
    return mean + 0.01 * moves * rng.uniform(0.3, 3.0, assets)


def _assert_same(found: np.ndarray, returns: np.ndarray) -> None:
    """The same numbers as scikit-learn's Ledoit-Wolf on all bars, relative to the largest."""
    recomputed = horizon_covariance(returns, HORIZON)
    np.testing.assert_allclose(found, recomputed, rtol=0.0, atol=1e-12 * np.abs(recomputed).max())


@settings(max_examples=40, deadline=None)
@given(data=st.data(), seed=st.integers(0, 10_000), mean=st.sampled_from([0.0, 3e-4, 0.02]))
def test_updated_numbers_are_those_of_all_bars(data, seed, mean):
    returns = _returns(seed=seed, mean=mean)
    rng = np.random.default_rng(seed)
    returns[: rng.integers(0, 250), 1] = np.nan  # listed later
    returns[rng.integers(0, 700, 30), rng.integers(0, 6, 30)] = np.nan
    expanding = ExpandingCovariance(returns, NAMES)
    # Dates in any order and universes that come and go.
    for _ in range(4):
        rows = data.draw(st.integers(320, 700))
        chosen = data.draw(st.sets(st.integers(0, 5), min_size=1))
        columns = np.array(sorted(chosen))
        found = expanding.until(rows, columns, HORIZON)
        _assert_same(found, returns[:rows, columns])
        np.testing.assert_array_equal(found, found.T)


@settings(max_examples=25, deadline=None)
@given(earlier=st.lists(st.integers(30, 600), max_size=5), rows=st.integers(30, 700))
def test_earlier_questions_change_no_bit(earlier, rows):
    returns, columns = _returns(), np.arange(6)
    asked = ExpandingCovariance(returns, NAMES)
    for first in earlier:
        asked.until(first, columns, HORIZON)
    alone = ExpandingCovariance(returns, NAMES).until(rows, columns, HORIZON)
    np.testing.assert_array_equal(asked.until(rows, columns, HORIZON), alone)


@pytest.mark.parametrize("rows", [BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK])
def test_later_bars_change_no_bit(rows):
    returns, columns = _returns(), np.array([0, 2, 5])
    other = returns.copy()
    other[rows:] = np.nan
    cut = returns[:rows]
    found = [
        ExpandingCovariance(table, NAMES).until(rows, columns, HORIZON)
        for table in (returns, other, cut)
    ]
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_uncorrelated_bars_of_equal_size_shrink_to_the_mean_variance():
    # Every asset moves alone, by ±1, equally often: the covariance is the identity over n.
    returns = np.tile(np.vstack([np.eye(4), -np.eye(4)]), (10, 1))
    found = ExpandingCovariance(returns, NAMES).until(80, np.arange(4), 1)
    np.testing.assert_allclose(found, np.eye(4) / 4, atol=1e-15)


def test_is_positive_definite_with_more_assets_than_bars():
    returns = _returns(rows=25, assets=40)
    found = ExpandingCovariance(returns, list(map(str, range(40)))).until(25, np.arange(40), 1)
    assert np.linalg.eigvalsh(found).min() > 0.0


def test_too_few_common_bars_name_the_asset_to_blame():
    returns = _returns()
    returns[:300, 2] = np.nan
    expanding = ExpandingCovariance(returns, NAMES)
    with pytest.raises(DataError, match=r"asset 'c': only 19 bars .* all 3 assets"):
        expanding.until(319, np.array([1, 2, 4]), HORIZON)
    assert expanding.until(320, np.array([1, 2, 4]), HORIZON).shape == (3, 3)


def test_an_asset_that_never_moves_is_named():
    returns = _returns()
    returns[:400, 3] = 0.0
    expanding = ExpandingCovariance(returns, NAMES)
    with pytest.raises(DataError, match=r"asset 'd': the price never moves"):
        expanding.until(400, np.array([0, 3]), HORIZON)
    _assert_same(expanding.until(401, np.array([0, 3]), HORIZON), returns[:401, [0, 3]])


def test_a_horizon_of_no_bars_is_an_error():
    with pytest.raises(ParameterError, match="horizon"):
        ExpandingCovariance(_returns(), NAMES).until(100, np.arange(2), 0)
