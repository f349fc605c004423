from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from forecaster_checks import check_forecaster
from neural_cases import check_planted_edge, r2_against_zero, tiny

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.forecasters.linear import LinearForecaster
from regime_nas_pipeline.forecasters.mlp import MLPForecaster
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.market.synthetic import market_from_log_returns
from regime_nas_pipeline.networks.training import TrainingPlan


@pytest.mark.parametrize("mode", ["pooled", "joint"])
def test_keeps_the_contract(mode: str, small_market: Market) -> None:
    check_forecaster(
        tiny(MLPForecaster, mode=mode), small_market, exact=True, newcomers=mode == "pooled"
    )


def test_keeps_the_contract_on_returns_alone(small_market: Market) -> None:
    forecaster = tiny(MLPForecaster, horizon=1, execution_lag=0, features="returns", n_seeds=1)
    check_forecaster(forecaster, small_market, exact=True)


@pytest.mark.parametrize("seed", [0, 1])
def test_finds_a_planted_edge_and_no_other(seed: int) -> None:
    check_planted_edge(MLPForecaster, seed)


def folded_market(seed: int, slope: float = 0.8) -> Market:
    """The next return follows the size of the last one, whatever its sign."""
    returns = np.random.default_rng(seed).standard_normal((699, 5))
    for bar in range(1, len(returns)):
        returns[bar] += slope * (np.abs(returns[bar - 1]) - 0.9)
    return market_from_log_returns(0.01 * returns)


@pytest.mark.parametrize("features", ["engineered", "returns"])
def test_it_learns_what_a_line_cannot(features: str) -> None:
    market = folded_market(2)
    plan = TrainingPlan(max_samples=15_000, batch_dates=16, sample_every=1, patience=10)
    arguments: dict[str, Any] = {"features": features, "timeframes": (1,), "training": plan}
    found = r2_against_zero(
        MLPForecaster, market, **arguments, width=16, lookback=3, learning_rate=5e-3
    )
    linear = LinearForecaster(
        horizon=1, execution_lag=0, lookback=3, timeframes=(1,), features="returns"
    ).fit(market.until(market.dates[500]))
    rows = np.arange(500, 699, 2)
    mean, target = linear.predict(market, market.dates[rows]).mean, market.target(1, 0)[rows]
    by_line = 1 - ((target - mean) ** 2).sum() / (target**2).sum()
    assert found > max(by_line, 0.0) + 0.1


def test_the_number_of_weights_is_that_of_the_formula(small_market: Market) -> None:
    # 12 bars of 8 asset and 8 market features into 8, 8 into 8, head 8 x 2 + 2.
    report = tiny(MLPForecaster).fit(small_market).fit_report_
    assert report.parameters == (12 * 16 * 8 + 8) + (8 * 8 + 8) + 8 * 2 + 2


def test_without_a_hidden_layer_it_is_refused(small_market: Market) -> None:
    with pytest.raises(ParameterError, match="layers must be at least 1 and is 0"):
        tiny(MLPForecaster, layers=0).fit(small_market)
