import numpy as np
import pandas as pd
import pytest
from arch.bootstrap import SPA
from scipy.stats import binom

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.verdict.comparison.superior import COLUMNS, superior_strategies


def _returns(seed: int, n: int = 500, k: int = 5, **drift: float) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    market = rng.normal(0.0003, 0.01, n)
    names = [f"s{i}" for i in range(k)]
    values = market[:, None] + rng.normal(0.0, 0.005, (n, k))
    frame = pd.DataFrame(values, pd.bdate_range("2015-01-01", periods=n), names)
    return frame + pd.Series(drift, dtype=float).reindex(names).fillna(0.0)


def _rows(table: pd.DataFrame) -> pd.DataFrame:
    return table.set_index("subject")


@pytest.mark.parametrize("measure", ["mean", "sharpe"])
def test_a_planted_superior_strategy_is_found_alone(measure):
    table = superior_strategies(_returns(0, s3=0.0015), "s0", measure=measure, n_resamples=400)
    rows = _rows(table)
    assert list(table.columns) == list(COLUMNS)
    assert rows["beats"].fillna(False).tolist() == [False, False, False, True, False]
    assert rows["in_confidence_set"].tolist() == [False, False, False, True, False]
    assert rows["p_confidence_set"]["s3"] == 1.0
    assert (table["p_spa"] == 1 / 401).all()
    assert (table["note"] == "").all()


def test_what_the_benchmark_row_says():
    table = superior_strategies(_returns(0, s3=0.0015), "s3", n_resamples=200)
    rows = _rows(table)
    assert pd.isna(rows["beats"]["s3"])
    assert np.isnan(rows["difference"]["s3"])
    assert rows["in_confidence_set"]["s3"]
    assert not rows["beats"].fillna(False).any()
    assert table["p_spa"].iloc[0] > 0.5


def test_the_difference_is_that_of_means_or_of_sharpe_ratios():
    returns = _returns(1)
    mean = _rows(superior_strategies(returns, "s0", n_resamples=50))["difference"]
    np.testing.assert_allclose(
        mean.iloc[1:], (returns.mean() - returns["s0"].mean()).iloc[1:], rtol=1e-9
    )
    ratio = (returns.mean() - 0.0001) / returns.std()
    table = superior_strategies(
        returns, "s0", measure="sharpe", risk_free_per_bar=0.0001, n_resamples=50
    )
    np.testing.assert_allclose(
        _rows(table)["difference"].iloc[1:], (ratio - ratio["s0"]).iloc[1:], rtol=1e-9
    )


def test_the_p_value_is_archs_for_a_single_strategy():
    returns = _returns(2, k=2, s1=0.0003)
    table = superior_strategies(returns, "s0", block_length=4, n_resamples=300, seed=9)
    # Dividing one column by its standard error changes no comparison; losses are -returns.
    test = SPA(-returns["s0"], -returns[["s1"]], block_size=4, reps=300, seed=9)
    test.compute()
    for name in ("lower", "upper"):
        expected = (test.pvalues[name] * 300 + 1) / 301
        assert table[f"p_spa_{name}"].iloc[0] == pytest.approx(expected, abs=1e-12)
    assert table["p_spa_lower"].iloc[0] <= table["p_spa"].iloc[0] <= table["p_spa_upper"].iloc[0]


def test_with_nothing_superior_p_values_are_about_uniform():
    p_values = [
        superior_strategies(
            _returns(seed, n=120, k=4), "s0", block_length=1, n_resamples=99, seed=seed
        )["p_spa_upper"].iloc[0]
        for seed in range(120)
    ]
    for level in (0.1, 0.5, 0.9):
        low, high = binom.ppf([0.001, 0.999], 120, level) + np.array([-0.05, 0.05]) * 120
        assert low <= (np.array(p_values) <= level).sum() <= high


def test_noisy_strategies_do_not_drown_a_steady_edge():
    returns = _returns(3, s1=0.0018)
    noise = np.random.default_rng(0).normal(0.0, 0.2, (len(returns), 10))
    wild = pd.DataFrame(noise, returns.index, [f"wild{i}" for i in range(10)])
    table = superior_strategies(returns[["s0", "s1"]].join(wild), "s0", n_resamples=300)
    assert _rows(table)["beats"]["s1"]
    # Not divided by standard errors, the largest mean is that of noise.
    others = returns[["s1"]].join(wild)
    test = SPA(-returns["s0"], -others, reps=300, block_size=2, seed=0)
    test.compute()
    assert test.pvalues["consistent"] > 0.2


def test_all_strategies_superior_one_after_the_other_is_no_failure():
    """Without a last column that never wins, arch takes a maximum over no column here."""
    returns = _returns(4, n=800, k=3, s1=0.004, s2=0.0)
    returns["s2"] = returns["s0"] + np.random.default_rng(1).normal(0.004, 0.04, 800)
    found = False
    for level in np.linspace(0.001, 0.3, 12):
        table = superior_strategies(returns, "s0", level=float(level), n_resamples=100)
        assert (table["note"] == "").all()
        found |= bool(_rows(table)["beats"].iloc[1:].all())
    assert found


def test_duplicates_and_fixed_distances_get_reasons_not_numbers():
    returns = _returns(5, s1=0.001)
    returns["twin"] = returns["s0"]
    returns["copy"] = returns["s1"]
    returns["fee"] = returns["s0"] - 0.0002
    rows = _rows(superior_strategies(returns, "s0", n_resamples=200))
    assert pd.isna(rows["beats"]["twin"])
    assert "the same as s0" in rows["note"]["twin"]
    assert rows["in_confidence_set"]["twin"] == rows["in_confidence_set"]["s0"]
    assert rows["beats"]["copy"] == rows["beats"]["s1"]
    assert rows["p_confidence_set"]["copy"] == rows["p_confidence_set"]["s1"]
    assert pd.isna(rows["beats"]["fee"])
    assert np.isnan(rows["p_confidence_set"]["fee"])
    assert "always below s0" in rows["note"]["fee"]
    plain = _rows(superior_strategies(_returns(5, s1=0.001), "s0", n_resamples=200))
    for name in plain.index:
        assert rows["p_confidence_set"][name] == plain["p_confidence_set"][name]


def test_cash_has_a_mean_but_no_sharpe_ratio():
    returns = _returns(6).assign(cash=0.0)
    assert (superior_strategies(returns, "s0", n_resamples=50)["note"] == "").all()
    rows = _rows(superior_strategies(returns, "s0", measure="sharpe", n_resamples=50))
    assert "never moves" in rows["note"]["cash"]
    assert rows[["beats", "p_confidence_set", "difference"]].loc["cash"].isna().all()
    with pytest.raises(DataError, match="'cash'"):
        superior_strategies(returns, "cash", measure="sharpe")


def test_nothing_to_compare_is_said_in_the_notes():
    returns = _returns(7)[["s0"]].assign(twin=lambda frame: frame["s0"])
    table = superior_strategies(returns, "s0", n_resamples=50)
    assert table[["p_spa", "p_confidence_set", "beats"]].isna().all(axis=None)
    assert table["note"].str.contains("fewer than two different strategies").all()


def test_leverage_changes_nothing_between_sharpe_ratios():
    returns = _returns(8)
    before = superior_strategies(returns, "s0", measure="sharpe", n_resamples=100)
    after = superior_strategies(
        returns.assign(s2=2.0 * returns["s2"]), "s0", measure="sharpe", n_resamples=100
    )
    columns = ["p_spa", "p_confidence_set", "difference"]
    np.testing.assert_allclose(before[columns], after[columns], rtol=1e-9)


def test_the_same_seed_gives_the_same_table():
    first = superior_strategies(_returns(9), "s0", n_resamples=100, seed=3)
    second = superior_strategies(_returns(9), "s0", n_resamples=100, seed=3)
    pd.testing.assert_frame_equal(first, second)
    other = superior_strategies(_returns(9), "s0", n_resamples=100, seed=4)
    assert (first["p_confidence_set"] != other["p_confidence_set"]).any()


def test_unusable_input_is_an_error():
    returns = _returns(0)
    with pytest.raises(DataError, match="'bonds'"):
        superior_strategies(returns, "bonds")
    with pytest.raises(DataError, match="20 bars"):
        superior_strategies(returns.iloc[:20], "s0")
    with pytest.raises(ParameterError, match="measure"):
        superior_strategies(returns, "s0", measure="sortino")
    with pytest.raises(ParameterError, match="level"):
        superior_strategies(returns, "s0", level=1.0)
    with pytest.raises(ParameterError, match="n_resamples"):
        superior_strategies(returns, "s0", n_resamples=0)
    with pytest.raises(ParameterError, match="block_length"):
        superior_strategies(returns, "s0", block_length=51)


def test_differences_that_tie_to_the_last_bit_leave_the_confidence_set_blank():
    generator = np.random.default_rng(2)
    # Whole multiples of a power of two, so that one - middle and middle - two are the same number.
    own = generator.integers(-64, 64, size=(256, 2)) / 1024.0
    table = pd.DataFrame(own, columns=["one", "two"])
    table["middle"] = (table["one"] + table["two"]) / 2.0
    found = superior_strategies(table, "middle", n_resamples=49)
    assert found["p_spa"].notna().all()
    assert found["p_confidence_set"].isna().all()
    assert found["note"].str.contains("the confidence set failed").all()
