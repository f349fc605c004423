"""Tidy tables from wide ones, as walking a forecaster forward makes them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from regime_nas_pipeline.market.market import Market


def tidy_table(wide: pd.DataFrame, value: str) -> pd.DataFrame:
    dated = wide.rename_axis(index="date").reset_index()
    return dated.melt(id_vars="date", var_name="asset", value_name=value)


def forecast_table(mean: np.ndarray, market: Market, dates: pd.DatetimeIndex) -> pd.DataFrame:
    wide = pd.DataFrame(mean, index=dates, columns=list(market.assets))
    table = tidy_table(wide, "mean").dropna()
    return table.assign(volatility=0.03, seed_spread=np.nan)
