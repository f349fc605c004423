from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from forecaster_checks import check_forecaster
from sklearn.linear_model import Ridge

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.forecasters.inputs import training_windows
from regime_nas_pipeline.forecasters.linear import LinearForecaster
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.market.synthetic import no_regime_market, random_walk_market


def small(**arguments: Any) -> LinearForecaster:
    defaults: dict[str, Any] = {"horizon": 5, "lookback": 12, "timeframes": (1, 5)}
    return LinearForecaster(**{**defaults, **arguments})


NEXT_BAR: dict[str, Any] = {"horizon": 1, "execution_lag": 0}


@pytest.mark.parametrize("features", ["engineered", "returns"])
def test_keeps_the_contract(features: str, small_market: Market) -> None:
    check_forecaster(small(features=features), small_market, exact=True)


def test_keeps_the_contract_next_bar(small_market: Market) -> None:
    check_forecaster(small(**NEXT_BAR, sample_every=3), small_market, exact=True)


@pytest.mark.parametrize("phi", [0.0, 0.3, 0.6])
def test_it_recovers_a_planted_autocorrelation(phi: float) -> None:
    market = no_regime_market(n_assets=6, n_bars=2500, phi=phi, seed=1)
    linear = small(**NEXT_BAR, features="returns", lookback=5).fit(market)
    # Standard error of one coefficient: sqrt((1 - φ²) / 12000) < 0.01. Columns: asset, market.
    expected = np.zeros((5, 2))
    expected[-1, 0] = phi
    np.testing.assert_allclose(linear.coefficients_, expected, atol=0.05)
    rows = np.arange(2000, 2499)
    forecast = linear.predict(market, market.dates[rows])
    returns = market.log_returns[rows]
    np.testing.assert_allclose(forecast.mean, phi * returns, atol=0.05 * np.abs(returns).max())
    assert forecast.volatility is not None
    np.testing.assert_allclose(forecast.volatility, 0.01, rtol=0.05)


def test_on_a_walk_it_chooses_to_know_next_to_nothing() -> None:
    market = random_walk_market(n_assets=5, n_bars=1200, seed=5)
    linear = small(**NEXT_BAR).fit(market.until(market.dates[800]))
    rows = np.arange(800, 1199)
    mean = linear.predict(market, market.dates[rows]).mean
    target = market.target(1, 0)[rows]
    assert linear.strength_ >= 1.0
    assert abs(1 - ((target - mean) ** 2).sum() / (target**2).sum()) < 0.005


def flat_samples(market: Market, linear: LinearForecaster) -> tuple[np.ndarray, np.ndarray]:
    """Every window with a known target by plain indexing: rows of all, in time order."""
    data = training_windows(market, linear.input_spec(), torch.device("cpu")).data
    asset, shared = data.asset.double().numpy(), data.market.double().numpy()
    usable, target = data.usable.numpy(), data.target.double().numpy()
    windows, values = [], []
    for row in range(data.lookback, len(asset)):
        bars = slice(row + 1 - data.lookback, row + 1)
        for column in range(asset.shape[1]):
            if usable[row, column] and np.isfinite(target[row, column]):
                both = np.hstack([asset[bars, column], shared[bars]])
                windows.append(np.append(both.ravel(), row))
                values.append(target[row, column])
    return np.array(windows), np.array(values)


def test_coefficients_and_strength_are_those_of_scikit_learn(small_market: Market) -> None:
    linear = small(horizon=2, validation_fraction=0.25, embargo=3).fit(small_market)
    samples, target = flat_samples(small_market, linear)
    windows, rows = samples[:, :-1], samples[:, -1].astype(int)
    dates = np.unique(rows)
    first = dates[-int(np.ceil(0.25 * len(dates)))]
    training, tail = rows + 1 + 2 + 3 <= first, rows >= first
    assert training.any()
    errors = []
    for strength in linear.strengths:
        # Their penalty is on the sum of squares, ours on the mean.
        ridge = Ridge(alpha=strength * training.sum()).fit(windows[training], target[training])
        errors.append(np.mean((ridge.predict(windows[tail]) - target[tail]) ** 2))
        if strength == linear.strength_:
            coefficients, intercept = ridge.coef_, ridge.intercept_
    assert linear.strength_ == linear.strengths[int(np.argmin(errors))]
    np.testing.assert_allclose(linear.coefficients_.ravel(), coefficients, rtol=1e-5, atol=1e-8)
    assert linear.intercept_ == pytest.approx(intercept, abs=1e-7)
    assert linear.residual_size_ == pytest.approx(np.sqrt(min(errors)), rel=1e-6)


def test_the_number_of_parameters_is_that_of_the_window(small_market: Market) -> None:
    # Eight features of the asset and of the market over twelve bars, and the intercept.
    assert small().fit(small_market).fit_report_.parameters == 12 * 16 + 1


@pytest.mark.parametrize("strengths", [(), (1.0, 0.0)])
def test_strengths_that_are_none_are_refused(
    strengths: tuple[float, ...], small_market: Market
) -> None:
    with pytest.raises(ParameterError, match="strengths must be positive"):
        small(strengths=strengths).fit(small_market)
