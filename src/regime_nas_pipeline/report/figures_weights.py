"""Portfolio weights over time, one strategy at a time."""

from __future__ import annotations

from typing import Any

import pandas as pd
import plotly.graph_objects as go

from regime_nas_pipeline.report.theme import (
    ASSET_COLOURS,
    INK,
    OTHERS_COLOUR,
    axis,
    date_labels,
    empty_figure,
    escape,
    in_display_order,
    new_figure,
    plain,
    strategy_style,
)

_TITLE = "Portfolio weights over time"
_MAX_DATES = 160
_MOST_BANDS = len(ASSET_COLOURS)


def weights_over_time(weights: pd.DataFrame) -> go.Figure:
    """Stacked weights of one strategy, chosen from a menu.

    Bars are thinned to the last one of each month (of each quarter in a long sample), which
    keeps the file small; a strategy's assets beyond its twenty largest are summed into
    one band.

    Args:
        weights: Tidy table: date, strategy, asset, weight (share of wealth, decimals).
    """
    if weights.empty:
        return empty_figure(_TITLE, "No weights were recorded in this run.")
    sampled = _period_ends(weights)
    names = in_display_order(sampled["strategy"].astype(str))
    colours = _asset_colours(sampled)
    figure = new_figure(_TITLE, height=560, hovermode="x unified")
    owners: list[str] = []
    for name in names:
        table = _bands(sampled[sampled["strategy"] == name])
        dates = date_labels(table.index)
        for asset in table.columns:
            figure.add_trace(_band(asset, dates, table[asset], colours, visible=name == names[0]))
            owners.append(name)
    figure.update_layout(
        xaxis=axis("Date"),
        yaxis=axis("Weight (% of wealth)", tickformat=".0%", rangemode="tozero"),
        updatemenus=[_menu(names, owners)],
        margin={"l": 62, "r": 18, "t": 96, "b": 40},
    )
    return plain(figure)


def _period_ends(weights: pd.DataFrame) -> pd.DataFrame:
    stamps = pd.to_datetime(weights["date"])
    dates = pd.DatetimeIndex(stamps.unique()).sort_values()
    for period in ("M", "Q", "Y"):
        if len(dates) <= _MAX_DATES:
            break
        calendar = pd.Series(dates, index=dates)
        dates = pd.DatetimeIndex(calendar.groupby(dates.to_period(period)).max())
    return weights.assign(date=stamps)[stamps.isin(dates)]


def _asset_colours(weights: pd.DataFrame) -> dict[str, str]:
    """One colour per asset in every strategy; those that most strategies hold choose first."""
    holders = weights.groupby(weights["asset"].astype(str))["strategy"].nunique()
    ranked = sorted(holders.index, key=lambda asset: (-holders[asset], asset))
    return {name: ASSET_COLOURS[place % len(ASSET_COLOURS)] for place, name in enumerate(ranked)}


def _bands(weights: pd.DataFrame) -> pd.DataFrame:
    """Date x asset held, with a last column for the sum of those without a band."""
    # An asset without a row on a date is not held on it.
    table = weights.pivot(index="date", columns="asset", values="weight").fillna(0.0)
    table.columns = table.columns.astype(str)
    held = table.loc[:, (table != 0).any()]
    own = held.sum().nlargest(_MOST_BANDS).index.sort_values()
    rest = held.drop(columns=own)
    if rest.shape[1] == 0:
        return held[own]
    return held[own].assign(**{f"{rest.shape[1]} more": rest.sum(axis=1)})


def _band(
    asset: str, dates: list[str], values: pd.Series, colours: dict[str, str], *, visible: bool
) -> go.Scatter:
    return go.Scatter(
        x=dates,
        y=values.round(4).tolist(),
        name=escape(asset),
        mode="lines",
        stackgroup="weights",
        # Weights hold until the next rebalance; a slope would invent trades between.
        line={"width": 0.4, "color": "#ffffff", "shape": "hv"},
        fillcolor=colours.get(asset, OTHERS_COLOUR),
        visible=visible,
        hovertemplate="%{y:.1%}",
    )


def _menu(names: list[str], owners: list[str]) -> dict[str, Any]:
    return {
        "type": "dropdown",
        "direction": "down",
        "x": 0,
        "xanchor": "left",
        "y": 1.02,
        "yanchor": "bottom",
        "bgcolor": "#ffffff",
        # Viewers with a dark page turn the figure's text, but not this background.
        "font": {"color": INK},
        "bordercolor": "#c5ccd3",
        "showactive": True,
        "buttons": [
            {
                "label": strategy_style(name).label,
                "method": "restyle",
                "args": [{"visible": [owner == name for owner in owners]}],
            }
            for name in names
        ],
    }
