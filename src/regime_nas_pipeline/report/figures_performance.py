"""Figures over strategy returns: wealth, drawdowns, rolling Sharpe ratio and regimes."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.report.theme import (
    MUTED,
    apply_theme,
    axis,
    date_labels,
    escape,
    in_drawing_order,
    line_style,
    new_figure,
    plain,
    regime_colour,
    significant,
    strategy_style,
    thinned,
)

_WEALTH_TICKS: tuple[tuple[float, tuple[float, ...]], ...] = (
    (30.0, (1, 1.25, 1.5, 2, 2.5, 3, 4, 5, 6, 8)),
    (1000.0, (1, 2, 5)),
    (math.inf, (1,)),
)


def equity_curves(strategy_returns: pd.DataFrame) -> go.Figure:
    """Growth of 1 invested in each strategy, on a log scale.

    Args:
        strategy_returns: Date x strategy, simple returns per bar, net of costs, decimals.

    Raises:
        DataError: A return is blank, or loses everything (a log scale has no zero).
    """
    wealth = _wealth(strategy_returns)
    drawn = thinned(wealth)
    figure = new_figure("Growth of 1 invested, net of costs (log scale)", height=500)
    _add_strategy_lines(figure, drawn, "%{y:.2f}")
    figure.update_layout(
        hovermode="x unified",
        xaxis=axis("Date"),
        yaxis=axis(
            "Wealth (multiple of the start, log scale)",
            type="log",
            **log_ticks(drawn),
        ),
    )
    return plain(figure)


def drawdowns(strategy_returns: pd.DataFrame) -> go.Figure:
    """Loss from the highest wealth so far, per bar.

    Args:
        strategy_returns: Date x strategy, simple returns per bar, net of costs, decimals.

    Raises:
        DataError: A return is blank, or loses everything.
    """
    wealth = _wealth(strategy_returns)
    # Wealth is 1 before the first bar, so that a loss on the first day counts as one.
    losses = wealth / wealth.cummax().clip(lower=1.0) - 1.0
    figure = new_figure("Drawdown: loss from the highest wealth so far", height=400)
    _add_strategy_lines(figure, thinned(losses, "min"), "%{y:.1%}")
    figure.update_layout(
        hovermode="x unified",
        xaxis=axis("Date"),
        yaxis=axis("Drawdown (%)", tickformat=".0%", rangemode="tozero"),
    )
    return plain(figure)


def rolling_sharpe(
    strategy_returns: pd.DataFrame,
    regimes: pd.DataFrame,
    bars_per_year: float,
    risk_free: float,
    window: int = 252,
) -> go.Figure:
    """Annualised Sharpe ratio over a trailing window, above a ribbon of regime probabilities.

    Args:
        strategy_returns: Date x strategy, simple returns per bar, net of costs, decimals.
        regimes: Date x probability of each regime, 0 to 1.
        bars_per_year: Bars in a year.
        risk_free: Risk-free rate per year, decimals.
        window: Bars in the trailing window; at most half of the sample is used, and the title
            names the number used.

    Raises:
        DataError: A return is blank.
    """
    returns = _dated(strategy_returns)
    window = max(2, min(window, len(returns) // 2))
    rate = (1.0 + risk_free) ** (1.0 / bars_per_year) - 1.0
    excess = returns - rate
    rolling = excess.rolling(window)
    ratios = rolling.mean() / rolling.std(ddof=1) * math.sqrt(bars_per_year)
    figure = _figure_with_ribbon()
    _add_strategy_lines(
        figure, thinned(ratios.replace([np.inf, -np.inf], np.nan)), "%{y:.2f}", row=1, col=1
    )
    _add_ribbon(figure, _on_sample(regimes, returns.index), row=2)
    apply_theme(
        figure,
        f"Rolling Sharpe ratio ({window} bars) and regimes",
        height=540,
        hovermode="x unified",
    )
    figure.update_layout(
        yaxis=axis("Sharpe ratio (annualised)", zeroline=True, zerolinecolor=MUTED),
    )
    _style_ribbon(figure)
    return plain(figure)


def regime_history(level: pd.Series, regimes: pd.DataFrame) -> go.Figure:
    """A benchmark's level, above the regime probabilities known on each day.

    Args:
        level: Price or wealth by date, positive; any unit.
        regimes: Date x probability of each regime, 0 to 1.

    Raises:
        DataError: A level is not positive.
    """
    if not (level > 0).all():
        raise DataError(
            "a level must be positive to be drawn on a log scale",
            source="benchmark level",
            date=pd.Timestamp(level.index[~(level > 0)][0]),
        )
    drawn = thinned(level.to_frame("level"))
    figure = _figure_with_ribbon()
    figure.add_trace(
        go.Scatter(
            x=date_labels(drawn.index),
            y=significant(drawn["level"]),
            name=escape(level.name if level.name is not None else "Benchmark"),
            legendrank=1,
            line={"color": MUTED, "width": 1.6},
            hovertemplate="%{y:.5g}",
        ),
        row=1,
        col=1,
    )
    _add_ribbon(figure, _on_sample(regimes, level.index), row=2)
    apply_theme(
        figure,
        "The market and its regimes as seen on the day",
        height=480,
        hovermode="x unified",
    )
    figure.update_layout(yaxis=axis("Level (log scale)", type="log", **log_ticks(drawn)))
    _style_ribbon(figure)
    return plain(figure)


def _dated(table: pd.DataFrame) -> pd.DataFrame:
    """Dates as the index, all values present."""
    frame = table.set_index("date") if "date" in table.columns else table
    frame = frame.set_axis(pd.DatetimeIndex(frame.index), axis=0)
    blank = frame.isna()
    if blank.to_numpy().any():
        strategy = blank.any().idxmax()
        raise DataError(
            "a return is blank, and every strategy needs one on every bar",
            source="strategy_returns",
            column=str(strategy),
            date=pd.Timestamp(frame.index[blank[strategy]][0]),
            remedy="run the walk-forward evaluation again; strategies share their dates.",
        )
    return frame


def _wealth(strategy_returns: pd.DataFrame) -> pd.DataFrame:
    returns = _dated(strategy_returns)
    ruined = returns <= -1.0
    if ruined.to_numpy().any():
        strategy = ruined.any().idxmax()
        raise DataError(
            "a return of -100 % or less leaves no wealth to draw",
            source="strategy_returns",
            column=str(strategy),
            date=pd.Timestamp(returns.index[ruined[strategy]][0]),
            remedy="look at the prices of that bar; a long-only portfolio cannot lose more.",
        )
    return (1.0 + returns).cumprod()


def _add_strategy_lines(figure: go.Figure, table: pd.DataFrame, hover: str, **place: int) -> None:
    dates = date_labels(table.index)
    for name in in_drawing_order(map(str, table.columns)):
        style = strategy_style(name)
        figure.add_trace(
            go.Scatter(
                x=dates,
                y=significant(table[name]),
                name=style.label,
                legendrank=style.rank,
                line=line_style(name),
                hovertemplate=hover,
            ),
            **place,
        )


def log_ticks(table: pd.DataFrame) -> dict[str, object]:
    """Round ticks of a log axis inside the range of ``table``, as options of the axis.

    Plotly's own log ticks are bare digits; they stay where fewer than two round values fit.
    """
    if table.empty:
        return {}
    low, high = float(table.to_numpy().min()), float(table.to_numpy().max())
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = next(steps for widest, steps in _WEALTH_TICKS if high / low < widest)
    candidates = [step * 10.0**decade for decade in decades for step in steps]
    ticks = [value for value in candidates if low * 0.97 <= value <= high * 1.03]
    if len(ticks) < 2:
        return {}
    return {"tickvals": ticks, "ticktext": [f"{tick:,g}" for tick in ticks]}


def _figure_with_ribbon() -> go.Figure:
    return make_subplots(
        rows=2, cols=1, shared_xaxes=True, row_heights=[0.82, 0.18], vertical_spacing=0.05
    )


def _on_sample(regimes: pd.DataFrame, dates: pd.Index) -> pd.DataFrame:
    """Regime probabilities on the dates drawn; those of other dates are outside the figure."""
    frame = regimes.set_index("date") if "date" in regimes.columns else regimes
    frame = frame.set_axis(pd.DatetimeIndex(frame.index), axis=0)
    return frame.reindex(frame.index.intersection(pd.DatetimeIndex(dates)))


def _add_ribbon(figure: go.Figure, regimes: pd.DataFrame, row: int) -> None:
    drawn = thinned(regimes)
    dates = date_labels(drawn.index)
    for position, name in enumerate(map(str, drawn.columns)):
        figure.add_trace(
            go.Scatter(
                x=dates,
                y=significant(drawn[name], 3),
                name=f"Regime: {escape(name)}",
                legendrank=200 + position,
                stackgroup="regimes",
                mode="lines",
                line={"width": 0, "color": regime_colour(name, position)},
                fillcolor=regime_colour(name, position),
                hovertemplate="%{y:.0%}",
            ),
            row=row,
            col=1,
        )


def _style_ribbon(figure: go.Figure) -> None:
    figure.update_layout(
        xaxis=axis("", showticklabels=False),
        xaxis2=axis("Date"),
        yaxis2=axis("Probability", range=[0, 1], tickvals=[0, 1], tickformat=".0%"),
    )
