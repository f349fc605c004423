"""An asset that is listed later changes nothing before, to the last bit; nor is its name known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from small_networks import small_forecaster

from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.forecasters.base import Forecast, Forecaster
from regime_nas_pipeline.forecasters.garch import GarchForecaster
from regime_nas_pipeline.forecasters.gru import GRUForecaster
from regime_nas_pipeline.forecasters.momentum import MomentumForecaster
from regime_nas_pipeline.forecasters.transformer import TransformerForecaster
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.networks.training import TrainingPlan
from regime_nas_pipeline.walkforward.folds import make_folds
from regime_nas_pipeline.walkforward.forecasts import walk_forward

LISTED = 305
"""Row of the first close of the late assets: inside the second of four folds."""

PLAN = TrainingPlan(max_samples=200, batch_dates=4, sample_every=5)
NETWORK = {"horizon": 5, "lookback": 8, "timeframes": (1, 5), "n_seeds": 1, "training": PLAN}
FORECASTERS = {
    "gru": GRUForecaster(**NETWORK, width=4, device="cpu"),
    "transformer": TransformerForecaster(**NETWORK, width=4, device="cpu"),
    "regime_nas": small_forecaster(n_seeds=1),
    "garch": GarchForecaster(horizon=5, min_observations=100),
    "momentum": MomentumForecaster(horizon=5),
}


def with_late_assets(market: Market, n_late: int = 9) -> Market:
    """The market and assets among its own, in the order of names, that are listed later."""
    rng = np.random.default_rng(4)
    late = 50.0 * np.exp(0.02 * rng.standard_normal((len(market.dates), n_late)).cumsum(axis=0))
    late[:LISTED] = np.nan
    names = [*market.assets, *(f"A0{number}x" for number in range(n_late))]
    order = np.argsort(names)
    close = np.hstack([market.close, late])[:, order]
    return replace(market, assets=tuple(np.array(names)[order].tolist()), close=close, fields={})


def before(table: pd.DataFrame, date: pd.Timestamp) -> pd.DataFrame:
    return table[table["date"] < date].reset_index(drop=True)


@pytest.mark.parametrize("name", FORECASTERS)
def test_forecasts_and_models_before_a_listing_have_the_bits_without_it(
    name: str, labelled_market: Market
) -> None:
    plain = replace(labelled_market, fields={})
    wide = with_late_assets(plain)
    forecaster: Forecaster = FORECASTERS[name]
    folds = make_folds(
        plain,
        first_oos=plain.dates[260],
        refit_every=40,
        rebalance_every=20,
        execution_lag=1,
    )
    assert len(folds) == 4
    one, two = (walk_forward(forecaster, m, folds, cache=PieceCache(None)) for m in (plain, wide))
    listed = plain.dates[LISTED]
    expected = before(one.forecasts, listed)
    assert set(expected["fold"]) == {0, 1}
    pd.testing.assert_frame_equal(before(two.forecasts, listed), expected, check_exact=True)
    for fold in (0, 1):
        assert two.checkpoints.facts["folds"][fold] == one.checkpoints.facts["folds"][fold]
        arrays = one.checkpoints.prefixed(f"fold{fold:02d}")
        for key, array in two.checkpoints.prefixed(f"fold{fold:02d}").items():
            np.testing.assert_array_equal(array, arrays[key], key)
    late = set(wide.assets) - set(plain.assets)
    assert set(two.checkpoints.facts["folds"][2]["closes"]["assets"]) == set(wide.assets)
    # Once they have a history they are forecast like all others.
    assert late <= set(two.forecasts.loc[two.forecasts["date"] > listed, "asset"])


def test_an_asset_counts_as_listed_from_its_first_close_on(small_market: Market) -> None:
    wide = with_late_assets(small_market)
    members = np.ones(wide.close.shape, dtype=bool)
    wide = replace(wide, members=members)
    assert wide.listed() is wide
    known = wide.until(wide.dates[LISTED - 1])
    assert known.listed().assets == small_market.assets
    np.testing.assert_array_equal(known.listed().close, small_market.close[:LISTED])
    assert known.listed().members.shape == known.listed().close.shape
    assert wide.until(wide.dates[LISTED]).listed().assets == wide.assets
    # Closes before the first row count, for an asset that has ended as well.
    close = wide.close.copy()
    close[200:, 0] = np.nan
    ended = replace(wide, close=close).slice(250, 300).listed()
    assert ended.assets == small_market.assets
    assert len(ended.closes_before) == len(ended.assets)


def test_a_forecast_is_blank_for_assets_that_were_not_asked() -> None:
    dates = pd.DatetimeIndex(["2020-01-01", "2020-01-02"])
    mean = np.array([[1.0, 2.0], [3.0, 4.0]])
    forecast = Forecast(dates, ("B", "C"), mean, seed_means=np.stack([mean, mean + 1.0]))
    wide = forecast.on(("A", "B", "C", "D"))
    assert wide.assets == ("A", "B", "C", "D")
    np.testing.assert_array_equal(wide.mean[:, 1:3], mean)
    assert np.isnan(wide.mean[:, [0, 3]]).all()
    np.testing.assert_array_equal(wide.seed_means[1, :, 1:3], mean + 1.0)
    assert wide.volatility is None
    assert forecast.on(("B", "C")) is forecast
    pd.testing.assert_frame_equal(wide.to_frame(), forecast.to_frame())
    with pytest.raises(ParameterError, match="forecast for C"):
        forecast.on(("A", "B"))
