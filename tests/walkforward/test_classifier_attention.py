from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from guide_samples import one_asset

from regime_nas_pipeline.core.cache import PieceCache, take_counts
from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.networks.training import TrainingPlan
from regime_nas_pipeline.regimes.classifier import RegimeClassifier
from regime_nas_pipeline.regimes.classifier_walk import ClassifierWalk, classifier_walk, restored
from regime_nas_pipeline.walkforward.attention_walks import Shuffles, WalkInspection
from regime_nas_pipeline.walkforward.classifier_attention import (
    inspect_classifier,
    windows_with_classes,
)

BURN_IN, REFIT = 300, 100
CLASSIFIER = RegimeClassifier(
    features=("return_1", "vix"),
    lookback=4,
    width=8,
    layers=1,
    attention_heads=2,
    feed_forward=16,
    dropout=0.0,
    learning_rate=1e-2,
    training=TrainingPlan(max_samples=2500, batch_dates=16, sample_every=2, patience=5),
    n_seeds=1,
    device="cpu",
)


@pytest.fixture(scope="module")
def sample() -> tuple[Market, pd.DataFrame, ClassifierWalk]:
    """The next label follows the volatility index of the decision bar, and nothing else."""
    market = one_asset(n_bars=560)
    index = 20.0 + 4.0 * np.random.default_rng(3).standard_normal(560)
    market = replace(market, observed={"VIX": index})
    stressed = np.r_[False, index[:-1] > 20.0].astype(float)
    labels = pd.DataFrame({"calm": 1.0 - stressed, "stressed": stressed}, index=market.dates)
    walk = classifier_walk(market, labels, CLASSIFIER, burn_in=BURN_IN, refit_every=REFIT)
    return market, labels, walk


@pytest.fixture(scope="module")
def found(
    sample: tuple[Market, pd.DataFrame, ClassifierWalk], tmp_path_factory: pytest.TempPathFactory
) -> WalkInspection:
    market, labels, walk = sample
    cache = PieceCache(str(tmp_path_factory.mktemp("pieces")))
    settings = {"shuffles": Shuffles(block=1, n_repeats=2), "level": 0.95, "cache": cache}
    take_counts()
    inspect_classifier(CLASSIFIER, walk, market, labels, **settings)
    assert take_counts().made == 3
    again = inspect_classifier(CLASSIFIER, walk, market, labels, **settings)
    counts = take_counts()
    assert (counts.made, counts.reused) == (0, 3)
    return again


def test_what_decides_is_important_at_the_bar_where_it_decides(found: WalkInspection) -> None:
    features = found.pooled.features.set_index("feature")["importance"]
    assert features["vix"] > 0.2
    assert abs(features["return_1"]) < 0.1 * features["vix"]
    blocks = found.pooled.blocks.set_index("first_lag")["importance"]
    assert blocks.index.tolist() == [0, 1, 2, 3]
    assert blocks.idxmax() == 0
    assert blocks[0] > 0.2


def test_every_date_with_a_known_class_is_seen_by_the_fit_that_forecast_it(
    sample: tuple[Market, pd.DataFrame, ClassifierWalk], found: WalkInspection
) -> None:
    market, labels, walk = sample
    assert found.pooled.n_windows == len(walk.forecasts) - 1  # of the last the class is not known
    fitted = restored(walk, CLASSIFIER, 1)
    dates = market.dates[400:405]
    batch = windows_with_classes(fitted, market.with_regimes(labels), dates)
    stressed = labels["stressed"].to_numpy()
    np.testing.assert_array_equal(batch.target[:, 0], stressed[401:406])
    vix = batch.asset[:, 0, -1, 1].numpy() * fitted.feature_scale_[1] + fitted.feature_mean_[1]
    np.testing.assert_allclose(vix, market.observed["VIX"][400:405], rtol=1e-5)


def test_without_outcomes_there_is_nothing_to_inspect(
    sample: tuple[Market, pd.DataFrame, ClassifierWalk],
) -> None:
    market, labels, walk = sample
    late = ClassifierWalk(walk.forecasts.iloc[-1:], walk.fits, walk.checkpoints)
    with pytest.raises(DataError, match="two dates whose class came true"):
        inspect_classifier(
            CLASSIFIER,
            late,
            market,
            labels,
            shuffles=Shuffles(),
            level=0.95,
            cache=PieceCache(None),
        )
