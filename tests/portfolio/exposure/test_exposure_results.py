from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.portfolio.exposure.engine import Terms
from regime_nas_pipeline.portfolio.exposure.results import (
    FIGURES,
    decide_all,
    excess_returns,
    figures_table,
    first_common_bar,
    run_all,
)
from regime_nas_pipeline.portfolio.exposure.rules import (
    BuyAndHold,
    CalmOnly,
    Known,
    Levered,
    VolatilityTarget,
)
from regime_nas_pipeline.portfolio.metrics import performance

DAYS = pd.date_range("2020-01-01", periods=300, name="date")
GENERATOR = np.random.default_rng(5)
RETURNS = pd.Series(np.r_[np.nan, GENERATOR.normal(0.0005, 0.01, 299)], index=DAYS)
CALM = np.repeat(GENERATOR.integers(0, 2, 29), 10).astype(float)
REGIMES = pd.DataFrame({"calm": CALM, "stressed": 1.0 - CALM}, index=DAYS[10:])
RULES = (BuyAndHold(), CalmOnly(), Levered(), VolatilityTarget(target=0.16, cap=1.1))
WANTED = decide_all(RULES, Known(RETURNS, REGIMES, 252), max_exposure=1.5)
TERMS = Terms(1, 5.0, cash_rate=0.03, financing_spread=0.01)


def test_all_strategies_earn_the_same_bars() -> None:
    # The volatility target has its first window on the 22nd day, traded on the 23rd.
    assert first_common_bar(RETURNS, WANTED, TERMS) == DAYS[23]
    results = run_all(RETURNS, WANTED, TERMS)
    assert all(list(path.bars.index) == list(DAYS[23:]) for path in results.paths.values())
    assert list(results.column("net").columns) == [rule.name for rule in RULES]
    labelled = {name: WANTED[name] for name in ("buy_and_hold", "calm_only")}
    assert first_common_bar(RETURNS, labelled, TERMS) == DAYS[12]
    assert first_common_bar(RETURNS, labelled, Terms(0), same_bar=True) == DAYS[10]


def test_figures_are_those_of_the_headline_metrics() -> None:
    results = run_all(RETURNS, WANTED, TERMS)
    table = figures_table(results, cash_rate=0.03, bars_per_year=252).set_index("strategy")
    assert tuple(table.columns) == FIGURES
    for name, path in results.paths.items():
        bars, years = path.bars, len(path.bars) / 252
        above = performance(path.net, bars_per_year=252, risk_free=0.03)
        for key in ("cagr", "volatility", "sharpe", "max_drawdown", "calmar"):
            assert table.loc[name, key] == pytest.approx(above[key], rel=1e-9)
        nothing = performance(path.net, bars_per_year=252, risk_free=0.0)
        assert table.loc[name, "sharpe_zero"] == pytest.approx(nothing["sharpe"])
        assert table.loc[name, "total_return"] == pytest.approx((1 + path.net).prod() - 1)
        assert table.loc[name, "mean_per_bar"] == pytest.approx(path.net.mean())
        assert table.loc[name, "volatility_per_bar"] == pytest.approx(path.net.std())
        assert table.loc[name, "mean_exposure"] == pytest.approx(bars["exposure"].mean())
        assert table.loc[name, "turnover_per_year"] == pytest.approx(
            bars["traded"][1:].sum() / years
        )
        assert table.loc[name, "financing_per_year"] == pytest.approx(
            bars["financing"].sum() / years
        )
    assert table.loc["buy_and_hold", "turnover_per_year"] == 0.0
    assert table.loc["buy_and_hold", "cost_per_year"] == pytest.approx(0.0005 * 252 / 277)
    assert (table.loc[["calm_only"], "interest_per_year"] > 0).all()
    assert (table.loc[["levered"], "financing_per_year"] > 0).all()


def test_the_capped_bars_that_were_earned_are_counted() -> None:
    results = run_all(RETURNS, WANTED, TERMS)
    held = results.column("exposure")["volatility_target"]
    assert results.n_capped["volatility_target"] == int((held == 1.1).sum())
    assert 0 < results.n_capped["volatility_target"] < len(held)
    assert results.n_capped["levered"] == 0


def test_cash_alone_has_no_sharpe_ratio() -> None:
    never = REGIMES.assign(calm=0.0, stressed=1.0)
    wanted = decide_all([CalmOnly()], Known(RETURNS, never, 252), max_exposure=1.0)
    rates = pd.Series(0.03, index=DAYS)
    results = run_all(RETURNS, wanted, Terms(1, 5.0, cash_rate=rates))
    row = figures_table(results, cash_rate=rates, bars_per_year=252).iloc[0]
    assert np.isnan(row["sharpe"])
    assert np.isnan(row["sharpe_zero"])
    assert row["cagr"] == pytest.approx(0.03)
    excess = excess_returns(results.column("net"), rates, 252)
    np.testing.assert_allclose(excess, 0.0, atol=1e-16)


def test_what_cannot_be_compared_is_refused() -> None:
    known = Known(RETURNS, REGIMES, 252)
    with pytest.raises(ParameterError, match="two exposure rules"):
        decide_all([CalmOnly(), CalmOnly()], known, max_exposure=1.0)
    with pytest.raises(DataError, match="no bar that all"):
        run_all(RETURNS, WANTED, Terms(290))
    short = decide_all([VolatilityTarget()], Known(RETURNS.iloc[:10], None, 252), max_exposure=2.0)
    with pytest.raises(DataError, match="volatility_target: no exposure can be decided"):
        run_all(RETURNS.iloc[:10], short, TERMS)
