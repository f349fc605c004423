"""What a sequence of decisions earns: execution lag, drift between trades, and costs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.errors import DataError, ParameterError

REBALANCE_COLUMNS = ("decided_on", "traded_on", "traded", "turnover", "cost", "untradable")


@dataclass(frozen=True)
class Backtest:
    """The path of one portfolio, from the first bar that it earns.

    Attributes:
        weights: Date x asset: fraction of wealth in each asset at the start of the bar, indexed
            by the bar that it earns. What is missing from 1 is cash, which earns nothing.
        gross: Simple return per bar before costs.
        net: Simple return per bar after costs. Wealth is 1 before the first bar.
        rebalances: One row per executed decision, indexed by the first bar that it earns:
            ``decided_on``; ``traded_on``; ``traded``, the notional Σ|target - drifted|;
            ``turnover``, half of it; ``cost`` as a fraction of wealth; ``untradable``, the number
            of targeted assets that had no price to buy at and whose part stayed in cash.
        dropped_decisions: Decisions too late in the sample to earn a bar.
    """

    weights: pd.DataFrame
    gross: pd.Series
    net: pd.Series
    rebalances: pd.DataFrame
    dropped_decisions: int


def run_backtest(
    returns: pd.DataFrame,
    targets: pd.DataFrame,
    *,
    execution_lag: int,
    cost_bps: float,
) -> Backtest:
    """Trade target weights and account for every bar.

    A decision made on the close of t is traded at the close of t + ``execution_lag`` and earns
    from the bar after that. In between, weights drift with the returns. Each trade costs
    ``cost_bps`` basis points of its notional, charged in the first bar earned:
    net = (1 - cost)(1 + gross) - 1. The first purchase pays on all of it. An asset whose price
    ends while it is held is turned into cash at its last price, free of charge.

    Args:
        returns: Simple return of each bar from the close before it, date x asset; blank where the
            asset has no price. On the bar of a trade only assets with a return can be bought.
        targets: Decision date x asset: wanted fraction of wealth; blank or 0 means none.
        execution_lag: Bars between decision and trade.
        cost_bps: Cost of trading one unit of notional, one way, in basis points.

    Raises:
        DataError: A decision date or asset is unknown, a target is negative or adds up to more
            than 1, a return is -100 % or less, the price of a held asset disappears and comes
            back (its return in between is not known), or no decision can be traded at all.
        ParameterError: The lag or the cost is negative.
    """
    if execution_lag < 0:
        raise ParameterError(f"execution_lag must not be negative and is {execution_lag}.")
    if not (np.isfinite(cost_bps) and 0.0 <= cost_bps < 1e4):
        raise ParameterError(f"cost_bps must be at least 0 and below 10000 and is {cost_bps}.")
    wanted = _checked_targets(targets, returns)
    bars = _checked_returns(returns, wanted.columns)
    decided = bars.index.get_indexer(wanted.index)
    traded = decided + execution_lag
    in_time = traded + 1 < len(bars)
    if not in_time.any():
        raise DataError(
            f"no decision can be traded: the first needs {execution_lag + 1} bars after it",
            date=bars.index[-1] if len(bars) else None,
            remedy="give more returns after the decision dates.",
        )
    plan = {
        int(trade): (int(made), target)
        for trade, made, target in zip(
            traded[in_time], decided[in_time], wanted.to_numpy()[in_time], strict=True
        )
    }
    return _walk(bars, plan, cost_bps / 1e4, int((~in_time).sum()))


def buy_and_hold(
    returns: pd.DataFrame,
    asset: str,
    *,
    decided_on: pd.Timestamp,
    execution_lag: int,
    cost_bps: float,
) -> Backtest:
    """Put everything into one asset once and never trade again; see :func:`run_backtest`."""
    targets = pd.DataFrame({asset: [1.0]}, index=pd.DatetimeIndex([decided_on]))
    return run_backtest(returns, targets, execution_lag=execution_lag, cost_bps=cost_bps)


def drifted_weights(weights: np.ndarray, returns: np.ndarray) -> np.ndarray:
    """Weights at the end of a bar, (n,), after each asset has moved by its return.

    A blank return is a price that has ended: that part of the wealth is cash from now on.
    """
    known = np.isfinite(returns)
    moves = np.where(known, returns, 0.0)
    drifted: np.ndarray = np.where(known, weights * (1.0 + moves), 0.0) / (1.0 + weights @ moves)
    return drifted


def _walk(
    bars: pd.DataFrame,
    plan: dict[int, tuple[int, np.ndarray]],
    cost_rate: float,
    dropped: int,
) -> Backtest:
    moves = bars.to_numpy(dtype=float)
    first = min(plan)
    held = np.zeros(moves.shape[1])
    path, gross, net, rows = [], [], [], []
    for bar in range(first, len(moves) - 1):
        cost = 0.0
        if bar in plan:
            made, target = plan[bar]
            buyable = np.isfinite(moves[bar])
            bought = np.where(buyable, target, 0.0)
            notional = float(np.abs(bought - held).sum())
            cost = cost_rate * notional
            untradable = int((target[~buyable] > 0.0).sum())
            rows.append(
                (bars.index[made], bars.index[bar], notional, notional / 2.0, cost, untradable)
            )
            held = bought
        earned = moves[bar + 1]
        path.append(held)
        gross.append(float(held @ np.where(np.isfinite(earned), earned, 0.0)))
        net.append((1.0 - cost) * (1.0 + gross[-1]) - 1.0)
        held = drifted_weights(held, earned)
    dates = bars.index[first + 1 :]
    weights = pd.DataFrame(np.array(path), index=dates, columns=bars.columns)
    _refuse_gaps(weights, bars)
    first_earned = [bars.index[trade + 1] for trade in sorted(plan)]
    rebalances = pd.DataFrame(rows, columns=list(REBALANCE_COLUMNS), index=first_earned)
    rebalances.index.name = dates.name
    return Backtest(
        weights=weights,
        gross=pd.Series(gross, index=dates, name="gross"),
        net=pd.Series(net, index=dates, name="net"),
        rebalances=rebalances,
        dropped_decisions=dropped,
    )


def _refuse_gaps(weights: pd.DataFrame, bars: pd.DataFrame) -> None:
    """An ended price is cash; a gap hides a gain or loss that nobody could have avoided."""
    priced = np.isfinite(bars.loc[weights.index].to_numpy())
    priced_later = np.logical_or.accumulate(priced[::-1], axis=0)[::-1]
    gap = (weights.to_numpy() > 0.0) & ~priced & priced_later
    if gap.any():
        row, column = np.argwhere(gap)[0]
        raise DataError(
            "the price disappears while the asset is held and comes back later, so the return "
            "in between is not known",
            asset=str(weights.columns[column]),
            date=pd.Timestamp(weights.index[row]),
            remedy="carry the last price over such gaps before making returns, or drop the asset.",
        )


def _checked_targets(targets: pd.DataFrame, returns: pd.DataFrame) -> pd.DataFrame:
    unknown = [str(name) for name in targets.columns if name not in returns.columns]
    if unknown:
        raise DataError("a targeted asset has no returns", asset=unknown[0])
    strange = targets.index.difference(returns.index)
    if len(strange):
        raise DataError("there is no bar on this decision date", date=pd.Timestamp(strange[0]))
    if not (targets.index.is_monotonic_increasing and targets.index.is_unique):
        raise DataError("decision dates must increase without repeats", source="targets")
    wanted = targets.astype(float).fillna(0.0)
    values = wanted.to_numpy()
    faulty = (values < 0.0).any(axis=1) | ~(values.sum(axis=1) <= 1.0 + 1e-9)
    if faulty.any():
        row = int(np.argmax(faulty))
        raise DataError(
            "target weights must not be negative or add up to more than 1; the sum is "
            f"{values[row].sum():.6f}, the smallest {values[row].min():.6f}",
            source="targets",
            date=pd.Timestamp(wanted.index[row]),
        )
    return wanted


def _checked_returns(returns: pd.DataFrame, assets: pd.Index) -> pd.DataFrame:
    bars = returns[list(assets)].astype(float)
    if not (bars.index.is_monotonic_increasing and bars.index.is_unique):
        raise DataError("dates of returns must increase without repeats", source="returns")
    values = bars.to_numpy()
    faulty = np.isinf(values) | (values <= -1.0)
    if faulty.any():
        row, column = np.argwhere(faulty)[0]
        raise DataError(
            f"a simple return must be finite and above -1 and is {values[row, column]}",
            source="returns",
            asset=str(assets[column]),
            date=pd.Timestamp(bars.index[row]),
        )
    return bars
