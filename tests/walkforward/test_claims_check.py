from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from small_networks import small_forecaster
from tuning_tasks import NO_CACHE

from regime_nas_pipeline.forecasters.gru import GRUForecaster
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.walkforward.claims_check import (
    Claims,
    forecast_claims,
    regime_names_at,
    score_claims,
    training_costs,
)
from regime_nas_pipeline.walkforward.folds import Fold

SMALL = small_forecaster()


@pytest.fixture(scope="module")
def folds(labelled_market: Market) -> list[Fold]:
    dates = labelled_market.dates
    return [Fold(0, dates[0], dates[349], dates[350:415:5])]


@pytest.fixture(scope="module")
def walked(labelled_market: Market, folds: list[Fold]) -> tuple[pd.DataFrame, pd.DataFrame]:
    shared = {"horizon": 5, "execution_lag": 1, "training": SMALL.training, "device": "cpu"}
    prototypes = {
        "regime_nas": SMALL,
        "gru": GRUForecaster(width=4, lookback=20, timeframes=(1, 5), **shared),
    }
    return forecast_claims(prototypes, labelled_market, folds, n_seeds=2, seed=3, cache=NO_CACHE)


def test_seeds_are_kept_apart(walked: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    forecasts, training = walked
    assert forecasts.groupby("forecaster")["seed"].nunique().to_dict() == {
        "regime_nas": 2,
        "gru": 2,
    }
    wide = forecasts.pivot(index=["date", "asset"], columns=["forecaster", "seed"], values="mean")
    assert not np.allclose(wide["gru", 0], wide["gru", 1])
    assert len(training) == 4
    assert (training["epochs"] > 0).all()


def test_levels_start_from_the_price_that_the_return_starts_from(
    labelled_market: Market, folds: list[Fold], walked: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    scores = score_claims(walked[0], labelled_market, folds, horizon=5, execution_lag=1)
    rows = labelled_market.dates.get_indexer(folds[0].decisions)
    known = rows + 6 < len(labelled_market.dates)
    start, end = labelled_market.close[rows[known] + 1], labelled_market.close[rows[known] + 6]
    still = scores.query("scope == 'pooled' and forecaster == 'no_change'").iloc[0]
    assert still["n"] == start.size
    assert still["mae_levels"] == pytest.approx(np.abs(end - start).mean())
    assert still["mae_returns"] == pytest.approx(np.abs(np.log(end / start)).mean())
    own = walked[0].query("forecaster == 'gru' and seed == 1")
    mean = own.pivot(index="date", columns="asset", values="mean").to_numpy()[known]
    gru = scores.query("scope == 'pooled' and forecaster == 'gru' and seed == 1").iloc[0]
    assert gru["mae_levels"] == pytest.approx(np.abs(end - start * np.exp(mean)).mean())


def test_every_asset_and_regime_has_its_scores(
    labelled_market: Market, folds: list[Fold], walked: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    scores = score_claims(walked[0], labelled_market, folds, horizon=5, execution_lag=1)
    assert set(scores.query("scope == 'asset'")["group"]) == set(labelled_market.assets)
    counts = scores.query("forecaster == 'no_change'").groupby("scope")["n"].sum()
    assert counts["asset"] == counts["regime"] == counts["pooled"]


def test_regimes_are_the_likeliest_online_label(labelled_market: Market) -> None:
    rows = np.array([5, 200, 300])
    names = regime_names_at(labelled_market, rows)
    assert names[0] == "unlabelled"
    assert labelled_market.regimes is not None
    for row, name in zip(rows[1:], names[1:], strict=True):
        probability = dict(
            zip(labelled_market.regime_names, labelled_market.regimes[row], strict=True)
        )
        assert probability[name] == max(probability.values())


def test_costs_are_means_over_fits_and_the_search_is_counted() -> None:
    training = pd.DataFrame(
        {
            "forecaster": ["gru", "gru"],
            "seed": [0, 1],
            "epochs": [4.0, 6.0],
            "gradient_samples": [400, 600],
        }
    )
    found = training_costs(training, {"gru": {"gradient_samples": 5000}}, {})["gru"]
    assert found == {
        "epochs": 5.0,
        "samples_per_fit": 500.0,
        "samples_per_epoch": 100.0,
        "search_samples": 5000,
        "search_hours": None,
    }


def test_defaults_are_those_of_the_paper() -> None:
    assert Claims().seeds >= 5
    assert Claims().execution_lag == 0
