from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from classifier_samples import NAMES, planted_market, quick_classifier, small_classifier

from regime_nas_pipeline.core.cache import PieceCache, take_counts
from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.regimes.classifier import RegimeClassifier
from regime_nas_pipeline.regimes.classifier_controls import (
    hard_persistence,
    persistence_forecast,
    realised,
)
from regime_nas_pipeline.regimes.classifier_walk import ClassifierWalk, classifier_walk, restored
from regime_nas_pipeline.verdict.classification import classification_table
from regime_nas_pipeline.verdict.classification_comparison import loss_comparison

SCHEDULE = {"burn_in": 200, "refit_every": 60}


@pytest.fixture(scope="module")
def sample() -> tuple[Market, pd.DataFrame]:
    market, labels = planted_market(320)
    return market, labels


@pytest.fixture(scope="module")
def walk(sample: tuple[Market, pd.DataFrame]) -> ClassifierWalk:
    return classifier_walk(*sample, quick_classifier(), **SCHEDULE)


def test_every_bar_from_the_burn_in_on_is_forecast(
    sample: tuple[Market, pd.DataFrame], walk: ClassifierWalk
) -> None:
    market, _ = sample
    pd.testing.assert_index_equal(walk.forecasts.index, market.dates[199:])
    assert tuple(walk.forecasts.columns) == NAMES
    np.testing.assert_allclose(walk.forecasts.sum(axis=1), 1.0, atol=1e-12)
    assert walk.fits.index.tolist() == [market.dates[row] for row in (199, 259, 319)]
    assert (np.diff(walk.fits["n_training"]) > 0).all()


def test_each_fold_is_fitted_at_its_first_bar_alone(
    sample: tuple[Market, pd.DataFrame], walk: ClassifierWalk
) -> None:
    market, labels = sample
    labelled = market.with_regimes(labels)
    alone = quick_classifier().fit(labelled.slice(0, 260))
    expected = alone.predict_online(labelled, market.dates[259:319])
    pd.testing.assert_frame_equal(walk.forecasts.iloc[60:120], expected, check_exact=True)
    kept = restored(walk, quick_classifier(), 1)
    pd.testing.assert_frame_equal(
        kept.predict_online(labelled, market.dates[259:319]), expected, check_exact=True
    )


@pytest.mark.parametrize("row", [230, 259])
def test_scrambling_the_future_leaves_the_past_as_it_was(
    sample: tuple[Market, pd.DataFrame], walk: ClassifierWalk, row: int
) -> None:
    market, labels = sample
    generator = np.random.default_rng(row)
    close = market.close.copy()
    close[row + 1 :] *= np.exp(0.1 * generator.standard_normal((len(close) - row - 1, 1)))
    index = market.observed["VIX"].copy()
    index[row + 1 :] = 80.0 * generator.random(len(index) - row - 1) + 1.0
    altered = replace(market, close=close, benchmark=close[:, 0], observed={"VIX": index})
    other = labels.copy()
    later = other.index > market.dates[row]
    other[later] = other[later].to_numpy()[:, ::-1]
    again = classifier_walk(altered, other, quick_classifier(), **SCHEDULE)
    until = row - 199 + 1
    pd.testing.assert_frame_equal(
        again.forecasts.iloc[:until], walk.forecasts.iloc[:until], check_exact=True
    )
    assert not np.allclose(again.forecasts.iloc[until:], walk.forecasts.iloc[until:])


def test_finished_folds_are_kept_and_the_last_is_made_anew_for_new_bars(
    sample: tuple[Market, pd.DataFrame], walk: ClassifierWalk, tmp_path: Path
) -> None:
    market, labels = sample
    cache = PieceCache(str(tmp_path))
    take_counts()
    shorter = market.dates[309]
    first = classifier_walk(
        market.until(shorter), labels.loc[:shorter], quick_classifier(), cache=cache, **SCHEDULE
    )
    assert (take_counts().made, len(first.fits)) == (2, 2)
    whole = classifier_walk(market, labels, quick_classifier(), cache=cache, **SCHEDULE)
    counts = take_counts()
    # The first fold ends before the new bars; the second goes on, and the third begins.
    assert (counts.reused, counts.made) == (1, 2)
    pd.testing.assert_frame_equal(whole.forecasts, walk.forecasts, check_exact=True)
    pd.testing.assert_frame_equal(whole.fits, walk.fits, check_exact=True)
    classifier_walk(market, labels, quick_classifier(seed=1), cache=cache, **SCHEDULE)
    assert take_counts().made == 3


class OwnClassifier(RegimeClassifier):
    """A class from outside the package, whose code no key knows."""


def test_pieces_of_a_users_own_class_are_not_kept(
    sample: tuple[Market, pd.DataFrame], tmp_path: Path
) -> None:
    own = OwnClassifier(**quick_classifier().get_params(deep=False))
    classifier_walk(*sample, own, burn_in=300, cache=PieceCache(str(tmp_path)))
    assert list(tmp_path.iterdir()) == []


def test_a_rule_that_labels_follow_beats_both_controls() -> None:
    market, labels = planted_market(600)
    walk = classifier_walk(market, labels, small_classifier(), burn_in=400, refit_every=500)
    forecasts = {
        "classifier": walk.forecasts,
        "persistence": persistence_forecast(labels),
        "hard_persistence": hard_persistence(labels),
    }
    outcome = realised(labels, target="label", lead=1)
    table = classification_table(forecasts, outcome).set_index("forecaster")
    assert table.loc["classifier", "n"] == 200
    assert table.loc["classifier", "accuracy"] > 0.85
    assert abs(table.loc["persistence", "accuracy"] - 0.5) < 0.1
    tests = loss_comparison(forecasts, outcome, subject="classifier", horizon=1)
    tested = tests[tests["p_holm"].notna()]
    assert set(tested["effect"]) == {"better"}


def test_labels_must_be_on_the_bars_of_the_market(sample: tuple[Market, pd.DataFrame]) -> None:
    market, labels = sample
    gap = labels.drop(index=labels.index[100])
    with pytest.raises(DataError, match="consecutive bars"):
        classifier_walk(market, gap, quick_classifier(), **SCHEDULE)
    blank = labels.copy()
    blank.iloc[7] = np.nan
    with pytest.raises(DataError, match="a label is blank"):
        classifier_walk(market, blank, quick_classifier(), **SCHEDULE)


def test_a_burn_in_beyond_the_data_is_refused(sample: tuple[Market, pd.DataFrame]) -> None:
    market, labels = sample
    with pytest.raises(DataError, match=r"burn-in .* takes 321 bars and there are 320"):
        classifier_walk(market, labels, quick_classifier(), burn_in=321)
    with pytest.raises(DataError, match=r"labelled market|cannot be split"):
        classifier_walk(market, labels, quick_classifier(), burn_in=40)
