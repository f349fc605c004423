import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.verdict.trials import effective_trials


def _groups(
    sizes: list[int], correlation: float, *, n: int = 500, seed: int = 0, common: float = 0.0
) -> pd.DataFrame:
    """Trials that share a driver within each group, and a part of it with all the others."""
    rng = np.random.default_rng(seed)
    everyone = rng.normal(size=n)
    columns = {}
    for group, size in enumerate(sizes):
        driver = common**0.5 * everyone + (1 - common) ** 0.5 * rng.normal(size=n)
        for member in range(size):
            own = rng.normal(size=n)
            columns[f"g{group}m{member}"] = 0.0003 + 0.01 * (
                correlation**0.5 * driver + (1 - correlation) ** 0.5 * own
            )
    return pd.DataFrame(columns, index=pd.bdate_range("2015-01-01", periods=n))


def _partition(clusters: pd.Series) -> set[frozenset[str]]:
    return {frozenset(names.index) for _, names in clusters.groupby(clusters)}


@pytest.mark.parametrize("n", [60, 500])
@pytest.mark.parametrize("common", [0.0, 0.5])
@pytest.mark.parametrize("sizes", [[10], [6, 6], [2, 5, 8], [4] * 7, [1, 3, 1, 4]])
def test_groups_of_strongly_correlated_series_are_found(sizes, common, n):
    returns = _groups(sizes, 0.95, n=n, common=common)
    result = effective_trials(returns)
    assert result.n_effective == len(sizes)
    assert result.n_trials == sum(sizes)
    by_name = {frozenset(c for c in returns if c.startswith(f"g{g}m")) for g in range(len(sizes))}
    assert _partition(result.clusters) == by_name


@pytest.mark.parametrize(("n_trials", "n"), [(2, 300), (3, 300), (40, 100), (40, 1000), (100, 500)])
def test_independent_series_are_as_many_as_there_are(n_trials, n):
    result = effective_trials(_groups([1] * n_trials, 0.0, n=n))
    assert 0.9 * n_trials <= result.n_effective <= n_trials


def test_a_group_among_many_independent_series_is_seen():
    result = effective_trials(_groups([5] + [1] * 35, 0.9))
    assert result.n_effective == 36
    assert set(result.clusters.iloc[:5]) == {0}


def test_loosely_related_series_count_as_something_in_between():
    # Without structure the count is M² ÷ the sum of squared correlations: here 30/(1 + 29 ρ²).
    counts = [
        effective_trials(_groups([30], rho, n=2000)).n_effective for rho in (0.1, 0.3, 0.5, 0.7)
    ]
    for count, rho in zip(counts, (0.1, 0.3, 0.5, 0.7), strict=True):
        assert count == pytest.approx(30 / (1 + 29 * rho**2), rel=0.15, abs=1)
    assert counts == sorted(counts, reverse=True)


def test_opposites_are_different_trials():
    rng = np.random.default_rng(4)
    one = rng.normal(0, 0.01, 400)
    assert effective_trials(pd.DataFrame({"long": one, "short": -one})).n_effective == 2


def test_one_series_is_one_trial():
    result = effective_trials(_groups([1], 0.0))
    assert (result.n_trials, result.n_effective, result.variance) == (1, 1, 0.0)
    assert result.clusters.tolist() == [0]


@pytest.mark.parametrize("sizes", [[1], [5], [1, 1, 1, 1], [3, 4, 1]])
def test_identical_copies_and_leverage_change_nothing(sizes):
    returns = _groups(sizes, 0.9)
    first = returns.columns[0]
    more = returns.assign(copy=returns[first], again=returns[first], twofold=2 * returns[first])
    before, after = effective_trials(returns), effective_trials(more)
    assert after.n_trials == before.n_trials + 3
    assert after.n_effective == before.n_effective
    assert after.variance == pytest.approx(before.variance, rel=1e-12)
    assert (after.clusters[["copy", "again", "twofold"]] == after.clusters[first]).all()
    pd.testing.assert_series_equal(after.clusters[returns.columns], before.clusters)


def test_clusters_are_valued_as_inverse_variance_portfolios():
    returns = _groups([3, 2], 0.95) * np.array([1.0, 2.0, 0.5, 1.0, 3.0])
    result = effective_trials(returns, risk_free_per_bar=0.0001)
    ratios = []
    for names in (returns.columns[:3], returns.columns[3:]):
        weights = 1 / returns[names].var()
        portfolio = ((returns[names] - 0.0001) * (weights / weights.sum())).sum(axis=1)
        ratios.append(portfolio.mean() / portfolio.std())
    np.testing.assert_allclose(result.cluster_sharpes, ratios, rtol=1e-10)
    assert result.variance == pytest.approx(0.5 * (ratios[0] - ratios[1]) ** 2, rel=1e-10)


def test_the_variance_of_skill_less_independent_trials_is_that_of_their_estimates():
    variance = effective_trials(_groups([1] * 200, 0.0, n=1000) - 0.0003).variance
    # An estimated ratio of zero has variance 1/T; that of 200 has a relative error of 10 %.
    assert variance == pytest.approx(1 / 1000, rel=0.3)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=5),
    st.floats(0.0, 0.97),
    st.integers(0, 10_000),
)
def test_the_count_is_possible_and_does_not_depend_on_order_or_scale(sizes, correlation, seed):
    returns = _groups(sizes, correlation, n=80, seed=seed)
    result = effective_trials(returns)
    assert 1 <= result.n_effective <= returns.shape[1]
    assert result.clusters.nunique() == result.n_effective == len(result.cluster_sharpes)
    assert result.clusters.drop_duplicates().tolist() == list(range(result.n_effective))
    order = np.random.default_rng(seed).permutation(returns.columns)
    scale = np.random.default_rng(seed).uniform(0.2, 3.0, returns.shape[1])
    shuffled = effective_trials((returns * scale)[order])
    assert _partition(shuffled.clusters) == _partition(result.clusters)


def test_the_same_trials_give_the_same_bits():
    returns = _groups([4, 3, 1, 1, 1], 0.7)
    first, second = effective_trials(returns), effective_trials(returns.copy())
    assert first.variance == second.variance
    assert first.clusters.equals(second.clusters)


def test_unusable_trials_are_errors_that_name_them():
    returns = _groups([2, 2], 0.9)
    with pytest.raises(DataError, match=r"'g0m1'.*every return is 0\.0"):
        effective_trials(returns.assign(g0m1=0.0))
    with pytest.raises(DataError, match=r"'g1m0', date 2015-01-01"):
        effective_trials(returns.assign(g1m0=returns["g1m0"].where(returns.index > "2015-01-05")))
    with pytest.raises(DataError, match=r"'g0m0'.*more than one trial"):
        effective_trials(pd.concat([returns, returns[["g0m0"]]], axis=1))
    with pytest.raises(DataError, match="no trial"):
        effective_trials(returns[[]])
    with pytest.raises(DataError, match="at least 3 bars"):
        effective_trials(returns.iloc[:2])
