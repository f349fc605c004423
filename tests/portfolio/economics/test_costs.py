import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.core.statistics import annual_sharpe
from regime_nas_pipeline.portfolio.backtest import run_backtest
from regime_nas_pipeline.portfolio.economics.costs import (
    break_even_costs,
    net_returns_at,
    sharpe_by_cost,
)
from regime_nas_pipeline.portfolio.economics.trades import asset_trades, traded_notional

SETTING = {"bars_per_year": 252, "risk_free": 0.03}


def _paths(seed: int, bars: int = 120) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Gross returns and notional: `busy` leads and trades, `equal_weight` does not trade."""
    generator = np.random.default_rng(seed)
    dates = pd.bdate_range("2022-01-03", periods=bars, name="date")
    noise = generator.normal(0, 0.01, (bars, 3))
    gross = pd.DataFrame(noise, index=dates, columns=["busy", "slow", "equal_weight"])
    gross = gross - gross.mean() + np.array([0.002, -0.001, 0.0005])
    notional = pd.DataFrame(0.0, index=dates, columns=gross.columns)
    notional.loc[dates[::5], "busy"] = generator.uniform(0.5, 2.0, len(dates[::5]))
    notional.loc[dates[0], ["slow", "equal_weight"]] = 1.0
    return gross, notional


@pytest.mark.parametrize("cost_bps", [0.0, 5.0, 137.5])
def test_curve_is_what_the_evaluation_gives_at_that_cost(cost_bps, results, returns, rerun):
    dates = results.returns.index
    trades = asset_trades(results.weights, results.decisions, returns, dates)
    gross = results.gross_returns
    notional = traded_notional(trades, dates, list(gross.columns))
    again = rerun(cost_bps)
    net = net_returns_at(gross, notional, cost_bps)
    np.testing.assert_allclose(net, again.returns, rtol=0, atol=1e-12)
    curve = sharpe_by_cost(gross, notional, [cost_bps], **SETTING).set_index("strategy")
    for name, figures in again.figures.items():
        assert curve.loc[name, "sharpe"] == pytest.approx(figures["sharpe"], rel=1e-12, abs=1e-12)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), cost=st.floats(0.0, 1000.0))
def test_curve_is_the_sharpe_ratio_of_a_backtest_run_again(seed, cost):
    generator = np.random.default_rng(seed)
    dates = pd.bdate_range("2022-01-03", periods=60, name="date")
    moves = pd.DataFrame(generator.normal(0, 0.02, (60, 3)), index=dates, columns=list("ABC"))
    targets = pd.DataFrame(
        generator.dirichlet(np.ones(3), 10), index=dates[:50:5], columns=list("ABC")
    )
    free = run_backtest(moves, targets, execution_lag=1, cost_bps=0.0)
    paid = run_backtest(moves, targets, execution_lag=1, cost_bps=cost)
    traded = free.rebalances["traded"].reindex(free.gross.index).fillna(0.0)
    gross, notional = free.gross.to_frame("s"), traded.to_frame("s")
    np.testing.assert_allclose(net_returns_at(gross, notional, cost)["s"], paid.net, atol=1e-12)
    found = sharpe_by_cost(gross, notional, [0.0, cost], **SETTING)
    assert list(found["cost_bps"]) == [0.0, cost]
    for value, path in zip(found["sharpe"], (free.net, paid.net), strict=True):
        assert value == pytest.approx(annual_sharpe(path, **SETTING), rel=1e-12, abs=1e-12)


def test_two_strategies_meet_at_the_cost_that_breaks_even():
    gross, notional = _paths(0)
    found = break_even_costs(gross, notional, **SETTING).set_index("strategy")
    assert list(found.index) == ["busy", "slow"]
    cost = found.loc["busy", "break_even_bps"]
    assert 1.0 < cost < 500.0
    assert found.loc["busy", "reason"] == ""

    def lead(bps: float) -> float:
        net = net_returns_at(gross, notional, bps)
        ratios = [annual_sharpe(net[name], **SETTING) for name in ("busy", "equal_weight")]
        return ratios[0] - ratios[1]

    assert lead(cost) == pytest.approx(0.0, abs=1e-9)
    assert lead(cost - 0.5) > 0.0 > lead(cost + 0.5)
    assert found.loc["busy", "lead_without_costs"] == pytest.approx(lead(0.0), rel=1e-12)


def test_why_there_is_no_break_even_cost():
    gross, notional = _paths(0)
    found = break_even_costs(gross, notional, max_cost_bps=2.0, **SETTING)
    found = found.set_index("strategy")
    assert found["break_even_bps"].isna().all()
    assert found.loc["busy", "reason"] == "it still leads equal_weight at 2 basis points"
    assert found.loc["slow", "reason"] == "it does not lead equal_weight even without costs"
    still = gross.assign(busy=0.001)
    idle = notional.assign(busy=0.0)
    reason = break_even_costs(still, idle, **SETTING).set_index("strategy")["reason"]
    assert "does not move" in reason["busy"]
    assert sharpe_by_cost(still, idle, [5.0], **SETTING)["sharpe"].isna().to_list() == [
        True,
        False,
        False,
    ]


def test_one_bar_has_no_sharpe_ratio():
    gross, notional = _paths(0, bars=1)
    assert sharpe_by_cost(gross, notional, [0.0, 5.0], **SETTING)["sharpe"].isna().all()


def test_refusals():
    gross, notional = _paths(0)
    with pytest.raises(ParameterError, match="'other' is not one of"):
        break_even_costs(gross, notional, reference="other", **SETTING)
    with pytest.raises(ParameterError, match="step_bps must be positive"):
        break_even_costs(gross, notional, step_bps=0.0, **SETTING)
    with pytest.raises(ParameterError, match="takes all wealth"):
        break_even_costs(gross, notional, max_cost_bps=9000.0, **SETTING)
    with pytest.raises(ParameterError, match="is negative"):
        sharpe_by_cost(gross, notional, [5.0, -1.0], **SETTING)
    with pytest.raises(DataError, match="same dates and strategies"):
        net_returns_at(gross, notional.iloc[1:], 5.0)
    with pytest.raises(DataError, match="not usable"):
        net_returns_at(gross.replace(gross.iloc[3, 1], np.nan), notional, 5.0)
    with pytest.raises(DataError, match="must be known and not negative"):
        net_returns_at(gross, -notional, 5.0)
