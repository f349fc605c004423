from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.portfolio.backtest import Backtest, run_backtest
from regime_nas_pipeline.portfolio.exposure.engine import Terms, run_exposure
from regime_nas_pipeline.portfolio.exposure.overlay import overlay

DAYS = pd.date_range("2020-01-01", periods=12, name="date")


@pytest.fixture
def returns() -> pd.DataFrame:
    values = np.random.default_rng(2).normal(0.0, 0.03, (12, 3))
    values[0] = np.nan
    values[8:, 2] = np.nan  # the third asset ends while it is held
    return pd.DataFrame(values, index=DAYS, columns=["A", "B", "C"])


@pytest.fixture
def base(returns: pd.DataFrame) -> Backtest:
    targets = pd.DataFrame(
        [[0.5, 0.3, 0.2], [0.1, 0.6, 0.3], [0.9, 0.1, 0.0]],
        index=DAYS[[1, 4, 8]],
        columns=["A", "B", "C"],
    )
    return run_backtest(returns, targets, execution_lag=1, cost_bps=10.0)


def test_an_exposure_of_one_changes_nothing_to_the_bit(
    returns: pd.DataFrame, base: Backtest
) -> None:
    ones = pd.Series(1.0, index=DAYS)
    scaled = overlay(returns, base, ones, execution_lag=1, cost_bps=10.0)
    pd.testing.assert_series_equal(scaled.net, base.net, check_exact=True, check_freq=False)
    pd.testing.assert_frame_equal(scaled.weights, base.weights, check_exact=True, check_freq=False)
    assert scaled.rebalances["traded"].sum() == base.rebalances["traded"].sum()


def test_an_exposure_of_zero_is_idle_cash(returns: pd.DataFrame, base: Backtest) -> None:
    scaled = overlay(returns, base, pd.Series(0.0, index=DAYS), execution_lag=0, cost_bps=10.0)
    assert not scaled.net.to_numpy().any()
    assert not scaled.weights.to_numpy().any()


def test_weights_are_scaled_with_the_lag_and_costs_reckoned_anew(
    returns: pd.DataFrame, base: Backtest
) -> None:
    exposure = pd.Series(np.linspace(0.2, 1.0, 12), index=DAYS)
    scaled = overlay(returns, base, exposure, execution_lag=1, cost_bps=10.0)
    expected = base.weights.mul(exposure.shift(2).loc[base.weights.index], axis=0)
    pd.testing.assert_frame_equal(scaled.weights, expected, check_freq=False)
    drifted = np.zeros(3)
    for date, weights in scaled.weights.iterrows():
        cost = 0.001 * np.abs(weights.to_numpy() - drifted).sum()
        moves = returns.loc[date].fillna(0.0).to_numpy()
        gross = float(weights.to_numpy() @ moves)
        assert scaled.net[date] == pytest.approx((1 - cost) * (1 + gross) - 1, abs=1e-15)
        ended = returns.loc[date].isna().to_numpy()
        drifted = np.where(ended, 0.0, weights.to_numpy() * (1 + moves) / (1 + gross))


def test_of_one_asset_it_is_the_engine_without_interest(returns: pd.DataFrame) -> None:
    one = returns[["A"]]
    targets = pd.DataFrame({"A": [1.0]}, index=DAYS[:1])
    base = run_backtest(one, targets, execution_lag=1, cost_bps=10.0)
    exposure = pd.Series(np.random.default_rng(4).uniform(0, 1, 12), index=DAYS)
    scaled = overlay(one, base, exposure, execution_lag=1, cost_bps=10.0)
    path = run_exposure(returns["A"], exposure, Terms(1, 10.0))
    np.testing.assert_allclose(scaled.net, path.net, rtol=0, atol=1e-15)


def test_the_past_does_not_depend_on_later_exposures(returns: pd.DataFrame, base: Backtest) -> None:
    exposure = pd.Series(np.linspace(0.2, 1.0, 12), index=DAYS)
    before = overlay(returns, base, exposure, execution_lag=1, cost_bps=10.0)
    exposure.iloc[7:] = 0.4
    after = overlay(returns, base, exposure, execution_lag=1, cost_bps=10.0)
    # Decided on bar 7, traded on bar 8, earned by bar 9.
    same = before.net.index < DAYS[9]
    assert before.net[same].tolist() == after.net[same].tolist()
    assert before.net[DAYS[9]] != after.net[DAYS[9]]


def test_what_an_overlay_cannot_do_is_refused(returns: pd.DataFrame, base: Backtest) -> None:
    ones = pd.Series(1.0, index=DAYS)
    settings = {"execution_lag": 1, "cost_bps": 10.0}
    with pytest.raises(DataError, match=r"date 2020-01-06.*has 1\.5.*2020-01-08"):
        overlay(returns, base, ones.where(ones.index != DAYS[5], 1.5), **settings)
    with pytest.raises(DataError, match="has nan"):
        overlay(returns, base, ones.iloc[:6], **settings)
    with pytest.raises(DataError, match="has nan"):
        overlay(returns, base, ones, execution_lag=5, cost_bps=10.0)
    with pytest.raises(DataError, match="no returns"):
        overlay(returns.iloc[5:], base, ones, **settings)
    with pytest.raises(ParameterError, match="execution_lag"):
        overlay(returns, base, ones, execution_lag=-1, cost_bps=10.0)
