from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from guide_samples import LAG, decisions, one_asset

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.market.synthetic import random_walk_market
from regime_nas_pipeline.portfolio.exposure.engine import Terms
from regime_nas_pipeline.walkforward.guide_strategy import (
    asset_returns,
    break_even_costs,
    long_or_flat,
    threshold_curve,
)

MARKET = one_asset()
DATES = decisions(MARKET)
COST = 0.0007
TERMS = Terms(execution_lag=LAG, cost_bps=1e4 * COST)
SAID = pd.Series(np.random.default_rng(1).normal(0.0, 0.002, len(DATES)), index=DATES)


def foresight() -> pd.Series:
    """What every decision would have to know."""
    return pd.Series(MARKET.target(1, LAG)[:, 0], index=MARKET.dates).loc[DATES]


def by_hand(said: pd.Series, threshold: float, cost: float) -> np.ndarray:
    """Wealth bar by bar: trade at the close after the decision, earn the bar after that."""
    close = MARKET.close[:, 0]
    wealth, invested, path = 1.0, False, []
    for date, forecast in said.items():
        row = MARKET.position(pd.Timestamp(str(date)))
        wanted = forecast > threshold
        if wanted != invested:
            wealth *= 1.0 - cost
        invested = wanted
        if invested:
            wealth *= close[row + LAG + 1] / close[row + LAG]
        path.append(wealth)
    return np.array(path)


@pytest.mark.parametrize("threshold", [0.0, 0.001])
def test_wealth_is_that_of_the_trades(threshold: float) -> None:
    results = long_or_flat(MARKET, {"a": SAID}, TERMS, threshold)
    net = results.paths["a"].net
    np.testing.assert_allclose((1.0 + net).cumprod(), by_hand(SAID, threshold, COST), rtol=1e-12)
    held = (1.0 + results.paths["buy_and_hold"].net).cumprod()
    np.testing.assert_allclose(held, by_hand(SAID, -9.0, COST), rtol=1e-12)
    assert net.index[0] == MARKET.dates[MARKET.position(DATES[0]) + LAG + 1]
    assert net.index[-1] == MARKET.dates[-1]


def test_the_cost_that_breaks_even_is_that_of_equal_ends() -> None:
    (row,) = break_even_costs(MARKET, {"a": foresight()}, TERMS, 0.001).itertuples()
    cost = row.break_even_bps / 1e4
    assert 0.0 < cost < 0.05
    ends = [by_hand(foresight(), threshold, cost)[-1] for threshold in (0.001, -9.0)]
    assert ends[0] == pytest.approx(ends[1], rel=1e-9)
    assert row.trades == int((foresight() > 0.001).astype(int).diff().fillna(0).abs().sum()) + int(
        foresight().iloc[0] > 0.001
    )
    assert row.log_wealth == pytest.approx(np.log(by_hand(foresight(), 0.001, 0.0)[-1]))


def test_what_is_behind_without_costs_never_breaks_even() -> None:
    (row,) = break_even_costs(MARKET, {"a": -foresight()}, TERMS, 0.0).itertuples()
    assert row.log_wealth < row.log_wealth_held
    assert np.isnan(row.break_even_bps)


def test_the_curve_says_where_the_lead_changes_sides() -> None:
    thresholds = (-1.0, 0.0, 0.002, 0.004, 1.0)
    curve = threshold_curve(MARKET, {"b": foresight(), "a": SAID}, TERMS, thresholds)
    assert curve["model"].tolist() == ["a"] * 5 + ["b"] * 5
    own = curve[curve["model"] == "b"].set_index("threshold")
    assert own.loc[-1.0, "ahead"] == pytest.approx(0.0, abs=1e-12)
    assert own.loc[-1.0, "mean_exposure"] == 1.0
    assert own.loc[1.0, "mean_exposure"] == 0.0
    assert own.loc[0.0, "ahead"] > 0.0
    years = len(DATES) / 252
    held = by_hand(SAID, -9.0, COST)[-1] ** (1.0 / years)
    expected = by_hand(foresight(), 0.002, COST)[-1] ** (1.0 / years) - held
    assert own.loc[0.002, "ahead"] == pytest.approx(expected)
    # Nothing held at all: behind a market that rose, ahead of one that fell.
    assert own.loc[1.0, "ahead"] == pytest.approx(1.0 - held)
    sides = np.sign(own["ahead"].to_numpy()[1:])
    assert own["crosses"].tolist() == [False, False, *(np.diff(sides) != 0)]


def test_costs_and_cash_are_those_of_the_terms() -> None:
    free = long_or_flat(MARKET, {"a": SAID}, replace(TERMS, cost_bps=0.0), 0.0).paths["a"]
    paid = long_or_flat(MARKET, {"a": SAID}, replace(TERMS, cash_rate=0.05), 0.0).paths["a"]
    np.testing.assert_array_equal(free.bars["cost"], 0.0)
    np.testing.assert_allclose(free.bars["gross"], free.net, atol=1e-15)
    flat = paid.bars["exposure"] == 0.0
    np.testing.assert_allclose(paid.bars["interest"][flat], 1.05 ** (1 / 252) - 1.0)


def test_it_is_about_one_asset_and_needs_every_forecast() -> None:
    with pytest.raises(DataError, match="about one asset, and the market has 3"):
        asset_returns(random_walk_market(n_assets=3, n_bars=20, seed=0))
    gap = SAID.copy()
    gap.iloc[5] = np.nan
    with pytest.raises(DataError, match="exposure"):
        long_or_flat(MARKET, {"a": gap}, TERMS, 0.0)
