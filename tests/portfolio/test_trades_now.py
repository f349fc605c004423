from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.portfolio.backtest import run_backtest
from regime_nas_pipeline.portfolio.trades_now import (
    CASH,
    PLAN_COLUMNS,
    only_cash,
    plan_trades,
    value_holdings,
)

CLOSES = pd.Series({"AAA": 10.0, "BBB": 20.0, "CCC": 5.0, "DDD": np.nan})


def held(**amounts: float) -> pd.DataFrame:
    """Holdings in units; cash as money."""
    cash = amounts.pop(CASH, None)
    table = pd.DataFrame({"asset": list(amounts), "units": list(amounts.values()), "value": np.nan})
    return table if cash is None else pd.concat([table, only_cash(cash)], ignore_index=True)


def weights(**target: float) -> pd.Series[float]:
    return pd.Series(target, dtype=float)


def test_holdings_are_valued_at_the_last_close() -> None:
    positions = value_holdings(held(AAA=3, BBB=1, cash=50.0), CLOSES)
    assert positions.invested.to_dict() == {"AAA": 30.0, "BBB": 20.0, "CCC": 0.0, "DDD": 0.0}
    assert (positions.cash, positions.wealth) == (50.0, 100.0)
    money = pd.DataFrame({"asset": ["AAA"], "units": [np.nan], "value": [7.5]})
    assert value_holdings(money, CLOSES).wealth == 7.5


def test_trades_by_hand() -> None:
    positions = value_holdings(held(AAA=3, BBB=1, cash=50.0), CLOSES)
    target = weights(AAA=0.2, CCC=0.8)
    table, totals = plan_trades({"one": target}, positions, CLOSES, cost_bps=10.0)
    assert tuple(table.columns) == PLAN_COLUMNS
    assert table["asset"].tolist() == ["AAA", "BBB", "CCC"]
    np.testing.assert_allclose(table["current_weight"], [0.3, 0.2, 0.0])
    np.testing.assert_allclose(table["difference"], [-0.1, -0.2, 0.8])
    np.testing.assert_allclose(table["value"], [-10.0, -20.0, 80.0])
    np.testing.assert_allclose(table["units"], [-1.0, -1.0, 16.0])
    np.testing.assert_allclose(table["expected_cost"], [0.01, 0.02, 0.08])
    assert totals["one"] == pytest.approx(
        {
            "wealth": 100.0,
            "cash_before": 50.0,
            "cash_after": -0.11,
            "traded": 1.1,
            "turnover": 0.55,
            "expected_cost": 0.11,
        }
    )


def test_every_strategy_is_traded_from_the_same_holdings() -> None:
    positions = value_holdings(held(AAA=10), CLOSES)
    plans = {"stay": weights(AAA=1.0), "move": weights(BBB=1.0)}
    table, totals = plan_trades(plans, positions, CLOSES, cost_bps=5.0)
    assert table["strategy"].tolist() == ["stay", "move", "move"]
    assert totals["stay"]["traded"] == 0.0
    assert totals["move"]["turnover"] == 1.0


@settings(max_examples=50, deadline=None)
@given(
    units=st.lists(st.floats(0.0, 1e4), min_size=3, max_size=3),
    cash=st.floats(1.0, 1e6),
    parts=st.lists(st.floats(0.01, 1.0), min_size=3, max_size=3),
    bps=st.floats(0.0, 100.0),
)
def test_after_the_trades_the_targets_are_held_and_no_money_is_lost(
    units: list[float], cash: float, parts: list[float], bps: float
) -> None:
    names = ["AAA", "BBB", "CCC"]
    target = pd.Series(np.array(parts) / sum(parts), index=names)
    positions = value_holdings(held(**dict(zip(names, units, strict=True)), cash=cash), CLOSES)
    table, totals = plan_trades({"s": target}, positions, CLOSES, cost_bps=bps)
    traded = table.set_index("asset")["value"].reindex(names)
    after = positions.invested[names] + traded
    np.testing.assert_allclose(after, target * positions.wealth, rtol=1e-9, atol=1e-6)
    total = totals["s"]
    assert after.sum() + total["cash_after"] + total["expected_cost"] == pytest.approx(
        positions.wealth, rel=1e-9
    )


def test_turnover_and_cost_are_those_of_the_backtest() -> None:
    """Its second rebalance, from the weights that drifted to the bar of the trade."""
    closes = pd.DataFrame(
        {"AAA": [10.0, 10.0, 12.0, 12.0], "BBB": [20.0, 20.0, 18.0, 18.5]},
        index=pd.bdate_range("2024-01-01", periods=4),
    )
    target = pd.DataFrame({"AAA": [0.5, 0.9], "BBB": [0.5, 0.1]}, index=closes.index[[0, 2]])
    path = run_backtest(
        closes.pct_change(fill_method=None).fillna(0.0), target, execution_lag=0, cost_bps=20.0
    )
    second = path.rebalances.iloc[1]
    last = closes.iloc[2]
    positions = value_holdings(held(AAA=5 / 10, BBB=5 / 20), last)
    _, totals = plan_trades({"s": target.iloc[1]}, positions, last, cost_bps=20.0)
    assert totals["s"]["turnover"] == pytest.approx(second["turnover"], rel=1e-12)
    assert totals["s"]["expected_cost"] / positions.wealth == pytest.approx(
        second["cost"], rel=1e-12
    )


def test_what_cannot_be_valued_is_refused() -> None:
    with pytest.raises(DataError, match=r"mine\.csv, asset 'DDD': .*no price at the last bar"):
        value_holdings(held(AAA=1, DDD=1), CLOSES, source="mine.csv")
    assert value_holdings(held(AAA=1, DDD=0), CLOSES).wealth == 10.0
    with pytest.raises(DataError, match="nothing is held"):
        value_holdings(held(AAA=0), CLOSES)
