import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.portfolio.economics.exposures import (
    benchmark_regressions,
    group_exposures,
    newey_west_lags,
)

SETTING = {"bars_per_year": 252, "risk_free": 0.02}
RATE = 1.02 ** (1 / 252) - 1


def test_groups_by_hand():
    contributions = pd.DataFrame(
        [
            ("s", "A", 0.2, 0.10),
            ("s", "B", 0.3, 0.20),
            ("s", "C", 0.1, 0.50),
            ("s", "D", 0.3, 0.00),
            ("t", "A", 1.0, -0.4),
        ],
        columns=["strategy", "asset", "mean_weight", "contribution"],
    )
    groups = {"A": "tech", "B": "tech", "D": "banks", "Z": "energy"}
    found = group_exposures(contributions, groups)
    assert found[["strategy", "group", "n_assets"]].to_numpy().tolist() == [
        ["s", "tech", 2],
        ["s", "banks", 1],
        ["s", "other", 1],
        ["t", "tech", 1],
    ]
    np.testing.assert_allclose(found["mean_weight"], [0.5, 0.3, 0.1, 1.0])
    np.testing.assert_allclose(found["contribution"], [0.3, 0.0, 0.5, -0.4])
    np.testing.assert_allclose(found["return_share"], [0.375, 0.0, 0.625, np.nan])
    with pytest.raises(ParameterError, match="'other'"):
        group_exposures(contributions, {"A": "other"})


def test_groups_of_an_evaluation_add_up_to_its_gross_returns(results):
    found = group_exposures(results.contributions, {"A00": "x", "A01": "x", "A05": "y"})
    added = found.groupby("strategy")["contribution"].sum()
    for strategy, gross in results.gross_returns.sum().items():
        assert added[strategy] == pytest.approx(gross, abs=1e-12)
    assert (found["n_assets"][found["strategy"] == "equal_weight"].sum()) == 6


def _long_run_errors(y: np.ndarray, x: np.ndarray, lags: int) -> tuple[np.ndarray, np.ndarray]:
    """Least squares and Newey-West errors from their definition, observation by observation."""
    n = len(y)
    design = np.column_stack([np.ones(n), x])
    bread = np.linalg.inv(design.T @ design)
    params = bread @ design.T @ y
    scores = design * (y - design @ params)[:, None]
    meat = np.zeros((2, 2))
    for i in range(n):
        for j in range(max(0, i - lags), min(n, i + lags + 1)):
            meat += (1 - abs(i - j) / (lags + 1)) * np.outer(scores[i], scores[j])
    covariance = bread @ meat @ bread * n / (n - 2)
    return params, np.sqrt(np.diag(covariance))


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 10_000), lags=st.integers(0, 4))
def test_regression_is_newey_west_written_out(seed, lags):
    generator = np.random.default_rng(seed)
    bench, noise = generator.normal(0.0004, 0.01, (2, 80))
    table = pd.DataFrame({"s": 0.7 * bench + 0.0002 + noise, "buy_and_hold": bench})
    [row] = benchmark_regressions(table, benchmarks=["buy_and_hold"], lags=lags, **SETTING).to_dict(
        "records"
    )
    params, errors = _long_run_errors(table["s"].to_numpy() - RATE, bench - RATE, lags)
    assert row["beta"] == pytest.approx(params[1], rel=1e-9)
    assert row["alpha"] == pytest.approx(params[0] * 252, rel=1e-9, abs=1e-12)
    assert row["beta_error"] == pytest.approx(errors[1], rel=1e-9)
    assert row["alpha_error"] == pytest.approx(errors[0] * 252, rel=1e-9)
    assert row["alpha_t"] == pytest.approx(params[0] / errors[0], rel=1e-9, abs=1e-9)
    assert row["r_squared"] == pytest.approx(np.corrcoef(table["s"], bench)[0, 1] ** 2, rel=1e-9)


def test_half_in_the_benchmark_and_half_at_the_risk_free_rate():
    bench = np.random.default_rng(0).normal(0.0004, 0.01, 300)
    table = pd.DataFrame({"half": 0.5 * bench + 0.5 * RATE, "buy_and_hold": bench})
    table["equal_weight"] = 0.0001  # never moves
    found = benchmark_regressions(table, **SETTING)
    found = found.set_index(["benchmark", "strategy"])
    half = found.loc[("buy_and_hold", "half")]
    assert half["beta"] == pytest.approx(0.5, rel=1e-12)
    assert half["alpha"] == pytest.approx(0.0, abs=1e-12)
    assert half["r_squared"] == pytest.approx(1.0, rel=1e-12)
    assert np.isnan(half["alpha_t"])  # no residual, so nothing to judge by
    still = found.loc[("buy_and_hold", "equal_weight")]
    assert still["reason"] == "the strategy's returns do not move"
    assert np.isnan(still["beta"])
    against = found.loc[("equal_weight", "half")]
    assert against["reason"] == "the benchmark's returns do not move"
    assert (found["n"] == 300).all()
    assert (found["lags"] == newey_west_lags(300)).all()


@pytest.mark.parametrize(("n", "lags"), [(10, 2), (100, 4), (2010, 7)])
def test_lags_grow_slowly(n, lags):
    assert newey_west_lags(n) == lags


def test_refusals():
    table = pd.DataFrame(np.full((10, 2), 0.01), columns=["s", "buy_and_hold"])
    with pytest.raises(ParameterError, match="'equal_weight' is not one of"):
        benchmark_regressions(table, **SETTING)
    chosen = {"benchmarks": ["buy_and_hold"], **SETTING}
    with pytest.raises(DataError, match="at least 4 bars"):
        benchmark_regressions(table.iloc[:3], **chosen)
    with pytest.raises(ParameterError, match="lags must be"):
        benchmark_regressions(table, lags=10, **chosen)
    with pytest.raises(DataError, match="not usable"):
        benchmark_regressions(table.assign(s=np.nan), **chosen)
