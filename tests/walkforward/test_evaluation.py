from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from sklearn.covariance import LedoitWolf
from strategy_runs import CAP, RULES, prices_of

from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.walkforward.evaluation import (
    REFERENCES,
    StrategyResults,
    decision_dates,
)
from regime_nas_pipeline.walkforward.folds import Fold

NAMES = ("skilled", "clueless", "hopeless")
STRATEGIES = (*NAMES, *REFERENCES)


def _figures(net: pd.Series, bars: int, risk_free: float) -> dict[str, float]:
    """Every headline figure as the design words it, with nothing but pandas."""
    wealth = (1 + net).cumprod()
    cagr = wealth.iloc[-1] ** (bars / len(net)) - 1
    excess = net - ((1 + risk_free) ** (1 / bars) - 1)
    drawdown = (wealth / wealth.cummax().clip(lower=1.0) - 1).min()
    downside = np.sqrt((excess.clip(upper=0) ** 2).mean())
    return {
        "cagr": cagr,
        "volatility": net.std(ddof=1) * np.sqrt(bars),
        "sharpe": excess.mean() / excess.std(ddof=1) * np.sqrt(bars),
        "sortino": excess.mean() / downside * np.sqrt(bars),
        "max_drawdown": drawdown,
        "calmar": cagr / abs(drawdown),
    }


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_figures_follow_from_weights_prices_and_returns_alone(
    strategy: str, market: Market, results: StrategyResults
):
    net = results.returns[strategy]
    own = results.weights[results.weights["strategy"] == strategy]
    returns = prices_of(market).pct_change(fill_method=None)
    weights = (
        own.pivot(index="date", columns="asset", values="weight")
        .reindex(index=net.index, columns=returns.columns)
        .fillna(0.0)
    )
    moves = returns.loc[net.index].fillna(0.0)
    gross = (weights * moves).sum(axis=1)
    np.testing.assert_allclose(results.gross_returns[strategy], gross, atol=1e-12)

    # At the end of a bar; an asset without a price any more has become cash.
    drifted = (weights * (1 + moves)).div(1 + gross, axis=0)
    drifted = drifted.where(returns.loc[net.index].notna(), 0.0).shift(1, fill_value=0.0)
    traded_on = own.loc[own["rebalanced"], "date"].unique()
    notional = (weights - drifted).abs().sum(axis=1)
    cost = (notional * RULES.cost_bps / 1e4).where(net.index.isin(traded_on), 0.0)
    np.testing.assert_allclose(net, (1 - cost) * (1 + gross) - 1, atol=1e-12)

    figures = results.figures[strategy]
    expected = _figures(net, market.bars_per_year, RULES.risk_free)
    for name, value in expected.items():
        assert figures[name] == pytest.approx(value, abs=1e-9, rel=1e-9), name
    later = notional[net.index.isin(traded_on[1:])] / 2
    if strategy == "buy_and_hold":
        assert figures["turnover"] is None
    else:
        assert figures["turnover"] == pytest.approx(later.mean(), abs=1e-12)
        assert later.mean() > 0
    gross_cagr = (1 + gross).prod() ** (market.bars_per_year / len(gross)) - 1
    assert figures["cost_drag"] == pytest.approx(gross_cagr - expected["cagr"], abs=1e-9)
    assert figures["cost_drag"] > 0


def test_all_strategies_share_their_dates_from_the_first_bar_earned(
    market: Market, results: StrategyResults
):
    assert tuple(results.returns.columns) == tuple(results.gross_returns.columns) == STRATEGIES
    assert tuple(results.figures) == STRATEGIES
    # Decided on row 200, traded on 201, earned from 202.
    assert list(results.returns.index) == list(market.dates[202:])
    assert results.returns.notna().all(axis=None)


def test_tidy_weights_are_unique_and_flag_exactly_the_first_bars_earned(
    market: Market, folds: list[Fold], results: StrategyResults
):
    weights = results.weights
    assert list(weights.columns) == ["date", "strategy", "asset", "weight", "rebalanced"]
    assert not weights.duplicated(["date", "strategy", "asset"]).any()
    assert (weights["weight"] > 0).all()
    rows = market.dates.get_indexer(decision_dates(folds))
    first_earned = market.dates[rows + 2]
    for strategy in STRATEGIES:
        own = weights[weights["strategy"] == strategy]
        flags = own.groupby("date")["rebalanced"].unique()
        assert (flags.str.len() == 1).all()
        flagged = list(flags.index[flags.str[0]])
        bought_once = strategy == "buy_and_hold"
        assert flagged == list(first_earned[:1] if bought_once else first_earned)
        total = own[own["rebalanced"]].groupby("date")["weight"].sum()
        np.testing.assert_allclose(total, 1.0, atol=1e-12)


def _simulate(market: Market, folds: list[Fold], target_of: Any) -> pd.Series:
    """Net returns of an investor who holds shares and cash: another way to count."""
    closes = market.close
    rows = market.dates.get_indexer(decision_dates(folds))
    trades = {int(row) + RULES.execution_lag: int(row) for row in rows}
    first = min(trades)
    shares, cash, wealth, path = np.zeros(closes.shape[1]), 1.0, 1.0, []
    for bar in range(first, len(closes) - 1):
        if bar in trades:
            target = np.where(np.isfinite(closes[bar]), target_of(trades[bar]), 0.0)
            notional = np.abs(target * wealth - shares * np.nan_to_num(closes[bar])).sum()
            wealth -= RULES.cost_bps / 1e4 * notional
            shares = np.divide(target * wealth, closes[bar], where=target > 0, out=shares * 0)
            cash = wealth * (1 - target.sum())
        ended = ~np.isfinite(closes[bar + 1]) & (shares > 0)
        cash += (shares[ended] * closes[bar, ended]).sum()
        shares[ended] = 0.0
        wealth = cash + (shares * np.nan_to_num(closes[bar + 1])).sum()
        path.append(wealth)
    return pd.Series(path, index=market.dates[first + 1 :])


def test_equal_weight_again_with_shares_and_cash(
    market: Market, folds: list[Fold], results: StrategyResults
):
    def target(row: int) -> np.ndarray:
        listed = np.isfinite(market.close[row])
        seasoned = np.isfinite(market.close[: row + 1]).sum(axis=0) >= market.min_history
        return (listed & seasoned) / (listed & seasoned).sum()

    wealth = _simulate(market, folds, target)
    np.testing.assert_allclose((1 + results.returns["equal_weight"]).cumprod(), wealth, atol=1e-12)
    # The late asset joins and the ended one leaves within the sample, or less is tested.
    sizes = results.decisions.query("strategy == 'equal_weight'")["n_assets"]
    assert set(sizes) == {4, 5}


def test_buy_and_hold_again_from_the_price_index_alone(market: Market, results: StrategyResults):
    wealth = (1 - RULES.cost_bps / 1e4) * market.benchmark[202:] / market.benchmark[201]
    np.testing.assert_allclose((1 + results.returns["buy_and_hold"]).cumprod(), wealth, rtol=1e-12)


def test_minimum_variance_again_with_another_solver(
    market: Market, folds: list[Fold], results: StrategyResults
):
    own = results.weights.query("strategy == 'mvo_flat'")
    held = own.pivot(index="date", columns="asset", values="weight").fillna(0.0)
    held = held.reindex(columns=list(market.assets), fill_value=0.0)
    for date in decision_dates(folds):
        row = market.position(date)
        seasoned = np.isfinite(market.close[: row + 1]).sum(axis=0) >= market.min_history
        assets = np.flatnonzero(np.isfinite(market.close[row]) & seasoned)
        log_returns = np.diff(np.log(market.close[: row + 1, assets]), axis=0)
        log_returns = log_returns[np.isfinite(log_returns).all(axis=1)]
        sigma = LedoitWolf().fit(log_returns).covariance_
        sigma = sigma / np.diag(sigma).mean()
        solved = minimize(
            lambda w, sigma=sigma: w @ sigma @ w,
            np.full(len(assets), 1 / len(assets)),
            jac=lambda w, sigma=sigma: 2 * sigma @ w,
            bounds=[(0, CAP)] * len(assets),
            constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
            method="SLSQP",
            options={"ftol": 1e-14, "maxiter": 500},
        )
        assert solved.success
        found = held.loc[market.dates[row + 2]].to_numpy()
        np.testing.assert_allclose(found[assets], solved.x, atol=2e-4)
        assert found[assets] @ sigma @ found[assets] <= solved.fun * (1 + 1e-6)


def test_fallbacks_are_counted_and_explained(folds: list[Fold], results: StrategyResults):
    n_decisions = len(decision_dates(folds))
    log = results.decisions.set_index("strategy")
    for name, figures in results.figures.items():
        own = log.loc[[name]] if name in log.index else log.iloc[:0]
        assert figures["n_fallbacks"] == own["fallback"].sum()
        assert (own["reason"].ne("") == own["fallback"]).all()
    assert results.figures["hopeless"]["n_fallbacks"] == n_decisions
    # Without hope the minimum variance is held instead.
    np.testing.assert_array_equal(results.returns["hopeless"], results.returns["mvo_flat"])
    assert results.figures["skilled"]["n_fallbacks"] < n_decisions


def test_the_decision_log_says_when_each_decision_was_traded_and_at_what_cost(
    market: Market, folds: list[Fold], results: StrategyResults
):
    log = results.decisions
    assert list(log.columns) == [
        "date",
        "strategy",
        "fallback",
        "reason",
        "n_assets",
        "traded_on",
        "first_earned",
        "turnover",
        "cost",
        "untradable",
    ]
    assert not log.duplicated(["date", "strategy"]).any()
    assert set(log["strategy"]) == set(STRATEGIES) - {"buy_and_hold"}
    assert log.notna().all(axis=None)
    rows = market.dates.get_indexer(pd.DatetimeIndex(log["date"]))
    assert (market.dates[rows + 1] == log["traded_on"]).all()
    assert (market.dates[rows + 2] == log["first_earned"]).all()
    np.testing.assert_allclose(log["cost"], 2 * log["turnover"] * RULES.cost_bps / 1e4)
    assert log.groupby("strategy")["turnover"].first().to_numpy() == pytest.approx(0.5)
