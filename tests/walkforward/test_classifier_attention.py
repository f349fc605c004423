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
from regime_nas_pipeline.walkforward.attention_walks import Shuffles
from regime_nas_pipeline.walkforward.classifier_attention import (
    ClassifierAttention,
    classifier_attention_words,
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
) -> ClassifierAttention:
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


def test_what_decides_is_important_at_the_bar_where_it_decides(found: ClassifierAttention) -> None:
    pooled = found.walk.pooled
    features = pooled.features.set_index("feature")["importance"]
    assert features["vix"] > 0.2
    assert abs(features["return_1"]) < 0.1 * features["vix"]
    blocks = pooled.blocks.set_index("first_lag")["importance"]
    assert blocks.index.tolist() == [0, 1, 2, 3]
    assert blocks.idxmax() == 0
    assert blocks[0] > 0.2
    *_, bars, feature = classifier_attention_words(found)
    assert "Both put the same stretch first: the bars 0 to 0 " in bars
    assert bars.endswith(f"shuffling them adds {blocks[0]:.3f} nats.")
    assert f"vix counts most: shuffled, it adds {features['vix']:.3f} nats" in feature


def test_every_date_with_a_known_class_is_seen_by_the_fit_that_forecast_it(
    sample: tuple[Market, pd.DataFrame, ClassifierWalk], found: ClassifierAttention
) -> None:
    market, labels, walk = sample
    n_known = len(walk.forecasts) - 1  # of the last the class is not known
    assert found.walk.pooled.n_windows == found.fits["n_windows"].sum() == n_known
    # The fit of a date is made at its close and forecasts from it on.
    assert found.fits["fitted"].tolist() == list(walk.fits.index)
    assert found.fits["first"].tolist() == list(walk.fits.index)
    assert (found.fits["last"] < found.fits["fitted"].shift(-1)).tolist() == [True, True, False]
    assert found.fits["shown"].tolist() == [False, True, False]
    assert found.walk.last.n_windows == REFIT
    fitted = restored(walk, CLASSIFIER, 1)
    dates = market.dates[400:405]
    batch = windows_with_classes(fitted, market.with_regimes(labels), dates)
    stressed = labels["stressed"].to_numpy()
    np.testing.assert_array_equal(batch.target[:, 0], stressed[401:406])
    vix = batch.asset[:, 0, -1, 1].numpy() * fitted.feature_scale_[1] + fitted.feature_mean_[1]
    np.testing.assert_allclose(vix, market.observed["VIX"][400:405], rtol=1e-5)


def test_averages_over_heads_stand_before_the_heads_of_the_network_shown(
    found: ClassifierAttention,
) -> None:
    heads, last = found.heads(), found.walk.last
    assert heads[["fits", "layer", "head"]].to_numpy().tolist() == [
        [3, 0, 0], [1, 0, 0], [1, 1, 1], [1, 1, 2],
    ]  # fmt: skip
    np.testing.assert_array_equal(heads["entropy"][2:], last.entropy["share"])
    assert heads["entropy"][1] == pytest.approx(last.entropy["share"].mean())
    np.testing.assert_array_equal(heads["correlation"][1:], last.agreement["correlation"])
    assert heads["correlation"][0] == found.walk.pooled.agreement["correlation"][0]


@pytest.mark.parametrize(
    ("interval", "verdict"),
    [
        ((0.5, 0.1, 0.8), "agree here on the order of the bars"),
        ((0.5, -0.1, 0.8), "cannot be said to agree"),
        ((-0.5, -0.8, -0.1), "contradict each other"),
        ((0.5, np.nan, np.nan), "is open: there are too few fits"),
        ((np.nan, np.nan, np.nan), "cannot be compared"),
    ],
)
def test_the_verdict_on_agreement_follows_its_interval(
    found: ClassifierAttention, interval: tuple[float, float, float], verdict: str
) -> None:
    agreement = found.walk.pooled.agreement.copy()
    agreement.loc[0, ["correlation", "low", "high"]] = interval
    pooled = replace(found.walk.pooled, agreement=agreement)
    changed = replace(found, walk=replace(found.walk, pooled=pooled))
    assert verdict in classifier_attention_words(changed)[2]


def test_words_tell_stretches_apart_that_are_looked_at_and_missed(
    found: ClassifierAttention,
) -> None:
    blocks = pd.DataFrame(
        {
            "first_lag": [0, 5],
            "last_lag": [4, 6],
            "attention": [0.01, 0.3],
            "importance": [0.25, 0.2],
        }
    )
    features = found.walk.pooled.features.assign(low=[0.1, -0.1], high=0.5)
    pooled = replace(found.walk.pooled, blocks=blocks, features=features)
    changed = replace(found, walk=replace(found.walk, pooled=pooled))
    first, *_, bars, feature = classifier_attention_words(changed)
    assert (
        "the bars 5 to 6 before the decision bar have most of the CLS token's weight, 60 %" in bars
    )
    assert bars.endswith("shuffling costs most for the bars 0 to 4, 1.250 nats.")
    assert "of 2 features 1 has an interval above zero" in feature
    fitted = found.fits["fitted"][1].date()
    assert f"those of the fit of {fitted} and its {REFIT} windows" in first


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
