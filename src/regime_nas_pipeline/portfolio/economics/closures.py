"""Positions that nobody decided to close: the price ended, or the membership did."""

from __future__ import annotations

import numpy as np
import pandas as pd

from regime_nas_pipeline.portfolio.backtest import drifted_weights
from regime_nas_pipeline.portfolio.economics.trades import held_weights, moves_of

PRICE_ENDED, MEMBERSHIP_ENDED = "price ended", "membership ended"
CLOSURE_COLUMNS = ("date", "strategy", "asset", "reason", "weight")


def forced_closures(
    weights: pd.DataFrame,
    decisions: pd.DataFrame,
    returns: pd.DataFrame,
    dates: pd.DatetimeIndex,
    members: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """List every position that had to end, whatever the strategy thought of it.

    A position whose price ends is cash at its last price, free of charge. One whose asset is no
    member any more at a decision is sold by that decision, at its trade and at its cost.

    Args:
        weights: Tidy: date (the bar earned), strategy, asset, weight; zeros may be left out.
        decisions: Tidy: date, strategy, first_earned (blank if never traded).
        returns: Simple returns, date x asset, covering every bar held; blank without a price.
        dates: Every bar of the evaluation, (T,).
        members: Date x asset (bool), whether the asset could be chosen at a date; None: always.

    Returns:
        Tidy, by date: date (the first bar on which the position earns nothing any more),
        strategy, asset, reason ("price ended" or "membership ended") and weight (fraction of
        wealth that it had when it ended).

    Raises:
        DataError: The tables are not of one evaluation.
    """
    rows: list[tuple[object, ...]] = []
    for strategy in weights["strategy"].unique():
        held = held_weights(weights, strategy, dates)
        moves = moves_of(held, returns)
        values = held.to_numpy(dtype=float)
        rows += [
            (dates[bar], strategy, held.columns[column], PRICE_ENDED, values[bar, column])
            for bar, column in np.argwhere((values > 0.0) & ~np.isfinite(moves))
        ]
        if members is not None:
            own = decisions[(decisions["strategy"] == strategy) & decisions["first_earned"].notna()]
            rows += [
                (date, strategy, asset, MEMBERSHIP_ENDED, weight)
                for date, asset, weight in _sold(held, moves, own, members)
            ]
    table = pd.DataFrame(rows, columns=list(CLOSURE_COLUMNS))
    kinds = {"date": dates.dtype, "strategy": "str", "asset": "str", "reason": "str"}
    ordered = table.astype({**kinds, "weight": float})
    return ordered.sort_values(["date", "strategy", "asset"], ignore_index=True)


def closing_prices(closures: pd.DataFrame, prices: pd.DataFrame) -> np.ndarray:
    """The price at which each position ended: the last close before its first bar without it.

    Args:
        closures: From :func:`forced_closures`, (n,) rows.
        prices: Tidy: date, asset, close.

    Returns:
        Closes, (n,), in the unit of the prices.
    """
    closes = prices.pivot(index="date", columns="asset", values="close").sort_index().ffill()
    rows = closes.index.searchsorted(pd.DatetimeIndex(closures["date"]), side="left") - 1
    columns = closes.columns.get_indexer(pd.Index(closures["asset"]))
    return closes.to_numpy(dtype=float)[rows, columns]


def _sold(
    held: pd.DataFrame, moves: np.ndarray, decisions: pd.DataFrame, members: pd.DataFrame
) -> list[tuple[pd.Timestamp, str, float]]:
    """First bar after the sale, asset and weight sold, where the asset was no member any more."""
    values, found = held.to_numpy(dtype=float), []
    rows = pd.DatetimeIndex(held.index).get_indexer(pd.DatetimeIndex(decisions["first_earned"]))
    for row, decided in zip(rows, decisions["date"], strict=True):
        if row < 1:
            continue
        before = drifted_weights(values[row - 1], moves[row - 1])
        belongs = members.loc[decided].reindex(held.columns, fill_value=True).to_numpy(dtype=bool)
        found += [
            (held.index[int(row)], str(held.columns[int(column)]), float(before[column]))
            for column in np.flatnonzero((before > 0.0) & ~belongs)
        ]
    return found
