from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from classifier_samples import BURN_IN, NAMES, planted_market, quick_classifier, small_classifier
from sklearn.base import clone

from regime_nas_pipeline.core.bundle import bundle_from_bytes, bundle_to_bytes
from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.networks.training import TrainingPlan
from regime_nas_pipeline.regimes.classifier import FEATURES, RegimeClassifier
from regime_nas_pipeline.regimes.classifier_temperature import (
    LIMIT,
    fit_temperature,
    log_loss,
    tempered,
)


@pytest.fixture(scope="module")
def labelled() -> Market:
    market, labels = planted_market()
    return market.with_regimes(labels)


@pytest.fixture(scope="module")
def fitted(labelled: Market) -> RegimeClassifier:
    return small_classifier().fit(labelled.slice(0, 500))


def test_a_planted_rule_is_learned_out_of_sample(
    labelled: Market, fitted: RegimeClassifier
) -> None:
    dates = labelled.dates[500:-1]
    forecast = fitted.predict_online(labelled, dates)
    assert tuple(forecast.columns) == NAMES
    np.testing.assert_allclose(forecast.sum(axis=1), 1.0, atol=1e-12)
    assert labelled.regimes is not None
    truth = labelled.regimes[501:, 1] > 0.5
    said = forecast["stressed"].to_numpy() > 0.5
    # Half would be chance; only bars with the index near 20 are hard.
    assert (said == truth).mean() > 0.9
    held = np.where(truth, forecast["stressed"], forecast["calm"])
    assert -np.log(held).mean() < 0.3 < np.log(2.0)


def test_a_label_of_the_windows_own_bar_is_not_in_its_reach_here(labelled: Market) -> None:
    # The label follows the bar before the last, so that lead 0 is another question than lead 1.
    now = small_classifier(lead=0).fit(labelled.slice(0, 500))
    forecast = now.predict_online(labelled, labelled.dates[500:])
    assert labelled.regimes is not None
    truth = labelled.regimes[500:, 1] > 0.5
    assert ((forecast["stressed"] > 0.5) == truth).mean() > 0.85


def test_switches_have_their_own_classes(labelled: Market) -> None:
    classifier = quick_classifier(target="switch", lead=5).fit(labelled.slice(0, 500))
    forecast = classifier.predict_online(labelled, labelled.dates[500:510])
    assert list(forecast.columns) == ["stay", "switch"]
    # Independent labels switch within five bars but for 1 in 32 times.
    assert classifier.fit_log_["share_switch"] == pytest.approx(31 / 32, abs=0.03)


def test_same_seed_same_bits_and_another_seed_other_weights(labelled: Market) -> None:
    known, dates = labelled.slice(0, 300), labelled.dates[250:300]
    prototype = quick_classifier()
    first, second = (clone(prototype).fit(known).predict_online(known, dates) for _ in range(2))
    pd.testing.assert_frame_equal(first, second, check_exact=True)
    other = quick_classifier(seed=1).fit(known).predict_online(known, dates)
    assert not np.array_equal(first, other)


def test_one_date_alone_has_the_same_bits_as_among_others(
    labelled: Market, fitted: RegimeClassifier
) -> None:
    together = fitted.predict_online(labelled, labelled.dates[520:580])
    for date in labelled.dates[520:580:13]:
        alone = fitted.predict_online(labelled.until(date), pd.DatetimeIndex([date]))
        np.testing.assert_array_equal(alone.loc[date], together.loc[date])


def test_dates_without_a_complete_window_have_no_row(
    labelled: Market, fitted: RegimeClassifier
) -> None:
    found = fitted.predict_online(labelled, labelled.dates[:10])
    # The first return is known at the second bar, and a window takes four.
    pd.testing.assert_index_equal(found.index, labelled.dates[4:10])


def test_answers_that_are_not_known_yet_do_not_count(labelled: Market) -> None:
    lead, n_bars = 3, 300
    classifier = quick_classifier(lead=lead).fit(labelled.slice(0, n_bars))
    # Labels start after their burn-in, so that the first answers are those of earlier windows.
    first, last = BURN_IN - lead, n_bars - 1 - lead
    rows = last - first + 1
    validation = int(np.ceil(0.2 * rows))
    assert classifier.fit_log_["n_validation"] == validation
    # The training window before the tail ends where its answer is known as the tail begins.
    assert classifier.fit_log_["n_training"] == rows - validation - lead + 1


def test_features_are_standardised_with_the_bars_before_the_tail(labelled: Market) -> None:
    classifier = quick_classifier().fit(labelled.slice(0, 300))
    log = classifier.fit_log_
    last = BURN_IN - 1 + log["n_training"] - 1
    seen = labelled.observed["VIX"][1 : last + 1]
    assert classifier.feature_mean_[1] == pytest.approx(seen.mean(), rel=1e-12)
    assert classifier.feature_scale_[1] == pytest.approx(seen.std(), rel=1e-12)


def test_labels_revised_after_training_change_nothing(labelled: Market) -> None:
    assert labelled.regimes is not None
    revised = labelled.regimes.copy()
    revised[300:] = revised[300:, ::-1]
    date = labelled.dates[299]
    plain = quick_classifier().fit(labelled.until(date))
    other = quick_classifier().fit(replace(labelled, regimes=revised).until(date))
    for name, array in plain.to_bundle().arrays.items():
        np.testing.assert_array_equal(array, other.to_bundle().arrays[name])
    assert plain.temperature_ == other.temperature_
    # A label that was said before the end does count.
    revised[250:260] = revised[250:260, ::-1]
    changed = quick_classifier().fit(replace(labelled, regimes=revised).until(date))
    assert changed.fit_log_ != plain.fit_log_


def test_a_checkpoint_forecasts_the_same_bits(labelled: Market, fitted: RegimeClassifier) -> None:
    image = bundle_to_bytes(fitted.to_bundle())
    back = clone(fitted).from_bundle(bundle_from_bytes(image))
    dates = labelled.dates[600:620]
    pd.testing.assert_frame_equal(
        back.predict_online(labelled, dates),
        fitted.predict_online(labelled, dates),
        check_exact=True,
    )
    with pytest.raises(ParameterError, match="fewer than n_seeds = 3"):
        clone(fitted).set_params(n_seeds=3).from_bundle(bundle_from_bytes(image))


def test_temperature_undoes_overconfidence() -> None:
    generator = np.random.default_rng(2)
    honest = generator.uniform(0.05, 0.95, 20_000)
    classes = (generator.random(20_000) < honest).astype(int)
    both = np.column_stack([1.0 - honest, honest])
    assert fit_temperature(both, classes) == pytest.approx(1.0, abs=0.05)
    sure = tempered(both, 1.0 / 2.5)
    found = fit_temperature(sure, classes)
    assert found == pytest.approx(2.5, rel=0.05)
    assert log_loss(tempered(sure, found), classes) < log_loss(sure, classes)
    np.testing.assert_allclose(tempered(sure, 2.5), both, atol=1e-12)


def test_temperature_stays_within_its_limits() -> None:
    both = np.array([[0.4, 0.6], [0.6, 0.4]])
    assert fit_temperature(both, np.array([1, 0])) == pytest.approx(1.0 / LIMIT, rel=1e-3)
    assert fit_temperature(both, np.array([0, 1])) == pytest.approx(LIMIT, rel=1e-3)
    # One class alone says nothing about the other.
    assert fit_temperature(both, np.array([1, 1])) == 1.0


def test_a_market_without_labels_is_refused(labelled: Market) -> None:
    with pytest.raises(DataError, match="labelled market"):
        quick_classifier().fit(replace(labelled, regimes=None, regime_names=()))


def test_one_regime_in_training_is_refused(labelled: Market) -> None:
    regimes = np.tile([0.9, 0.1], (len(labelled.dates), 1))
    regimes[290:] = [0.1, 0.9]
    with pytest.raises(DataError, match="'calm' is all that came true in the 2"):
        quick_classifier().fit(replace(labelled, regimes=regimes).slice(0, 300))


def test_too_few_bars_are_refused(labelled: Market) -> None:
    classifier = RegimeClassifier(device="cpu")
    assert classifier.required_history() == 20 + 60 + 1
    with pytest.raises(DataError, match=r"at least 81 bars .* there are 80"):
        classifier.fit(labelled.slice(0, 80))
    with pytest.raises(DataError, match="cannot be split"):
        quick_classifier().fit(labelled.slice(0, BURN_IN + 1))


def test_a_missing_volatility_index_is_refused(labelled: Market) -> None:
    assert "vix" in FEATURES
    with pytest.raises(DataError, match=r"'vix' reads the one observed series.*universe\.observed"):
        quick_classifier().fit(replace(labelled, observed={}))
    gaps = labelled.observed["VIX"].copy()
    gaps[100:150] = np.nan
    with pytest.raises(DataError, match="blank"):
        quick_classifier().fit(replace(labelled, observed={"VIX": gaps}))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"target": "crash"}, "target 'crash'"),
        ({"lead": -1}, "lead >= 0"),
        ({"target": "switch", "lead": 0}, "lead >= 1"),
        ({"n_seeds": 0}, "n_seeds"),
        ({"features": ("mood",)}, "no feature 'mood'"),
        ({"width": 7}, "width"),
        ({"training": TrainingPlan(max_samples=3, batch_dates=8)}, "does not pay"),
    ],
)
def test_arguments_out_of_range_are_refused(
    labelled: Market, wrong: dict[str, object], message: str
) -> None:
    with pytest.raises(ParameterError, match=message):
        quick_classifier(**wrong).fit(labelled.slice(0, 200))
