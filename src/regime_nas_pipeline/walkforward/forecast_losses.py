"""Squared errors of every forecaster, date by date, as tests of accuracy need them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.walkforward.evaluation import decision_dates, forecast_arrays
from regime_nas_pipeline.walkforward.folds import Fold

NO_CHANGE = "no_change"


def squared_errors(
    market: Market,
    folds: list[Fold],
    forecasts: Mapping[str, pd.DataFrame],
    *,
    horizon: int,
    execution_lag: int,
) -> dict[str, pd.DataFrame]:
    """Squared error of every forecaster and of the forecast of no change.

    Args:
        market: Prices.
        folds: Give the decision dates.
        forecasts: Forecaster to its tidy forecasts (date, asset, mean).
        horizon: Bars of the return that is forecast.
        execution_lag: Bars between decision and trade.

    Returns:
        Forecaster, and ``no_change``, to its squared errors, decision date x asset, in squared log
        returns; blank without a forecast or a known target. No change has one wherever any
        forecaster has.

    Raises:
        DataError: There are forecasts for other dates or assets.
    """
    dates = decision_dates(folds)
    target = market.target(horizon, execution_lag)[market.dates.get_indexer(dates)]
    means = {
        name: forecast_arrays(table, market, dates)["mean"] for name, table in forecasts.items()
    }
    anybody = np.isfinite(np.stack(list(means.values()))).any(axis=0)
    means[NO_CHANGE] = np.where(anybody, 0.0, np.nan)
    return {
        name: pd.DataFrame((mean - target) ** 2, index=dates, columns=list(market.assets))
        for name, mean in means.items()
    }
