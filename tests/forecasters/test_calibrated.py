from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from forecaster_checks import check_forecaster, check_seeds
from hypothesis import given
from hypothesis import strategies as st
from neural_cases import SHORT, autoregressive_market, tiny
from sklearn.base import clone

from regime_nas_pipeline.core.bundle import Bundle
from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.forecasters.calibrated import (
    CalibratedForecaster,
    scaled_spread,
    spread_factor,
)
from regime_nas_pipeline.forecasters.gru import GRUForecaster
from regime_nas_pipeline.forecasters.momentum import MomentumForecaster
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.networks.training import TrainingPlan

PACKAGE = "regime_nas_pipeline.forecasters"
GRU = f"{PACKAGE}.gru.GRUForecaster"
MOMENTUM = f"{PACKAGE}.momentum.MomentumForecaster"
TINY_GRU: dict[str, Any] = {"lookback": 12, "timeframes": [1, 5], "width": 8}


def calibrated(forecaster: str, params: dict[str, Any], **changes: Any) -> CalibratedForecaster:
    settings: dict[str, Any] = {
        "horizon": 5,
        "execution_lag": 1,
        "training": SHORT,
        "n_seeds": 1,
        "device": "cpu",
    }
    return CalibratedForecaster(forecaster=forecaster, params=params, **{**settings, **changes})


def next_bar(slope: float, **changes: Any) -> CalibratedForecaster:
    """Expects ``slope`` of the last bar's relative return again."""
    own = {"lookback": 1, "slope": slope}
    return calibrated(MOMENTUM, own, horizon=1, execution_lag=0, **changes)


def test_keeps_the_contract_around_a_network(small_market: Market) -> None:
    check_forecaster(calibrated(GRU, TINY_GRU), small_market, exact=True)


@pytest.mark.parametrize("training", [SHORT, TrainingPlan(validation_fraction=0.3, embargo=4)])
def test_keeps_the_contract_around_a_rule(training: TrainingPlan, small_market: Market) -> None:
    check_forecaster(
        calibrated(MOMENTUM, {"lookback": 10}, training=training), small_market, exact=True
    )


def test_flags_are_those_of_the_inner_forecaster() -> None:
    regime_nas = calibrated(f"{PACKAGE}.regime_nas.RegimeNasForecaster", {})
    assert (regime_nas.needs_regimes, regime_nas.stochastic, regime_nas.gives_volatility) == (
        True,
        True,
        True,
    )
    momentum = calibrated(MOMENTUM, {})
    assert not momentum.needs_regimes
    assert not momentum.stochastic
    assert not momentum.gives_volatility
    assert momentum.multivariate
    assert momentum.classes() == (CalibratedForecaster, MomentumForecaster)
    assert regime_nas.required_regimes() == regime_nas.inner().required_regimes()


def test_the_factor_is_the_shrunk_slope_of_a_twin_that_never_saw_the_tail(
    small_market: Market,
) -> None:
    training = small_market.until(small_market.dates[299])
    found = calibrated(
        MOMENTUM,
        {"lookback": 10},
        prior_deviation=0.7,
        training=TrainingPlan(validation_fraction=0.25, embargo=2),
    ).fit(training)

    # 300 bars: samples from row 10 to row 293, of which the last quarter is 71 rows from 223 on.
    twin = MomentumForecaster(5, 1, 10).fit(training.until(training.dates[220]))
    rows = np.arange(293, 222, -5)[::-1]
    target = training.target(5, 1)[rows]
    xx = xy = 0.0
    deviations = []
    for row, outcome in zip(rows, target, strict=True):
        date = training.dates[row]
        mean = twin.predict(training.until(date), pd.DatetimeIndex([date])).mean[0]
        deviations.append((mean - mean.mean(), outcome - outcome.mean()))
        xx += deviations[-1][0] @ deviations[-1][0]
        xy += deviations[-1][0] @ deviations[-1][1]
    slope = xy / xx
    scores = [x @ (y - slope * x) for x, y in deviations]
    n, dates = target.size, len(rows)
    error = np.sqrt(dates / (dates - 1) * sum(s**2 for s in scores)) / xx
    assert n == 5 * 15
    weight = 0.49 / (0.49 + error**2)
    assert found.spread_.slope == pytest.approx(slope)
    assert found.spread_.slope_error == pytest.approx(error)
    assert found.spread_.weight == pytest.approx(weight)
    expected = np.clip(1 + weight * (slope - 1), 0, 5)
    assert found.spread_.factor == pytest.approx(expected)
    assert found.spread_.n_dates == 15


def test_the_twin_is_fitted_before_the_tail_and_the_forecaster_on_everything(
    small_market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = []
    fit = MomentumForecaster.fit

    def spy(self: MomentumForecaster, market: Market) -> MomentumForecaster:
        ends.append(market.dates[-1])
        return fit(self, market)

    monkeypatch.setattr(MomentumForecaster, "fit", spy)
    training = small_market.until(small_market.dates[299])
    calibrated(MOMENTUM, {"lookback": 10}).fit(training)
    # 284 sample rows from row 10 on, the last 57 of them from row 237 on.
    assert ends == [training.dates[236], training.dates[299]]


@pytest.mark.parametrize("claimed", [0.1, 1.4])
def test_a_spread_that_is_too_small_or_too_large_is_put_right(claimed: float) -> None:
    market = autoregressive_market(seed=1)  # the true share is 0.7
    found = next_bar(claimed, cap=20.0, prior_deviation=10.0).fit(market.until(market.dates[500]))
    assert found.spread_.factor == pytest.approx(0.7 / claimed, rel=0.15)
    assert found.spread_.bound == "none"
    dates = market.dates[501:650]
    mean = found.predict(market, dates).mean
    plain = found.fitted_.predict(market, dates).mean
    own = np.nanmean(plain, axis=1)
    np.testing.assert_allclose(np.nanmean(mean, axis=1), own)
    factor = found.spread_.factor
    np.testing.assert_allclose(mean - own[:, None], factor * (plain - own[:, None]), atol=1e-12)
    assert (np.argsort(mean, axis=1) == np.argsort(plain, axis=1)).all()


def test_limits_hold_and_are_told() -> None:
    market = autoregressive_market(seed=2)
    training = market.until(market.dates[500])
    capped = next_bar(0.05, cap=3.0).fit(training).spread_
    assert (capped.factor, capped.bound) == (3.0, "cap")
    reversed_ = next_bar(-1.0, prior_deviation=3.0).fit(training)
    assert (reversed_.spread_.factor, reversed_.spread_.bound) == (0.0, "floor")
    assert reversed_.spread_.slope == pytest.approx(-0.7, abs=0.2)
    mean = reversed_.predict(market, market.dates[510:520]).mean
    assert (np.ptp(mean, axis=1) < 1e-15).all()


def test_forecasts_that_do_not_differ_stay_as_they_are(small_market: Market) -> None:
    found = calibrated(MOMENTUM, {"lookback": 10, "slope": 0.0}).fit(small_market)
    assert found.spread_.factor == 1.0
    assert found.spread_.slope is None


def test_the_network_behind_it_is_the_plain_one_to_the_bit(small_market: Market) -> None:
    training = small_market.until(small_market.dates[299])
    found = calibrated(GRU, TINY_GRU, seed=4).fit(training)
    plain = tiny(GRUForecaster, n_seeds=1, seed=4).fit(training)
    dates = small_market.dates[300:310]
    inner, own = found.fitted_.predict(small_market, dates), plain.predict(small_market, dates)
    np.testing.assert_array_equal(inner.mean, own.mean)
    forecast = found.predict(small_market, dates)
    np.testing.assert_array_equal(forecast.volatility, own.volatility)
    assert forecast.seed_means is not None
    np.testing.assert_array_equal(forecast.seed_means[0], forecast.mean)
    assert (forecast.seed_spread == 0).all()
    report, plain_report = found.fit_report_, plain.fit_report_
    assert report.gradient_samples > 1.5 * plain_report.gradient_samples
    assert report.parameters == plain_report.parameters + 1


def test_every_seed_is_scaled_as_their_average_is(small_market: Market) -> None:
    training = small_market.until(small_market.dates[299])
    found = calibrated(GRU, TINY_GRU, seed=4, n_seeds=2).fit(training)
    dates = small_market.dates[300:310]
    forecast, inner = found.predict(small_market, dates), found.fitted_.predict(small_market, dates)
    check_seeds(forecast)
    assert inner.seed_spread is not None
    gaps = inner.seed_means[1] - inner.seed_means[0]  # type: ignore[index]
    expected = scaled_spread(gaps, found.spread_.factor)
    np.testing.assert_allclose(
        forecast.seed_means[1] - forecast.seed_means[0],  # type: ignore[index]
        expected,
        atol=1e-15,
    )


@given(st.integers(0, 2**31 - 1), st.floats(0.0, 5.0))
def test_scaling_keeps_means_and_blanks(seed: int, factor: float) -> None:
    rng = np.random.default_rng(seed)
    mean = np.where(rng.random((6, 5)) < 0.3, np.nan, rng.normal(size=(6, 5)))
    mean[0] = np.nan
    scaled = scaled_spread(mean, factor)
    np.testing.assert_array_equal(np.isnan(scaled), np.isnan(mean))
    for before, after in zip(mean, scaled, strict=True):
        known = np.isfinite(before)
        if known.any():
            assert after[known].mean() == pytest.approx(before[known].mean())
            assert np.ptp(after[known]) == pytest.approx(factor * np.ptp(before[known]))


@given(st.integers(0, 2**31 - 1), st.floats(-50.0, 50.0), st.floats(0.01, 10.0))
def test_a_factor_lies_between_its_slope_and_one_and_within_its_limits(
    seed: int, slope: float, prior: float
) -> None:
    rng = np.random.default_rng(seed)
    mean = rng.normal(size=(10, 4))
    target = slope * mean + rng.normal(size=mean.shape)
    found = spread_factor(mean, target, prior_deviation=prior, cap=5.0)
    assert 0.0 <= found.factor <= 5.0
    assert 0.0 < found.weight < 1.0
    assert found.slope is not None
    low, high = sorted((1.0, found.slope))
    if found.bound == "none":
        assert low - 1e-9 <= found.factor <= high + 1e-9
    else:
        assert found.factor == {"floor": 0.0, "cap": 5.0}[found.bound]


def test_faults_are_errors(small_market: Market) -> None:
    with pytest.raises(ParameterError, match="widht"):
        calibrated(GRU, {"widht": 3}).fit(small_market)
    with pytest.raises(ParameterError, match="not allowed"):
        calibrated("os.path", {}).required_history()
    with pytest.raises(ParameterError, match="once for the whole run"):
        calibrated(GRU, {"seed": 3}).inner()
    for changed in ({"cap": 0.0}, {"prior_deviation": -1.0}):
        with pytest.raises(ParameterError, match="above 0"):
            calibrated(GRU, TINY_GRU, **changed).inner()
    short = small_market.until(small_market.dates[29])
    with pytest.raises(DataError, match="bars apart"):
        calibrated(MOMENTUM, {"lookback": 5}).fit(short)
    fitted = calibrated(MOMENTUM, {"lookback": 5}).fit(small_market)
    state = fitted.to_bundle()
    assert isinstance(state, Bundle)
    assert clone(fitted).from_bundle(state).spread_ == fitted.spread_
