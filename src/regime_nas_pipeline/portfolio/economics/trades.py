"""Every single trade, rebuilt from the weights, the decisions and the returns of an evaluation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.portfolio.backtest import drifted_weights

TRADE_COLUMNS = ("strategy", "date", "asset", "traded")
_SAME = 1e-12
"""Difference in turnover above which weights, decisions and returns are not of one run."""


def asset_returns(prices: pd.DataFrame) -> pd.DataFrame:
    """Simple return per bar of every asset, date x asset, from tidy prices (date, asset, close).

    Decimals; blank on the first bar and wherever either close is missing.
    """
    wide = prices.pivot(index="date", columns="asset", values="close").sort_index()
    return wide.pct_change(fill_method=None)


def held_weights(weights: pd.DataFrame, strategy: str, dates: pd.DatetimeIndex) -> pd.DataFrame:
    """Start-of-bar weights of one strategy, date x asset, zero where nothing is held.

    Args:
        weights: Tidy: date (the bar earned), strategy, asset, weight; zeros may be left out.
        strategy: Whose weights.
        dates: Every bar of the evaluation, (T,); a bar without a row was spent in cash.

    Raises:
        DataError: The strategy holds nothing at all, or holds something on another bar.
    """
    own = weights[weights["strategy"] == strategy]
    if own.empty:
        raise DataError(
            f"there are no weights of the strategy '{strategy}'",
            source="weights",
            remedy="hand over weights and returns of one evaluation.",
        )
    elsewhere = own[~own["date"].isin(dates)]
    if len(elsewhere):
        raise DataError(
            f"the strategy '{strategy}' holds weights on a bar that has no return",
            source="weights",
            date=pd.Timestamp(elsewhere["date"].iloc[0]),
            remedy="hand over weights and returns of one evaluation.",
        )
    wide = own.pivot(index="date", columns="asset", values="weight")
    return wide.reindex(dates).fillna(0.0)


def moves_of(held: pd.DataFrame, returns: pd.DataFrame) -> np.ndarray:
    """Returns of the held assets on the held bars, (T, N), blank where a price has ended.

    Raises:
        DataError: A held asset or a bar has no returns.
    """
    unknown = [str(name) for name in held.columns if name not in returns.columns]
    if unknown:
        raise DataError("a held asset has no returns", source="returns", asset=unknown[0])
    missing = held.index.difference(returns.index)
    if len(missing):
        raise DataError(
            "there is no bar on this date", source="returns", date=pd.Timestamp(missing[0])
        )
    moves: np.ndarray = returns.loc[held.index, list(held.columns)].to_numpy(dtype=float)
    return moves


def asset_trades(
    weights: pd.DataFrame,
    decisions: pd.DataFrame,
    returns: pd.DataFrame,
    dates: pd.DatetimeIndex,
) -> pd.DataFrame:
    """What every strategy bought and sold of each asset at each of its trades.

    A trade is the target less what the weights of the bar before had drifted to; the first one is
    all of the target. Turning an asset whose price has ended into cash is no trade.

    Args:
        weights: Tidy: date (the bar earned), strategy, asset, weight, rebalanced.
        decisions: Tidy: strategy, first_earned (blank if never traded), turnover. A strategy
            without decisions trades on the bars that ``weights`` mark as rebalanced.
        returns: Simple returns, date x asset, covering every bar held.
        dates: Every bar of the evaluation, (T,).

    Returns:
        Tidy: strategy, date (the first bar that the trade earns), asset, traded (fraction of
        wealth, negative for a sale); trades of zero are left out.

    Raises:
        DataError: The tables do not belong together: a held asset or a traded bar is missing, or
            the trades do not add up to the recorded turnover.
    """
    found = []
    for strategy in weights["strategy"].unique():
        held = held_weights(weights, strategy, dates)
        own = decisions[(decisions["strategy"] == strategy) & decisions["first_earned"].notna()]
        marked = weights[(weights["strategy"] == strategy) & weights["rebalanced"]]
        bars = own["first_earned"] if len(own) else marked["date"].drop_duplicates()
        table = _trades_on(held, moves_of(held, returns), pd.DatetimeIndex(bars))
        if len(own):
            _refuse_other_turnover(strategy, table, own)
        dated = table.rename_axis(index="date").reset_index()
        tidy = dated.melt(id_vars="date", var_name="asset", value_name="traded")
        tidy = tidy[tidy["traded"] != 0.0].sort_values(["date", "asset"])
        found.append(tidy.assign(strategy=strategy)[list(TRADE_COLUMNS)])
    return pd.concat(found, ignore_index=True)


def traded_notional(
    trades: pd.DataFrame, dates: pd.DatetimeIndex, strategies: Sequence[str]
) -> pd.DataFrame:
    """Traded notional that each bar pays for, date x strategy, as a fraction of wealth.

    Args:
        trades: As from :func:`asset_trades`.
        dates: Every bar of the evaluation, (T,).
        strategies: Columns wanted, in order; one without trades is zero throughout.
    """
    sized = trades.assign(size=trades["traded"].abs())
    size = sized.groupby(["date", "strategy"], as_index=False)["size"].sum()
    wide: pd.DataFrame = size.pivot(index="date", columns="strategy", values="size")
    return wide.reindex(index=dates, columns=list(strategies)).fillna(0.0)


def _trades_on(held: pd.DataFrame, moves: np.ndarray, bars: pd.DatetimeIndex) -> pd.DataFrame:
    rows = held.index.get_indexer(bars)
    if (rows < 0).any():
        raise DataError(
            "a trade has no bar to earn", source="decisions", date=pd.Timestamp(bars[rows < 0][0])
        )
    values = held.to_numpy(dtype=float)
    before = [
        drifted_weights(values[row - 1], moves[row - 1]) if row else np.zeros(values.shape[1])
        for row in rows
    ]
    return pd.DataFrame(values[rows] - np.array(before), index=bars, columns=held.columns)


def _refuse_other_turnover(strategy: str, table: pd.DataFrame, own: pd.DataFrame) -> None:
    recorded = own["turnover"].to_numpy(dtype=float)
    gap = np.abs(0.5 * np.abs(table.to_numpy()).sum(axis=1) - recorded)
    if not (gap <= _SAME).all():
        row = int(np.argmax(~(gap <= _SAME)))
        raise DataError(
            f"the weights of '{strategy}' and these returns do not give the recorded turnover "
            f"{recorded[row]:.9f}",
            source="decisions",
            date=pd.Timestamp(table.index[row]),
            remedy="hand over weights, decisions and prices of one evaluation.",
        )
