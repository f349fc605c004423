from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategy_runs import CAP, RULES

from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.forecasters.garch import GarchForecaster
from regime_nas_pipeline.forecasters.momentum import MomentumForecaster
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.market.synthetic import market_from_log_returns
from regime_nas_pipeline.portfolio.allocate import MaximumSharpe, MinimumVariance
from regime_nas_pipeline.walkforward.evaluation import run_strategies
from regime_nas_pipeline.walkforward.folds import Fold, make_folds
from regime_nas_pipeline.walkforward.forecasts import WalkForwardForecasts, walk_forward
from regime_nas_pipeline.walkforward.live import (
    FORECAST_COLUMNS,
    due,
    forecast_last_bar,
    targets_now,
)
from regime_nas_pipeline.walkforward.live_checkpoints import restore

FORECASTERS = {
    "momentum": MomentumForecaster(horizon=5, execution_lag=1, lookback=20),
    "garch": GarchForecaster(horizon=5, execution_lag=1, min_observations=100),
}


@pytest.fixture(scope="module")
def walks(market: Market, folds: list[Fold]) -> dict[str, WalkForwardForecasts]:
    return {
        name: walk_forward(each, market, folds, cache=PieceCache(None))
        for name, each in FORECASTERS.items()
    }


def live(
    walks: dict[str, WalkForwardForecasts], known: Market, volatility_from: str | None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    restored = {
        name: restore(name, walk.checkpoints, FORECASTERS[name], known)
        for name, walk in walks.items()
    }
    forecasts = forecast_last_bar(
        known, restored, horizon=RULES.horizon, volatility_from=volatility_from
    )
    targets = targets_now(
        known,
        forecasts,
        allocator=MaximumSharpe(CAP),
        minimum_variance=MinimumVariance(CAP),
        rules=RULES,
        volatility_from=volatility_from,
    )
    return forecasts, targets


@pytest.mark.parametrize("volatility_from", [None, "garch"])
def test_every_decision_is_the_one_that_the_evaluation_made(
    volatility_from: str | None,
    market: Market,
    folds: list[Fold],
    walks: dict[str, WalkForwardForecasts],
) -> None:
    results = run_strategies(
        market,
        folds,
        {name: walk.forecasts for name, walk in walks.items()},
        allocator=MaximumSharpe(CAP),
        minimum_variance=MinimumVariance(CAP),
        rules=RULES,
        volatility_from=volatility_from,
    )
    for date in (folds[0].decisions[0], folds[1].decisions[1], folds[-1].decisions[-1]):
        forecasts, targets = live(walks, market.until(date), volatility_from)
        for name, walk in walks.items():
            stored = walk.forecasts[walk.forecasts["date"] == date].set_index("asset")
            now = forecasts[forecasts["forecaster"] == name].set_index("asset")
            assert set(now.index[now["mean"].notna()]) == set(stored.index)
            for column in ("mean", "volatility"):
                np.testing.assert_array_equal(now.loc[stored.index, column], stored[column])
        log = results.decisions[results.decisions["date"] == date].set_index("strategy")
        weights = results.weights.set_index(["strategy", "date", "asset"])["weight"].sort_index()
        assert set(targets["strategy"]) == {*FORECASTERS, "equal_weight", "mvo_flat"}
        for name, wanted in targets.groupby("strategy"):
            assert set(wanted["asset"]) == set(market.assets)
            held = weights.loc[name, log.loc[name, "first_earned"]]
            now = wanted.set_index("asset")["weight"]
            np.testing.assert_array_equal(now[now > 0].sort_index(), held.sort_index())
            for column in ("fallback", "reason", "n_assets"):
                assert set(wanted[column]) == {log.loc[name, column]}


def test_the_table_says_what_may_be_traded_and_what_it_should_return(
    market: Market, walks: dict[str, WalkForwardForecasts]
) -> None:
    forecasts, _ = live(walks, market, None)
    assert tuple(forecasts.columns) == FORECAST_COLUMNS
    assert len(forecasts) == 2 * len(market.assets)
    assert set(forecasts["date"]) == {market.dates[-1]}
    untradable = forecasts[forecasts["asset"] == "A02"]  # its prices have ended
    assert not untradable["tradable"].any()
    assert untradable["mean"].isna().all()
    assert forecasts.loc[forecasts["asset"] != "A02", "tradable"].all()
    rescaled, _ = live(walks, market, "garch")
    garch = rescaled[(rescaled["forecaster"] == "garch") & rescaled["tradable"]]
    expected = np.exp(garch["mean"] + garch["volatility"] ** 2 / 2) - 1
    np.testing.assert_allclose(garch["simple_return"], expected, rtol=1e-12)


def _bars(n_bars: int) -> Market:
    return market_from_log_returns(np.zeros((n_bars - 1, 2)))


@settings(max_examples=60, deadline=None)
@given(
    n_bars=st.integers(14, 60),
    rebalance_every=st.integers(1, 9),
    refit_every=st.integers(1, 20),
    lag=st.integers(0, 2),
)
def test_what_is_due_is_what_the_folds_would_do(
    n_bars: int, rebalance_every: int, refit_every: int, lag: int
) -> None:
    """Look into the future: the same bars and enough more for the next decisions."""
    market = _bars(n_bars + 80)
    rule = {
        "first_oos": market.dates[10],
        "rebalance_every": rebalance_every,
        "refit_every": refit_every,
        "execution_lag": lag,
    }
    last = n_bars - 1
    now = make_folds(market.until(market.dates[last]), **rule)
    later = make_folds(market, **rule)
    found = due(market.dates[:n_bars], **rule, train_end=now[-1].train_end)
    rows = market.dates.get_indexer(pd.DatetimeIndex(np.concatenate([f.decisions for f in later])))
    assert found.rebalance_in == min(row for row in rows if row >= last) - last
    newer = market.position(later[len(now)].decisions[0])
    assert found.refit_in == newer - last
    # One bar earlier it would still be missing.
    ready = last + found.refit_possible_in
    assert len(make_folds(market.until(market.dates[ready]), **rule)) == len(now) + 1
    assert found.refit_possible_in > 0
    assert len(make_folds(market.until(market.dates[ready - 1]), **rule)) == len(now)


def test_models_that_are_overdue_are_counted_from_when_they_were_due() -> None:
    dates = _bars(100).dates
    found = due(
        dates,
        first_oos=dates[10],
        rebalance_every=5,
        refit_every=20,
        execution_lag=1,
        train_end=dates[29],
    )
    # Decisions at 10, 15, …; the fit after bar 29 serves 30 to 45, the next one begins at 50.
    assert (found.rebalance_in, found.refit_in, found.refit_possible_in) == (1, -49, 0)
