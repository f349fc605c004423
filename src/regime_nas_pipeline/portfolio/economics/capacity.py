"""How much money a strategy could carry: what it trades, beside what the market trades.

A proxy: it knows no order book and no market impact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.errors import DataError, ParameterError

NO_VOLUME = "the prices carry no volume"
NONE_KNOWN = "no traded value is known before any of its trades"


@dataclass(frozen=True)
class Participation:
    """Trades of a portfolio of one size, beside what the market traded.

    Both tables have: n_trades; n_unknown (trades without a positive average, in no figure);
    mean_participation and max_participation over trades; date of the latter (first bar earned);
    share_within (part of the traded notional whose trades stay within the limit); and reason:
    why the figures are blank, else empty.

    Attributes:
        by_asset: Also strategy, asset, and binding: whether no other asset of the strategy has a
            higher maximum.
        by_strategy: Also strategy, binding_asset, and capacity: the largest portfolio whose every
            trade stays within the limit, in the currency of the prices. One early trade in a
            thinly traded asset decides it; share_within tells how typical that trade is.
    """

    by_asset: pd.DataFrame
    by_strategy: pd.DataFrame


def trading_figures(trades: pd.DataFrame, n_bars: int, *, bars_per_year: int) -> pd.DataFrame:
    """How much each strategy trades, and how much of it in one go.

    Args:
        trades: Tidy: strategy, date, asset, traded (fraction of wealth), as from
            :func:`~regime_nas_pipeline.portfolio.economics.trades.asset_trades`. The first
            purchase counts like every other trade.
        n_bars: Bars of the evaluation.
        bars_per_year: Bars in a year; years = n_bars / bars_per_year.

    Returns:
        One row per strategy: strategy; traded_per_year, the notional Σ|traded| per year as a
        multiple of wealth (bought and sold both count); n_trades, single assets bought or sold;
        largest_trade, the largest single one as a fraction of wealth, with its largest_asset and
        largest_date (first bar earned); largest_share, its part of all that the strategy traded.

    Raises:
        DataError: There are no trades.
        ParameterError: A number of bars is below 1.
    """
    if n_bars < 1 or bars_per_year < 1:
        raise ParameterError(
            f"n_bars and bars_per_year must be at least 1 and are {n_bars} and {bars_per_year}."
        )
    if trades.empty:
        raise DataError("there are no trades", source="trades")
    rows = []
    for strategy, own in trades.groupby("strategy", sort=False):
        size = own["traded"].abs().to_numpy(dtype=float)
        total, largest = float(size.sum()), own.iloc[int(size.argmax())]
        rows.append(
            {
                "strategy": strategy,
                "traded_per_year": total / (n_bars / bars_per_year),
                "n_trades": len(own),
                "largest_trade": float(size.max()),
                "largest_asset": str(largest["asset"]),
                "largest_date": pd.Timestamp(largest["date"]),
                "largest_share": float(size.max()) / total,
            }
        )
    return pd.DataFrame(rows)


def traded_value(
    prices: pd.DataFrame, *, volume_in: Literal["units", "currency"]
) -> pd.DataFrame | None:
    """Value that changed hands per bar, date x asset, in the prices' currency.

    Where closes are adjusted for splits and dividends but volumes in units are not, early values
    are too small and a capacity made of them is too low.

    Args:
        prices: Tidy: date, asset, close and perhaps volume.
        volume_in: What the source counts: "units" of the asset (shares, coins), to be multiplied
            by the close, or "currency", as most lists of coins do. The table itself cannot tell,
            and the wrong answer is wrong by the price.

    Returns:
        The table, blank where a volume is; None where no volume is known at all.

    Raises:
        ParameterError: ``volume_in`` is neither.
    """
    if volume_in not in {"units", "currency"}:
        raise ParameterError(f"volume_in must be 'units' or 'currency' and is '{volume_in}'.")
    if "volume" not in prices.columns or not prices["volume"].notna().any():
        return None
    price = prices["close"] if volume_in == "units" else 1.0
    values = prices.assign(value=prices["volume"] * price)
    return values.pivot(index="date", columns="asset", values="value").sort_index()


def participation(
    trades: pd.DataFrame,
    value: pd.DataFrame | None,
    *,
    portfolio_value: float,
    limit: float = 0.1,
    window: int = 21,
) -> Participation:
    """Each strategy's trades as a fraction of the average value traded per bar.

    The portfolio is worth ``portfolio_value`` at every trade, however it has grown. The average
    is over the ``window`` bars that end with the bar of the trade (the one before the first bar
    earned), all of which must be known.

    Args:
        trades: Tidy: strategy, date (first bar earned), asset, traded (fraction of wealth).
        value: Value traded per bar, date x asset (:func:`traded_value`), or None without volumes.
        portfolio_value: Size of the portfolio, in the currency of ``value``.
        limit: Largest fraction of an asset's average value per bar that one trade may be.
        window: Bars of the average.

    Raises:
        DataError: There are no trades, or they are on bars that ``value`` does not have.
        ParameterError: The size, the limit or the window is not positive.
    """
    if not (0.0 < portfolio_value < np.inf and limit > 0.0 and window >= 1):
        raise ParameterError(
            "portfolio_value and limit must be positive and window at least 1; they are "
            f"{portfolio_value}, {limit} and {window}."
        )
    if trades.empty:
        raise DataError("there are no trades", source="trades")
    size = trades["traded"].abs().to_numpy(dtype=float)
    share = size * portfolio_value / _average_before(trades, value, window)
    table = trades.assign(size=size, share=share)
    none = NO_VOLUME if value is None else NONE_KNOWN
    assets = [
        {"strategy": strategy, "asset": asset} | _figures(own, limit, none)
        for (strategy, asset), own in table.groupby(["strategy", "asset"], sort=False)
    ]
    by_asset = pd.DataFrame(assets)
    highest = by_asset.groupby("strategy", sort=False)["max_participation"].transform("max")
    by_asset["binding"] = by_asset["max_participation"] == highest
    strategies = []
    for strategy, own in table.groupby("strategy", sort=False):
        figures = _figures(own, limit, none)
        most = own["share"].max()
        row = int(np.nan_to_num(own["share"].to_numpy(dtype=float), nan=-1.0).argmax())
        binding = None if figures["reason"] else str(own["asset"].iloc[row])
        head = {"strategy": strategy, "binding_asset": binding}
        strategies.append(head | figures | {"capacity": limit * portfolio_value / most})
    return Participation(by_asset, pd.DataFrame(strategies))


def _figures(own: pd.DataFrame, limit: float, none: str) -> dict[str, object]:
    known = own[own["share"].notna()].sort_values("share", kind="stable")
    counts = {"n_trades": len(own), "n_unknown": len(own) - len(known)}
    if known.empty:
        blank = {"mean_participation": np.nan, "max_participation": np.nan, "date": pd.NaT}
        return counts | blank | {"share_within": np.nan, "reason": none}
    within = known["share"] <= limit
    return counts | {
        "mean_participation": float(known["share"].mean()),
        "max_participation": float(known["share"].iloc[-1]),
        "date": known["date"].iloc[-1],
        "share_within": float(known["size"][within].sum() / known["size"].sum()),
        "reason": "",
    }


def _average_before(trades: pd.DataFrame, value: pd.DataFrame | None, window: int) -> np.ndarray:
    """Average value per bar that was known when each trade was made, (n,); blank if not > 0."""
    if value is None:
        return np.full(len(trades), np.nan)
    row = value.index.get_indexer(pd.DatetimeIndex(trades["date"]))
    if (row < 0).any():
        raise DataError(
            "there is no traded value on the bar of a trade",
            source="prices",
            date=pd.Timestamp(trades["date"].to_numpy()[row < 0][0]),
            remedy="hand over the prices that were traded on.",
        )
    average = value.rolling(window, min_periods=window).mean().shift(1)
    column = average.columns.get_indexer(pd.Index(trades["asset"]))
    found = np.where(column >= 0, average.to_numpy(dtype=float)[row, column], np.nan)
    result: np.ndarray = np.where(found > 0.0, found, np.nan)
    return result
