from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from neural_cases import NEURAL, tiny

from regime_nas_pipeline.forecasters.neural import NeuralForecaster
from regime_nas_pipeline.forecasters.prediction import PREDICTION_DATES
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.market.synthetic import with_listing


def lived(market: Market) -> Market:
    return with_listing(market, first_bar={"A03": 150}, last_bar={"A01": 350})


@pytest.fixture(scope="module")
def fitted(labelled_market: Market) -> dict[str, Any]:
    training = lived(labelled_market).until(labelled_market.dates[300])
    return {cls.__name__: tiny(cls).fit(training) for cls in NEURAL}


@pytest.mark.parametrize("cls", NEURAL)
def test_batches_of_many_dates_give_what_each_date_gives_alone(
    cls: type[NeuralForecaster], fitted: dict[str, Any], labelled_market: Market
) -> None:
    forecaster, market = fitted[cls.__name__], lived(labelled_market)
    # From before there is history on, in no order, with one date twice and a batch left over.
    rows = np.random.default_rng(0).permutation(np.arange(50, 420))[: 3 * PREDICTION_DATES + 7]
    rows = np.append(rows, rows[3])
    dates = market.dates[rows]
    together = forecaster.predict(market, dates)
    alone = [forecaster.predict(market, dates[[line]]) for line in range(len(dates))]
    for name in ("mean", "volatility", "seed_spread"):
        expected = np.vstack([getattr(forecast, name) for forecast in alone])
        found = getattr(together, name)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6, err_msg=name)
    assert np.isnan(together.mean).any(axis=0).all()
    assert np.isfinite(together.mean).any(axis=0).all()


@pytest.mark.parametrize("cls", NEURAL)
def test_what_stands_beside_a_date_in_a_batch_leaves_it_to_the_bit(
    cls: type[NeuralForecaster], fitted: dict[str, Any], labelled_market: Market
) -> None:
    forecaster, market = fitted[cls.__name__], labelled_market
    ours = np.arange(200, 200 + PREDICTION_DATES - 10)
    one = np.append(ours, np.arange(300, 330))
    other = np.append(ours, np.arange(380, 410)[::-1])
    first = forecaster.predict(market, market.dates[one])
    second = forecaster.predict(market, market.dates[other])
    np.testing.assert_array_equal(first.mean[: len(ours)], second.mean[: len(ours)])
    assert (first.mean[len(ours) :] != second.mean[len(ours) :]).any()


def test_no_dates_give_an_empty_forecast(fitted: dict[str, Any], labelled_market: Market) -> None:
    forecast = fitted[NEURAL[0].__name__].predict(labelled_market, labelled_market.dates[:0])
    assert forecast.mean.shape == (0, 5)
    assert forecast.to_frame().empty
