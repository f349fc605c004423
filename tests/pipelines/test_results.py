"""What a finished run says is what its own files say, recomputed from them alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from project_runs import Case

from regime_nas_pipeline.report.cell_facts import CELL_FACTS

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("finished")]

STRATEGIES = (
    "regime_nas",
    "gru",
    "transformer",
    "garch",
    "momentum",
    "equal_weight",
    "mvo_flat",
    "buy_and_hold",
)


@pytest.fixture(scope="module")
def returns_of_assets(finished: Case) -> pd.DataFrame:
    prices = finished.load("prices")
    close = prices.pivot(index="date", columns="asset", values="close")
    return close.pct_change(fill_method=None)


def test_summary_holds_all_eight_strategies_and_five_forecasters(finished: Case) -> None:
    summary = finished.load("summary")
    assert set(summary) == {"run", "sample", "strategies", "forecasts"}
    assert tuple(summary["strategies"]) == STRATEGIES
    assert set(STRATEGIES[:5]) < set(summary["forecasts"])
    assert list(finished.load("strategy_returns").columns) == list(STRATEGIES)


@pytest.mark.parametrize("name", STRATEGIES)
def test_headline_figures_follow_from_strategy_returns(finished: Case, name: str) -> None:
    summary = finished.load("summary")
    net = finished.load("strategy_returns")[name].to_numpy()
    bars, risk_free = summary["sample"]["bars_per_year"], summary["sample"]["risk_free"]
    wealth = np.concatenate([[1.0], np.cumprod(1.0 + net)])
    cagr = wealth[-1] ** (bars / len(net)) - 1.0
    excess = net - ((1.0 + risk_free) ** (1.0 / bars) - 1.0)
    drawdown = (wealth / np.maximum.accumulate(wealth) - 1.0).min()
    expected = {
        "cagr": cagr,
        "volatility": net.std(ddof=1) * np.sqrt(bars),
        "sharpe": excess.mean() / excess.std(ddof=1) * np.sqrt(bars),
        "sortino": excess.mean() / np.sqrt((np.minimum(excess, 0) ** 2).mean()) * np.sqrt(bars),
        "max_drawdown": drawdown,
        "calmar": cagr / abs(drawdown),
    }
    found = summary["strategies"][name]
    for key, value in expected.items():
        assert found[key] == pytest.approx(value, abs=1e-9), key


@pytest.mark.parametrize("name", STRATEGIES)
def test_turnover_and_cost_drag_follow_from_weights_and_prices(
    finished: Case, returns_of_assets: pd.DataFrame, name: str
) -> None:
    summary = finished.load("summary")
    tidy = finished.load("weights").query("strategy == @name")
    net = finished.load("strategy_returns")[name]
    held = tidy.pivot(index="date", columns="asset", values="weight")
    held = held.reindex(net.index).fillna(0.0)
    moves = returns_of_assets.loc[net.index, held.columns].fillna(0.0)
    gross = (held * moves).sum(axis=1)
    rebalances = sorted(tidy.loc[tidy["rebalanced"], "date"].unique())
    trades, traded = {}, []
    for date in rebalances:
        row = net.index.get_loc(date)
        before = pd.Series(0.0, index=held.columns)
        if row:
            last, move = held.iloc[row - 1], moves.iloc[row - 1]
            alive = returns_of_assets.loc[net.index[row - 1], held.columns].notna()
            before = (last * (1 + move)).where(alive, 0.0) / (1 + (last * move).sum())
        trades[date] = (held.iloc[row] - before).abs().sum()
        traded.append(trades[date] / 2)
    cost = pd.Series(trades).reindex(net.index).fillna(0.0) * 5e-4
    pd.testing.assert_series_equal(
        (1 - cost) * (1 + gross) - 1, net, check_names=False, rtol=0, atol=1e-12
    )
    years = len(net) / summary["sample"]["bars_per_year"]
    growth = [(1 + series).prod() ** (1 / years) - 1 for series in (gross, net)]
    found = summary["strategies"][name]
    assert found["cost_drag"] == pytest.approx(growth[0] - growth[1], abs=1e-9)
    if name == "buy_and_hold":
        assert found["turnover"] is None
        assert len(rebalances) == 1
    else:
        assert found["turnover"] == pytest.approx(np.mean(traded[1:]), abs=1e-9)
        assert len(rebalances) == summary["sample"]["n_rebalances"]


def test_equal_weight_is_equal_over_the_universe_of_each_decision(finished: Case) -> None:
    decisions = finished.load("decisions").query("strategy == 'equal_weight'")
    weights = finished.load("weights").query("strategy == 'equal_weight' and rebalanced")
    for _, decision in decisions.iterrows():
        held = weights.loc[weights["date"] == decision["first_earned"], "weight"]
        assert len(held) == decision["n_assets"] - decision["untradable"]
        np.testing.assert_allclose(held, 1.0 / decision["n_assets"], rtol=0, atol=1e-12)


def test_buy_and_hold_is_the_index_less_one_purchase(
    finished: Case, returns_of_assets: pd.DataFrame
) -> None:
    net = finished.load("strategy_returns")["buy_and_hold"]
    index = returns_of_assets["S&P 500"].loc[net.index]
    expected = index.copy()
    expected.iloc[0] = (1 - 5e-4) * (1 + index.iloc[0]) - 1
    pd.testing.assert_series_equal(net, expected, check_names=False, rtol=0, atol=1e-12)


def test_every_weight_respects_the_cap_and_the_sum(finished: Case) -> None:
    decisions = finished.load("decisions")
    weights = finished.load("weights").query("rebalanced and strategy != 'buy_and_hold'")
    size = decisions.set_index(["strategy", "first_earned"])["n_assets"]
    untradable = decisions.set_index(["strategy", "first_earned"])["untradable"]
    for (strategy, date), held in weights.groupby(["strategy", "date"])["weight"]:
        assert held.max() <= max(0.2, 1 / size[strategy, date]) + 1e-9
        if not untradable[strategy, date]:
            assert held.sum() == pytest.approx(1.0, abs=1e-9)


def test_fallbacks_are_counted(finished: Case) -> None:
    summary, decisions = finished.load("summary"), finished.load("decisions")
    counted = decisions.groupby("strategy")["fallback"].sum()
    for name, figures in summary["strategies"].items():
        assert figures["n_fallbacks"] == counted.get(name, 0)
    fallen = decisions[decisions["fallback"]]
    assert (fallen["reason"] != "").all()


def test_searches_had_equal_budgets_and_every_trial_is_in_the_ledger(finished: Case) -> None:
    ledger = finished.load("search_trials")
    spent = ledger.groupby("forecaster")["budget_spent"].agg(["count", "sum"])
    assert set(spent.index) == {"regime_nas", "gru", "transformer"}
    assert (spent["count"] == 3).all()
    assert (spent["sum"] <= 2400).all()
    dates = {tuple(row) for row in ledger["validation_dates"]}
    assert len(dates) == 1
    assert {len(row) for row in ledger["validation_returns"]} == {len(dates.pop())}


def test_the_front_holds_the_trials_of_the_run_and_the_one_that_was_chosen(finished: Case) -> None:
    front = finished.load("pareto_front")
    own = finished.load("search_trials").query("forecaster == 'regime_nas'")
    assert front["trial_id"].tolist() == own["trial_id"].tolist()
    assert front["error"].tolist() == own["score"].tolist()
    assert (front[["parameters", "latency"]] > 0).all(axis=None)
    chosen = finished.load("architecture")["search"]["best_trial"]
    lowest = front.loc[front["error"].idxmin()]
    assert lowest["number"] == chosen
    assert lowest["on_front"]


def test_the_report_explains_what_the_search_for_cells_left(finished: Case) -> None:
    facts = finished.load("search_summary")["cells"]["regime_nas"]
    assert {"alpha_steps", "discretisation_gap", "none_share", "validation_windows"} <= set(facts)
    assert set(facts) <= set(CELL_FACTS)
    report = finished.load("report")
    for fact in facts:
        assert CELL_FACTS[fact].meaning.replace("'", "&#39;") in report


def test_the_report_names_every_strategy_and_its_limits(finished: Case) -> None:
    report = finished.load("report")
    for name in ("RegimeNAS", "GRU", "Transformer", "GARCH", "Momentum", "Equal weight"):
        assert name in report
    assert "Nothing can be concluded" in report
    assert finished.load("data_manifest")["sha256"] in report
