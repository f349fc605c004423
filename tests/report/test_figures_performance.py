from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.report import theme
from regime_nas_pipeline.report.figures_performance import (
    drawdowns,
    equity_curves,
    regime_history,
    rolling_sharpe,
)

DAYS = pd.DatetimeIndex(["2020-01-01", "2020-01-02", "2020-01-03"], name="date")


def trace(figure: Any, name: str) -> Any:
    (found,) = [each for each in figure.data if each.name == name]
    return found


def test_equity_compounds_on_a_log_axis() -> None:
    returns = pd.DataFrame({"gru": [0.1, -0.5, 1.0]}, index=DAYS)
    figure = equity_curves(returns)
    assert list(trace(figure, "GRU").y) == [1.1, 0.55, 1.1]
    assert list(trace(figure, "GRU").x) == ["2020-01-01", "2020-01-02", "2020-01-03"]
    assert figure.layout.yaxis.type == "log"
    assert "multiple of the start" in figure.layout.yaxis.title.text


def test_equity_draws_regime_nas_on_top_and_names_it_first(
    strategy_returns: pd.DataFrame,
) -> None:
    figure = equity_curves(strategy_returns)
    assert len(figure.data) == 8
    assert figure.data[-1].name == "RegimeNAS"
    assert min(figure.data, key=lambda each: each.legendrank).name == "RegimeNAS"


def test_strategies_may_be_missing_or_new(strategy_returns: pd.DataFrame) -> None:
    returns = strategy_returns[["gru", "equal_weight"]].assign(boosting=0.001)
    names = {each.name for each in equity_curves(returns).data}
    assert names == {"GRU", "Equal weight", "boosting"}
    assert len(drawdowns(returns).data) == 3


def test_date_may_be_a_column() -> None:
    table = pd.DataFrame({"date": DAYS, "gru": [0.0, 0.1, 0.0]})
    assert equity_curves(table).data[0].x[0] == "2020-01-01"


def test_equity_ticks_are_round_numbers_inside_the_range() -> None:
    returns = pd.DataFrame({"gru": [0.5, 1.0, -0.2]}, index=DAYS)
    figure = equity_curves(returns)
    assert list(figure.layout.yaxis.tickvals) == [1.5, 2, 2.5, 3]
    assert list(figure.layout.yaxis.ticktext) == ["1.5", "2", "2.5", "3"]


def test_a_loss_on_the_first_day_is_a_drawdown() -> None:
    returns = pd.DataFrame({"gru": [-0.1, 0.05, 0.2]}, index=DAYS)
    figure = drawdowns(returns)
    # 0.9, 0.945, 1.134 against a start of 1.
    assert list(trace(figure, "GRU").y) == [-0.1, -0.055, 0.0]
    assert figure.layout.yaxis.title.text == "Drawdown (%)"


def test_no_trough_is_lost_in_a_long_sample() -> None:
    bars = 3 * theme.MAX_POINTS
    values = np.zeros(bars)
    values[100], values[101] = -0.5, 1.0
    returns = pd.DataFrame({"gru": values}, index=pd.date_range("1990-01-01", periods=bars))
    drawn = drawdowns(returns).data[0].y
    assert len(drawn) <= theme.MAX_POINTS
    assert min(drawn) == -0.5


def test_rolling_sharpe_is_the_ratio_of_its_window(
    strategy_returns: pd.DataFrame, regimes: pd.DataFrame
) -> None:
    figure = rolling_sharpe(strategy_returns, regimes, 252, 0.02, window=120)
    excess = strategy_returns["gru"].to_numpy()[-120:] - (1.02 ** (1 / 252) - 1)
    expected = excess.mean() / np.sqrt(((excess - excess.mean()) ** 2).sum() / 119) * 252**0.5
    drawn = trace(figure, "GRU").y
    assert drawn[-1] == pytest.approx(expected, rel=1e-4)
    assert list(drawn[:119]) == [None] * 119
    assert drawn[119] is not None
    assert "120 bars" in figure.layout.title.text
    assert figure.layout.yaxis.title.text == "Sharpe ratio (annualised)"


def test_rolling_sharpe_shortens_the_window_and_says_so() -> None:
    dates = pd.date_range("2020-01-01", periods=60)
    generator = np.random.default_rng(1)
    returns = pd.DataFrame({"gru": 0.01 * generator.standard_normal(60)}, index=dates)
    figure = rolling_sharpe(returns, pd.DataFrame(index=dates), 252, 0.0)
    assert "30 bars" in figure.layout.title.text


def test_a_constant_strategy_has_a_gap_and_no_infinity() -> None:
    dates = pd.date_range("2020-01-01", periods=20)
    returns = pd.DataFrame({"gru": 0.0}, index=dates)
    figure = rolling_sharpe(returns, pd.DataFrame(index=dates), 252, 0.0)
    assert set(trace(figure, "GRU").y) == {None}


def test_ribbon_shows_the_probabilities_of_the_dates_drawn(
    strategy_returns: pd.DataFrame, regimes: pd.DataFrame
) -> None:
    figure = rolling_sharpe(strategy_returns.iloc[500:], regimes, 252, 0.0)
    names = [each.name for each in figure.data if each.stackgroup == "regimes"]
    assert names == ["Regime: volatile", "Regime: trend", "Regime: range"]
    volatile = trace(figure, "Regime: volatile")
    assert volatile.x[0] == f"{strategy_returns.index[500]:%Y-%m-%d}"
    assert volatile.y[0] == pytest.approx(regimes["volatile"].iloc[500], rel=1e-2)
    assert volatile.yaxis == "y2"


def test_regime_history_draws_level_and_ribbon(regimes: pd.DataFrame) -> None:
    level = pd.Series(100.0, index=regimes.index, name="A & B")
    figure = regime_history(level, regimes)
    assert figure.data[0].name == "A &amp; B"
    assert figure.layout.yaxis.type == "log"
    with pytest.raises(DataError, match="must be positive"):
        regime_history(level - 100.0, regimes)


def test_blank_return_is_one_clear_error(strategy_returns: pd.DataFrame) -> None:
    broken = strategy_returns.copy()
    broken.loc[broken.index[3], "garch"] = np.nan
    with pytest.raises(DataError, match="blank") as caught:
        equity_curves(broken)
    assert caught.value.column == "garch"
    assert caught.value.date == broken.index[3]


def test_ruin_is_one_clear_error() -> None:
    returns = pd.DataFrame({"gru": [0.0, -1.0, 0.0]}, index=DAYS)
    with pytest.raises(DataError, match="no wealth") as caught:
        drawdowns(returns)
    assert caught.value.date == DAYS[1]
