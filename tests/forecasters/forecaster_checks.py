"""One check for every forecaster: ``check_forecaster`` exercises the whole contract."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from regime_nas_pipeline.core.bundle import bundle_from_bytes, bundle_to_bytes
from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.forecasters.base import FitReport, Forecast, Forecaster, seed_columns
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.market.synthetic import with_listing

TRAINING_SHARE = 0.7
N_DATES = 7


def check_forecaster(
    forecaster: Forecaster, market: Market, *, exact: bool = False, newcomers: bool = True
) -> None:
    """Check that a forecaster keeps its contract; fits twice, three times if stochastic.

    Args:
        forecaster: Unfitted; it is cloned and stays so.
        market: At least three assets with closes everywhere, and regimes if they are needed. The
            last 30 % of it are forecast; one asset joins half-way through them and another one
            ends there.
        exact: Whether predicting many dates at once must equal predicting each alone to the bit,
            rather than within 1e-6.
        newcomers: Whether an asset with too little history to train on is forecast later on.
    """
    market, train_end, turn = _with_lives(forecaster, market)
    spread = np.linspace(train_end, len(market.dates) - 1, N_DATES, dtype=int)
    # The bars around the turn, so that joining a bar too early or too late is seen.
    dates = market.dates[np.union1d(spread, [turn - 1, turn, turn + 1])]
    training = market.until(market.dates[train_end])

    check_clone(forecaster)
    check_too_short(forecaster, training)
    fitted = check_fit(forecaster, training)
    forecast = fitted.predict(market, dates)
    check_shape(fitted, forecast, market, dates)
    check_blanks(fitted, forecast, market, newcomers=newcomers)
    with pytest.raises(DataError):
        fitted.predict(market, pd.DatetimeIndex([dates[-1] + pd.Timedelta(days=3650)]))

    twin = clone(forecaster).fit(training)
    assert_same_bits(twin.predict(market, dates), forecast, "two fits under one seed")
    check_bundle(forecaster, fitted, forecast, market)
    check_one_by_one(fitted, forecast, market, exact=exact)
    check_prediction_bars(fitted, market, dates)
    check_prediction_start(fitted, market, dates)
    check_future(fitted, market, dates)
    if not forecaster.multivariate:
        check_own_prices_only(forecaster, training, forecast, market, dates)
    if forecaster.stochastic:
        seed = forecaster.get_params()["seed"]
        other = clone(forecaster).set_params(seed=seed + 1).fit(training)
        assert np.nanmax(np.abs(other.predict(market, dates).mean - forecast.mean)) > 0, (
            "stochastic, yet another seed changes nothing"
        )


def check_own_prices_only(
    forecaster: Forecaster,
    training: Market,
    forecast: Forecast,
    market: Market,
    dates: pd.DatetimeIndex,
) -> None:
    """Without the flag ``multivariate``, other assets' prices change nothing about the first's."""

    def others_altered(known: Market) -> Market:
        close = known.close.copy()
        wave = 1.0 + 0.2 * np.sin(np.arange(len(close)))[:, None]
        close[:, 1:] *= wave
        return replace(known, close=close)

    other = clone(forecaster).fit(others_altered(training))
    found = other.predict(others_altered(market), dates)
    np.testing.assert_array_equal(found.mean[:, 0], forecast.mean[:, 0])
    assert np.nanmax(np.abs(found.mean[:, 1:] - forecast.mean[:, 1:])) > 0


def _with_lives(forecaster: Forecaster, market: Market) -> tuple[Market, int, int]:
    """The market with one asset that joins and one that ends amid the forecast dates.

    Returns:
        The market, the last row of the training data, and the row at which the first of these
        assets can be forecast for the first time and the second for the last time.
    """
    if forecaster.needs_regimes:
        assert market.regimes is not None, "hand over a market with regimes"
    bars = len(market.dates)
    train_end = int(TRAINING_SHARE * bars)
    middle = (train_end + bars) // 2
    first_bar = middle + 1 - max(forecaster.required_history(), market.min_history)
    assert first_bar > 0, "the market is too short for this check"
    lived = with_listing(
        market,
        first_bar={market.assets[-1]: first_bar},
        last_bar={market.assets[-2]: middle},
    )
    return lived, train_end, middle


def assert_same_bits(found: Forecast, expected: Forecast, what: str) -> None:
    for name in ("mean", "volatility", "seed_spread", "seed_means"):
        one, other = getattr(found, name), getattr(expected, name)
        assert (one is None) == (other is None), f"{what}: {name} is missing in one of them"
        if one is not None:
            np.testing.assert_array_equal(one, other, err_msg=f"{what}: {name}")


def snapshot(market: Market) -> dict[str, np.ndarray]:
    arrays = {"close": market.close, "benchmark": market.benchmark, **market.fields}
    if market.regimes is not None:
        arrays["regimes"] = market.regimes
    return {name: array.copy() for name, array in arrays.items()}


def check_clone(forecaster: Forecaster) -> None:
    copy = clone(forecaster)
    assert copy is not forecaster
    assert copy.get_params(deep=False) == forecaster.get_params(deep=False)


def check_too_short(forecaster: Forecaster, training: Market) -> None:
    needed = forecaster.required_history() + forecaster.execution_lag + forecaster.horizon
    with pytest.raises(DataError):
        clone(forecaster).fit(training.until(training.dates[needed - 2]))


def check_fit(forecaster: Forecaster, training: Market) -> Forecaster:
    before = snapshot(training)
    fitted = clone(forecaster)
    assert fitted.fit(training) is fitted
    for name, array in snapshot(training).items():
        np.testing.assert_array_equal(array, before[name], err_msg=f"fit changed {name}")
    assert fitted.get_params(deep=False) == forecaster.get_params(deep=False)
    report = fitted.fit_report_
    assert isinstance(report, FitReport)
    assert report.parameters > 0
    assert report.seconds > 0
    return fitted


def check_shape(
    fitted: Forecaster, forecast: Forecast, market: Market, dates: pd.DatetimeIndex
) -> None:
    assert forecast.assets == market.assets
    assert (forecast.volatility is not None) == fitted.gives_volatility, "gives_volatility is wrong"
    pd.testing.assert_index_equal(forecast.dates, dates, check_names=False)
    for name in ("mean", "volatility", "seed_spread"):
        values = getattr(forecast, name)
        if values is not None:
            assert values.shape == (len(dates), len(market.assets)), name
            assert values.dtype == np.float64, name


def check_blanks(
    fitted: Forecaster, forecast: Forecast, market: Market, *, newcomers: bool
) -> None:
    rows = [market.position(date) for date in forecast.dates]
    closes = np.cumsum(np.isfinite(market.close), axis=0)
    expected = (market.eligible & (closes >= fitted.required_history()))[rows]
    # The joining and the ending asset must each be seen on both sides, or nothing is checked.
    assert (expected[:, -2:].any(axis=0) & ~expected[:, -2:].all(axis=0)).all()
    if not newcomers:
        expected[:, -1] = False
    for name in ("mean", "volatility", "seed_spread"):
        values = getattr(forecast, name)
        if values is not None:
            np.testing.assert_array_equal(np.isfinite(values), expected, err_msg=name)
            np.testing.assert_array_equal(np.isnan(values), ~expected, err_msg=name)
    if forecast.volatility is not None:
        assert (forecast.volatility[expected] > 0).all(), "volatility is not positive"
    if forecast.seed_spread is not None:
        assert (forecast.seed_spread[expected] >= 0).all(), "seed_spread is negative"
    if forecast.seed_means is not None:
        check_seeds(forecast)


def check_seeds(forecast: Forecast) -> None:
    """Average and spread are those of the seeds' own forecasts, blank where the average is."""
    alone = forecast.seed_means
    assert alone is not None
    assert alone.shape[1:] == forecast.mean.shape
    np.testing.assert_allclose(alone.mean(axis=0), forecast.mean, rtol=1e-9, atol=1e-15)
    assert forecast.seed_spread is not None, "seeds have a spread"
    np.testing.assert_allclose(alone.std(axis=0), forecast.seed_spread, rtol=1e-9, atol=1e-15)
    names = [f"seed_{number}" for number in range(1, len(alone) + 1)]
    table = forecast.to_frame()
    assert seed_columns(table) == names
    np.testing.assert_array_equal(table[names].T, alone[:, np.isfinite(forecast.mean)])


def check_bundle(
    forecaster: Forecaster, fitted: Forecaster, forecast: Forecast, market: Market
) -> None:
    image = bundle_to_bytes(fitted.to_bundle())
    restored = clone(forecaster).from_bundle(bundle_from_bytes(image))
    assert_same_bits(restored.predict(market, forecast.dates), forecast, "saved and loaded")
    assert bundle_to_bytes(restored.to_bundle()) == image, "saving again gives other bytes"


def check_one_by_one(
    fitted: Forecaster, forecast: Forecast, market: Market, *, exact: bool
) -> None:
    tolerance = 0.0 if exact else 1e-6
    for line, date in enumerate(forecast.dates):
        alone = fitted.predict(market.until(date), forecast.dates[[line]])
        for name in ("mean", "volatility", "seed_spread"):
            together = getattr(forecast, name)
            if together is not None:
                np.testing.assert_allclose(
                    getattr(alone, name)[0],
                    together[line],
                    rtol=0.0,
                    atol=tolerance,
                    err_msg=f"{name} at {date} alone and among others",
                )


def check_prediction_bars(fitted: Forecaster, market: Market, dates: pd.DatetimeIndex) -> None:
    """The bars that it says it reads give the bits that all bars give."""
    bars = fitted.prediction_bars()
    if bars is None:
        return
    for date in dates:
        stop = market.position(date) + 1
        recent = market.slice(max(0, stop - bars), stop)
        assert_same_bits(
            fitted.predict(recent, dates[dates == date]),
            fitted.predict(market.until(date), dates[dates == date]),
            f"the last {bars} bars and all bars at {date}",
        )


def check_prediction_start(fitted: Forecaster, market: Market, dates: pd.DatetimeIndex) -> None:
    """From the bar on that it says it reads come the bits that all bars give."""
    start = fitted.prediction_start()
    if start is None:
        return
    later = dates[dates > start]
    assert len(later) > 1
    first = market.position(start)
    recent = market.slice(first, market.position(later[-1]) + 1)
    assert_same_bits(
        fitted.predict(recent, later),
        fitted.predict(market.until(later[-1]), later),
        f"the bars from {start} on and all bars",
    )


def scrambled_after(market: Market, row: int) -> Market:
    """Another future: every number after ``row`` is drawn anew, blanks included."""
    generator = np.random.default_rng(0)

    def scramble(values: np.ndarray) -> np.ndarray:
        changed = values.copy()
        changed[row + 1 :] = generator.uniform(1.0, 1000.0, size=changed[row + 1 :].shape)
        return changed

    regimes = None
    if market.regimes is not None:
        regimes = market.regimes.copy()
        future = generator.uniform(0.1, 1.0, size=regimes[row + 1 :].shape)
        regimes[row + 1 :] = future / future.sum(axis=1, keepdims=True)
    return replace(
        market,
        close=scramble(market.close),
        benchmark=scramble(market.benchmark),
        fields={name: scramble(values) for name, values in market.fields.items()},
        regimes=regimes,
    )


def check_future(fitted: Forecaster, market: Market, dates: pd.DatetimeIndex) -> None:
    half = dates[: len(dates) // 2]
    before = snapshot(market)
    expected = fitted.predict(market, half)
    for name, array in snapshot(market).items():
        np.testing.assert_array_equal(array, before[name], err_msg=f"predict changed {name}")
    other = scrambled_after(market, market.position(half[-1]))
    assert_same_bits(fitted.predict(other, half), expected, "another future")
