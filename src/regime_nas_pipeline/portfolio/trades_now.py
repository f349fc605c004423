"""From what is held to what is wanted: the trades of one rebalance, in money and in units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.errors import DataError

CASH = "cash"
"""Name of the row of holdings that is money."""

PLAN_COLUMNS = (
    "strategy",
    "asset",
    "current_weight",
    "target_weight",
    "difference",
    "value",
    "units",
    "expected_cost",
)


@dataclass(frozen=True)
class Positions:
    """What is held, valued at the last closes.

    Attributes:
        invested: Money in each asset, indexed by asset.
        cash: Money in no asset.
    """

    invested: pd.Series[float]
    cash: float

    @property
    def wealth(self) -> float:
        """Everything, in the currency of the prices."""
        return float(self.invested.sum()) + self.cash


def only_cash(amount: float) -> pd.DataFrame:
    """The holdings of somebody who holds nothing but money; see :func:`value_holdings`."""
    return pd.DataFrame({"asset": [CASH], "units": [np.nan], "value": [amount]})


def value_holdings(
    holdings: pd.DataFrame, closes: pd.Series[float], *, source: str = "holdings"
) -> Positions:
    """Value holdings at the last closes.

    Args:
        holdings: ``asset``, ``units`` and ``value``, one of the two known in each row; the row
            ``cash`` has a value.
        closes: Last close of every asset, blank where it has none.
        source: Where the holdings come from, for messages.

    Raises:
        DataError: An asset is held that has no close, or nothing is held at all.
    """
    table = holdings.set_index("asset")
    cash = float(table["value"].get(CASH, 0.0))
    table = table.drop(index=CASH, errors="ignore")
    close = closes.reindex(table.index)
    held = (table["units"].fillna(0.0) > 0.0) | (table["value"].fillna(0.0) > 0.0)
    blank = held & ~np.isfinite(close)
    if blank.any():
        raise DataError(
            "the asset is held and has no price at the last bar, so it cannot be traded",
            source=source,
            asset=str(blank.idxmax()),
            remedy="leave it out, or enter what it will bring as cash.",
        )
    money = table["value"].fillna(table["units"] * close).fillna(0.0)
    positions = Positions(money.reindex(closes.index).fillna(0.0), cash)
    if not positions.wealth > 0.0:
        raise DataError(
            "nothing is held, neither an asset nor cash",
            source=source,
            remedy=f"enter what is held, money in a row '{CASH}'.",
        )
    return positions


def plan_trades(
    targets: Mapping[str, pd.Series[float]],
    positions: Positions,
    closes: pd.Series[float],
    *,
    cost_bps: float,
) -> tuple[pd.DataFrame, dict[str, dict[str, float]]]:
    """What each strategy would buy and sell now.

    Weights are fractions of the wealth before costs, as in
    :func:`~regime_nas_pipeline.portfolio.backtest.run_backtest`, so the costs are to be paid on
    top: where all of the wealth is invested, they are what ``cash_after`` lacks.

    Args:
        targets: Strategy to the wanted fraction of wealth per asset.
        positions: What is held.
        closes: Last close of every asset; units are counted at it.
        cost_bps: Cost of trading one unit of notional, one way, in basis points.

    Returns:
        Tidy trades with :data:`PLAN_COLUMNS`: weights and their difference are fractions of
        wealth; ``value`` and ``units`` are what to buy, negative to sell. Assets that are neither
        held nor wanted are left out. And strategy to the totals: ``wealth``, ``cash_before``,
        ``cash_after`` (less costs), ``traded`` (Σ|difference|), ``turnover`` (half of it),
        ``expected_cost`` (money).
    """
    wealth = positions.wealth
    current = positions.invested / wealth
    tables, totals = [], {}
    for strategy, target in targets.items():
        wanted = target.reindex(current.index).fillna(0.0)
        difference = wanted - current
        value = difference * wealth
        cost = value.abs() * cost_bps / 1e4
        table = pd.DataFrame(
            {
                "current_weight": current,
                "target_weight": wanted,
                "difference": difference,
                "value": value,
                "units": value / closes.reindex(current.index),
                "expected_cost": cost,
            }
        )
        table = table[(current > 0.0) | (wanted > 0.0)]
        named = table.rename_axis(index="asset").reset_index().assign(strategy=strategy)
        tables.append(named[list(PLAN_COLUMNS)])
        traded = float(difference.abs().sum())
        totals[strategy] = {
            "wealth": wealth,
            "cash_before": positions.cash,
            "cash_after": positions.cash - float(value.sum()) - float(cost.sum()),
            "traded": traded,
            "turnover": traded / 2.0,
            "expected_cost": float(cost.sum()),
        }
    return pd.concat(tables, ignore_index=True), totals
