import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.portfolio.backtest import run_backtest
from regime_nas_pipeline.portfolio.metrics import (
    by_calendar_year,
    by_period,
    by_regime,
    contributions,
    cost_drag,
    lagged_regime,
    performance,
    sharpe_cagr,
    turnover,
)

SETTING = {"bars_per_year": 252, "risk_free": 0.02}


def _series(seed: int, bars: int = 300, start: str = "2019-06-03") -> pd.Series:
    rng = np.random.default_rng(seed)
    dates = pd.bdate_range(start, periods=bars, name="date")
    return pd.Series(rng.normal(0.0005, 0.012, bars), index=dates, name="net")


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    bars=st.integers(2, 400),
    bars_per_year=st.sampled_from([12, 252, 365]),
    risk_free=st.floats(-0.01, 0.08),
)
def test_every_figure_is_its_published_formula(seed, bars, bars_per_year, risk_free):
    net = _series(seed, bars)
    figures = performance(net, bars_per_year=bars_per_year, risk_free=risk_free)
    r = net.to_list()
    years = len(r) / bars_per_year
    wealth = [1.0]
    for value in r:
        wealth.append(wealth[-1] * (1 + value))
    cagr = wealth[-1] ** (1 / years) - 1
    mean = sum(r) / len(r)
    deviation = (sum((v - mean) ** 2 for v in r) / (len(r) - 1)) ** 0.5
    excess = [v - ((1 + risk_free) ** (1 / bars_per_year) - 1) for v in r]
    mean_excess = sum(excess) / len(excess)
    downside = (sum(min(v, 0.0) ** 2 for v in excess) / len(excess)) ** 0.5
    drawdown = min(wealth[i] / max(wealth[: i + 1]) - 1 for i in range(len(wealth)))
    expected = {
        "cagr": cagr,
        "volatility": deviation * bars_per_year**0.5,
        "sharpe": mean_excess / deviation * bars_per_year**0.5,
        "sortino": mean_excess / downside * bars_per_year**0.5 if downside else None,
        "max_drawdown": drawdown,
        "calmar": cagr / abs(drawdown) if drawdown else None,
    }
    assert list(figures) == list(expected)
    for name, value in expected.items():
        if value is None:
            assert figures[name] is None, name
        else:
            assert figures[name] == pytest.approx(value, rel=1e-10, abs=1e-12), name


def test_literal_figures_of_four_bars():
    net = pd.Series([0.10, -0.20, 0.05, 0.10], index=pd.date_range("2020", periods=4))
    figures = performance(net, bars_per_year=4, risk_free=0.0)
    # Wealth 1.1, 0.88, 0.924, 1.0164 in one year; deviations .0875, -.2125, .0375, .0875.
    assert figures["cagr"] == pytest.approx(0.0164, abs=1e-14)
    assert figures["volatility"] == pytest.approx(2 * (0.061875 / 3) ** 0.5, rel=1e-12)
    assert figures["sharpe"] == pytest.approx(0.0125 / (0.061875 / 3) ** 0.5 * 2, rel=1e-12)
    assert figures["sortino"] == pytest.approx(0.0125 / 0.1 * 2, rel=1e-12)
    assert figures["max_drawdown"] == pytest.approx(-0.2, rel=1e-12)
    assert figures["calmar"] == pytest.approx(0.082, rel=1e-12)


def test_a_loss_on_the_first_bar_is_a_drawdown_from_one():
    net = pd.Series([-0.1, 0.05], index=pd.date_range("2020", periods=2))
    assert performance(net, **SETTING)["max_drawdown"] == pytest.approx(-0.1)


@pytest.mark.parametrize(
    ("values", "undefined"),
    [
        ([0.01], {"volatility", "sharpe", "sortino", "calmar"}),
        ([-0.01], {"volatility", "sharpe", "sortino"}),
        ([0.1, 0.1, 0.1], {"sharpe", "sortino", "calmar"}),
        ([-0.1, -0.1, -0.1], {"sharpe"}),
        ([0.0, 0.0], {"sharpe", "calmar"}),
        ([0.1, 0.2], {"sortino", "calmar"}),
    ],
)
def test_figures_without_a_value_are_none_and_raise_no_warning(values, undefined):
    net = pd.Series(values, index=pd.date_range("2020", periods=len(values)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figures = performance(net, **SETTING)
    assert {name for name, value in figures.items() if value is None} == undefined


def test_a_constant_series_has_no_volatility_at_all():
    net = pd.Series([0.1] * 7, index=pd.date_range("2020", periods=7))
    figures = performance(net, **SETTING)
    assert figures["volatility"] == 0.0
    assert sharpe_cagr(figures, 0.02) is None


def test_sharpe_of_growth():
    assert sharpe_cagr({"cagr": 0.12, "volatility": 0.2}, 0.02) == pytest.approx(0.5)
    assert sharpe_cagr({"cagr": None, "volatility": 0.2}, 0.02) is None


@pytest.mark.parametrize("fault", [np.nan, np.inf, -1.01])
def test_an_unusable_return_is_an_error_that_says_where(fault):
    net = _series(0, 10)
    net.iloc[4] = fault
    with pytest.raises(DataError, match=r"column 'net', date 2019-06-07.*row 4"):
        performance(net, **SETTING)


def test_no_returns_and_impossible_rates_are_errors():
    with pytest.raises(DataError, match="no returns"):
        performance(_series(0, 0), **SETTING)
    with pytest.raises(ParameterError, match="risk_free"):
        performance(_series(0), bars_per_year=252, risk_free=-1.0)
    with pytest.raises(ParameterError, match="bars_per_year"):
        performance(_series(0), bars_per_year=0, risk_free=0.0)


def _backtest():
    rng = np.random.default_rng(4)
    dates = pd.bdate_range("2020-01-01", periods=80)
    returns = pd.DataFrame(rng.normal(0, 0.03, (80, 3)), index=dates, columns=list("xyz"))
    targets = pd.DataFrame(
        rng.dirichlet(np.ones(3), 4), index=dates[[1, 20, 41, 62]], columns=list("xyz")
    )
    return returns, run_backtest(returns, targets, execution_lag=1, cost_bps=50)


def test_turnover_from_weights_alone_is_what_the_backtest_traded():
    returns, result = _backtest()
    found = turnover(result.weights, returns, result.rebalances)
    assert found == pytest.approx(result.rebalances["turnover"].iloc[1:].mean(), rel=1e-12)
    assert found > 0.05


def test_turnover_by_hand():
    dates = pd.date_range("2020", periods=3)
    weights = pd.DataFrame({"x": [0.5, 0.5], "y": [0.5, 0.5]}, index=dates[1:])
    returns = pd.DataFrame({"x": [0.0, 0.5, 0.0], "y": [0.0, 0.0, 0.0]}, index=dates)
    # 0.75 and 0.50 of 1.25 drift to 0.6 and 0.4; back to one half each moves 0.1.
    found = turnover(weights, returns, pd.DataFrame(index=dates[1:]))
    assert found == pytest.approx(0.1, rel=1e-14)


def test_a_single_purchase_has_no_turnover():
    returns, result = _backtest()
    assert turnover(result.weights, returns, result.rebalances.iloc[:1]) is None


def test_cost_drag_is_growth_lost():
    _, result = _backtest()
    years = len(result.net) / 252
    gross, net = (1 + result.gross).prod(), (1 + result.net).prod()
    drag = cost_drag(result, bars_per_year=252)
    assert drag == pytest.approx(gross ** (1 / years) - net ** (1 / years), rel=1e-10)
    assert drag > 0.0


def _two_strategies() -> pd.DataFrame:
    return pd.DataFrame({"first": _series(1), "second": _series(2)})


def test_by_period_includes_both_ends_and_keeps_empty_periods():
    table = _two_strategies()
    found = by_period(
        table,
        {"summer": ("2019-07-01", "2019-08-30"), "before": ("2001-01-01", "2001-12-31")},
        **SETTING,
    )
    assert list(found.columns) == [
        "period",
        "strategy",
        "cagr",
        "volatility",
        "sharpe",
        "sharpe_cagr",
        "max_drawdown",
        "bars",
    ]
    row = found[(found["period"] == "summer") & (found["strategy"] == "second")].iloc[0]
    part = table["second"].loc["2019-07-01":"2019-08-30"]
    expected = performance(part, **SETTING)
    assert row["bars"] == len(part) == 45
    for name in ("cagr", "volatility", "sharpe", "max_drawdown"):
        assert row[name] == expected[name]
    assert row["sharpe_cagr"] == pytest.approx(
        (expected["cagr"] - 0.02) / expected["volatility"], rel=1e-14
    )
    empty = found[found["period"] == "before"]
    assert list(empty["bars"]) == [0, 0]
    assert empty["cagr"].isna().all()


def test_by_calendar_year_covers_every_bar_once():
    found = by_calendar_year(_two_strategies(), **SETTING)
    assert list(found["year"].unique()) == [2019, 2020]
    assert found.groupby("strategy")["bars"].sum().to_dict() == {"first": 300, "second": 300}
    row = found[(found["year"] == 2020) & (found["strategy"] == "first")].iloc[0]
    expected = performance(_series(1).loc["2020":"2020"], **SETTING)
    assert row["sharpe"] == expected["sharpe"]


def test_a_bar_belongs_to_the_regime_of_the_close_before_it():
    dates = pd.date_range("2020-01-01", periods=6)
    regimes = pd.DataFrame(
        {
            "calm": [np.nan, 0.9, 0.6, 0.1, 0.2, 0.9],
            "storm": [np.nan, 0.1, 0.4, 0.9, 0.8, 0.1],
        },
        index=dates,
    )
    labels = lagged_regime(regimes, dates)
    assert list(labels) == ["unlabelled", "unlabelled", "calm", "calm", "storm", "storm"]

    returns = pd.DataFrame({"s": [0.01, 0.02, 0.03, 0.05, -0.07, 0.11]}, index=dates)
    found = by_regime(returns, regimes, **SETTING).set_index("regime")
    assert found["bars"].to_dict() == {"calm": 2, "storm": 2, "unlabelled": 2}
    calm = performance(pd.Series([0.03, 0.05], index=dates[2:4]), **SETTING)
    storm = performance(pd.Series([-0.07, 0.11], index=dates[4:]), **SETTING)
    assert found.loc["calm", "sharpe"] == calm["sharpe"]
    assert found.loc["storm", "max_drawdown"] == storm["max_drawdown"] == pytest.approx(-0.07)


def test_regime_of_a_bar_ignores_what_is_known_only_at_its_close():
    dates = pd.date_range("2020-01-01", periods=30)
    rng = np.random.default_rng(0)
    regimes = pd.DataFrame(rng.dirichlet(np.ones(3), 30), index=dates, columns=list("abc"))
    scrambled = regimes.copy()
    scrambled.iloc[12:] = rng.dirichlet(np.ones(3), 18)
    before, after = lagged_regime(regimes, dates), lagged_regime(scrambled, dates)
    pd.testing.assert_series_equal(before.iloc[:13], after.iloc[:13])
    assert not before.equals(after)


def test_regimes_out_of_order_are_an_error():
    dates = pd.date_range("2020-01-01", periods=3)
    regimes = pd.DataFrame({"a": [1.0, 1.0, 1.0]}, index=dates[::-1])
    with pytest.raises(DataError, match="regimes must increase"):
        lagged_regime(regimes, dates)


def test_contributions_by_hand_and_in_sum():
    dates = pd.bdate_range("2020-01-01", periods=3)
    weights = pd.DataFrame({"A": [0.5, 0.4, 0.6], "B": [0.5, 0.6, 0.4], "C": 0.0}, index=dates)
    returns = pd.DataFrame(
        {"A": [0.10, np.nan, 0.05], "B": [-0.02, 0.01, 0.0], "C": 0.3}, index=dates
    )
    table = contributions(weights, returns)
    assert table["asset"].tolist() == ["A", "B"]  # C was never held
    np.testing.assert_allclose(table["contribution"], [0.05 + 0.03, -0.01 + 0.006])
    np.testing.assert_allclose(table["mean_weight"], [0.5, 0.5])
    np.testing.assert_allclose(table["return_share"], [0.08 / 0.076, -0.004 / 0.076])
    gross = (weights * returns.fillna(0.0)).sum(axis=1)
    assert table["contribution"].sum() == pytest.approx(gross.sum(), abs=1e-15)


def test_shares_of_a_loss_are_not_defined():
    dates = pd.bdate_range("2020-01-01", periods=2)
    losing = pd.DataFrame({"A": [-0.1, -0.2]}, index=dates)
    assert (
        contributions(pd.DataFrame({"A": [1.0, 1.0]}, index=dates), losing)["return_share"]
        .isna()
        .all()
    )
