"""Exposure rules laid over a strategy that holds many assets."""

from __future__ import annotations

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.dates import date_text
from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.portfolio.backtest import Backtest, run_backtest


def overlay(
    returns: pd.DataFrame,
    base: Backtest,
    exposure: pd.Series,
    *,
    execution_lag: int,
    cost_bps: float,
) -> Backtest:
    """Hold a strategy's own weights times an exposure from 0 to 1, the rest in cash.

    Every bar begins with the weights of the base strategy, drifted as the base's have, times the
    exposure in force. The whole path is traded anew, so that what the base buys and the overlay
    sells on one bar is netted before it is charged. As in the base's backtest, cash earns nothing.

    For exposures above 1, or cash that earns interest, treat the strategy's net returns as the
    index of :func:`~regime_nas_pipeline.portfolio.exposure.engine.run_exposure`; there the
    trades of the base and of the overlay are charged one by one, without netting.

    Args:
        returns: Simple returns, date x asset, that the base was traded on.
        base: The strategy's backtest.
        exposure: By decision date, from 0 to 1; needed for every bar that the base earns.
        execution_lag: Bars between the decision about the exposure and its trade.
        cost_bps: Cost of trading one unit of notional, one way, in basis points.

    Returns:
        The scaled strategy on the bars of the base; it has one rebalance per bar.

    Raises:
        DataError: An exposure is missing, negative or above 1, or a bar of the base is unknown.
        ParameterError: The lag or the cost is negative.
    """
    if execution_lag < 0:
        raise ParameterError(f"execution_lag must not be negative and is {execution_lag}.")
    earned = pd.DatetimeIndex(base.weights.index)
    rows = returns.index.get_indexer(earned)
    if (rows < 1).any():
        raise DataError(
            "a bar of the strategy, or the one before it, has no returns",
            source="returns",
            date=earned[int(np.argmax(rows < 1))],
        )
    decided = rows - 1 - execution_lag
    in_force = exposure.reindex(returns.index).to_numpy(dtype=float)[decided]
    in_force = np.where(decided >= 0, in_force, np.nan)
    faulty = ~((in_force >= 0.0) & (in_force <= 1.0))
    if faulty.any():
        row = int(np.argmax(faulty))
        raise DataError(
            f"an overlay needs an exposure from 0 to 1 and has {in_force[row]:g}; the bar that "
            f"ends on {date_text(earned[row])} is the first to need it",
            source="exposures",
            date=pd.Timestamp(returns.index[max(decided[row], 0)]),
            remedy="decide earlier, or run the strategy's returns as an index to borrow.",
        )
    targets = base.weights.mul(in_force, axis=0).set_axis(returns.index[rows - 1], axis=0)
    # The lag is in the exposures already: these are the weights at the close of each trade.
    return run_backtest(returns.loc[: earned[-1]], targets, execution_lag=0, cost_bps=cost_bps)
