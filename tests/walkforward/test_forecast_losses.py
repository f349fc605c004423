from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from forecast_tables import forecast_table

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.walkforward.evaluation import decision_dates
from regime_nas_pipeline.walkforward.folds import Fold, make_folds
from regime_nas_pipeline.walkforward.forecast_losses import NO_CHANGE, squared_errors


@pytest.fixture(scope="module")
def folds(small_market: Market) -> list[Fold]:
    return make_folds(
        small_market,
        first_oos=small_market.dates[354],
        refit_every=20,
        rebalance_every=10,
        execution_lag=1,
    )


def test_errors_are_squared_differences_from_the_tradable_return(
    small_market: Market, folds: list[Fold]
) -> None:
    dates = decision_dates(folds)
    mean = np.full((len(dates), 5), 0.01)
    mean[2, 3] = np.nan
    tables = {"gru": forecast_table(mean, small_market, dates)}
    losses = squared_errors(small_market, folds, tables, horizon=5, execution_lag=1)
    assert set(losses) == {"gru", NO_CHANGE}
    # Date 1 is bar 364: bought at the close of 365, sold at that of 370.
    earned = np.log(small_market.close[370, 0] / small_market.close[365, 0])
    assert losses["gru"].iloc[1, 0] == pytest.approx((0.01 - earned) ** 2, rel=1e-12)
    assert losses[NO_CHANGE].iloc[1, 0] == pytest.approx(earned**2, rel=1e-12)
    # Nobody forecast this one, so no change is not asked for it either.
    assert np.isnan(losses["gru"].iloc[2, 3])
    assert np.isnan(losses[NO_CHANGE].iloc[2, 3])
    # The target of the last decisions lies beyond the sample.
    unknown = small_market.dates.get_indexer(dates) + 6 >= len(small_market.dates)
    assert unknown.any()
    assert losses["gru"][unknown].isna().all(axis=None)
    assert losses["gru"].index.equals(dates)


def test_no_change_is_asked_wherever_anybody_forecasts(
    small_market: Market, folds: list[Fold]
) -> None:
    dates = decision_dates(folds)
    some, others = np.full((2, len(dates), 5), 0.0)
    some[:, 0] = np.nan
    others[:, 1] = np.nan
    tables = {
        "gru": forecast_table(some, small_market, dates),
        "momentum": forecast_table(others, small_market, dates),
    }
    losses = squared_errors(small_market, folds, tables, horizon=5, execution_lag=1)
    assert losses[NO_CHANGE].iloc[0].notna().all()
    assert losses["gru"].iloc[0].isna().tolist() == [True, False, False, False, False]


def test_forecasts_of_another_walk_are_refused(small_market: Market, folds: list[Fold]) -> None:
    dates = decision_dates(folds) + pd.Timedelta(hours=1)
    table = forecast_table(np.zeros((len(dates), 5)), small_market, dates)
    with pytest.raises(DataError, match="no decision date"):
        squared_errors(small_market, folds, {"gru": table}, horizon=5, execution_lag=1)
