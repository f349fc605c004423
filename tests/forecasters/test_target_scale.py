"""Errors in units of trailing volatility or in plain returns; forecasts are returns in both."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from forecaster_checks import check_forecaster
from neural_cases import NEURAL, tiny

from regime_nas_pipeline.core.bundle import bundle_to_bytes
from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.core.params import check_arguments
from regime_nas_pipeline.forecasters.gru import GRUForecaster
from regime_nas_pipeline.forecasters.inputs import InputSpec, training_windows
from regime_nas_pipeline.forecasters.neural import NeuralForecaster
from regime_nas_pipeline.market.features import make_features
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.market.synthetic import random_walk_market
from regime_nas_pipeline.networks.base import NetworkOutput
from regime_nas_pipeline.networks.objective import prediction_error

CPU = torch.device("cpu")
TRAILING = InputSpec(lookback=10, timeframes=(1, 5), horizon=4, execution_lag=1)
CONSTANT = replace(TRAILING, target_scale="constant")


@pytest.fixture(scope="module")
def uneven() -> Market:
    """Two quiet assets and a loud one."""
    quiet = random_walk_market(n_assets=2, n_bars=300, volatility=0.01, seed=1)
    loud = random_walk_market(n_assets=1, n_bars=300, volatility=0.04, seed=2)
    return replace(quiet, assets=tuple("ABC"), close=np.hstack([quiet.close, loud.close]))


def test_only_the_weight_of_an_error_differs(uneven: Market) -> None:
    one, other = (training_windows(uneven, spec, CPU) for spec in (TRAILING, CONSTANT))
    assert one.scaling.target_size == other.scaling.target_size
    assert torch.equal(one.data.asset, other.data.asset)
    assert torch.equal(one.data.target.nan_to_num(), other.data.target.nan_to_num())
    assert one.data.weight is None
    assert other.data.weight is not None
    known = np.isfinite(other.data.target.numpy())
    assert other.data.weight.numpy()[known].mean() == pytest.approx(1.0, rel=1e-5)
    assert np.isfinite(other.data.weight.numpy()).all()


def test_errors_are_counted_in_plain_returns(uneven: Market) -> None:
    """By hand: forecasts turned into returns, and the mean of their squared errors."""
    windows = training_windows(uneven, CONSTANT, CPU)
    rows = np.array([100, 150, 222])
    batch = windows.data.batch(rows, need_target=True)
    scaled = torch.randn(3, 3, generator=torch.Generator().manual_seed(0))
    volatility = make_features(uneven, CONSTANT.timeframes).volatility
    unit = volatility[rows] * np.sqrt(4) * windows.scaling.target_size
    errors = (scaled.numpy() * unit - uneven.target(4, 1)[rows]) ** 2
    known = np.isfinite(uneven.target(4, 1)) & np.isfinite(volatility)
    mean_square = 4 * windows.scaling.target_size**2 * (volatility[known] ** 2).mean()
    found = prediction_error(NetworkOutput(scaled, torch.zeros(3, 3)), batch)
    assert found.item() == pytest.approx(errors.mean() / mean_square, rel=1e-4)
    # The loud asset's errors weigh about sixteen times as much.
    assert batch.weight is not None
    ratio = (batch.weight[:, 2] / batch.weight[:, :2].mean(dim=1)).mean().item()
    assert 8.0 < ratio < 30.0


def test_a_weight_knows_nothing_later_than_its_bar(uneven: Market) -> None:
    close = uneven.close.copy()
    close[201:] *= np.linspace(1.0, 3.0, 99)[:, None]
    weights = [
        training_windows(replace(uneven, close=prices), CONSTANT, CPU).data.weight
        for prices in (uneven.close, close)
    ]
    before, after = (weight.numpy()[80:201] for weight in weights if weight is not None)
    # One common factor apart, their mean over the training market.
    ratio = before / after
    np.testing.assert_allclose(ratio, ratio[0, 0], rtol=1e-5)


def test_returns_alone_have_one_scale(small_market: Market) -> None:
    arguments: dict[str, Any] = {"features": "returns", "n_seeds": 1}
    one, other = (
        tiny(GRUForecaster, target_scale=scale, **arguments).fit(small_market)
        for scale in ("trailing", "constant")
    )
    assert bundle_to_bytes(one.to_bundle()) == bundle_to_bytes(other.to_bundle())


@pytest.mark.parametrize("cls", NEURAL)
def test_forecasts_are_log_returns(cls: type[NeuralForecaster], uneven: Market) -> None:
    forecaster = tiny(cls, target_scale="constant", n_seeds=1).fit(uneven)
    dates = uneven.dates[[250, 299]]
    forecast = forecaster.predict(uneven, dates)
    volatility = make_features(uneven, (1, 5)).volatility
    for line, date in enumerate(dates):
        with torch.no_grad():
            batch = forecaster.example_batch(uneven.until(date))
            output = forecaster.networks_[0](batch)
        unit = volatility[[250, 299][line]] * np.sqrt(5) * forecaster.scaling_.target_size
        np.testing.assert_allclose(forecast.mean[line], output.mean[0].numpy() * unit, rtol=1e-5)
        assert forecast.volatility is not None
        expected = np.exp(output.log_volatility[0].numpy()) * unit
        np.testing.assert_allclose(forecast.volatility[line], expected, rtol=1e-5)


@pytest.mark.parametrize("cls", NEURAL)
def test_the_scale_changes_what_is_learned(cls: type[NeuralForecaster], uneven: Market) -> None:
    one, other = (
        tiny(cls, target_scale=scale, n_seeds=1).fit(uneven).predict(uneven, uneven.dates[-3:])
        for scale in ("trailing", "constant")
    )
    assert (one.mean != other.mean).all()


def test_keeps_the_contract_with_errors_in_returns(small_market: Market) -> None:
    forecaster = tiny(GRUForecaster, target_scale="constant")
    check_forecaster(forecaster, small_market, exact=True)


def test_an_unknown_scale_is_refused() -> None:
    with pytest.raises(ParameterError, match="trailing, constant and is 'rolling'"):
        replace(TRAILING, target_scale="rolling")  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match=r"GRUForecaster\.target_scale"):
        check_arguments(GRUForecaster, {"target_scale": "rolling"})
