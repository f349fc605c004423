from __future__ import annotations

import pytest
from forecaster_checks import check_forecaster
from neural_cases import check_planted_edge, tiny

from regime_nas_pipeline.forecasters.gru import GRUForecaster
from regime_nas_pipeline.market.market import Market


@pytest.mark.parametrize("mode", ["pooled", "joint"])
def test_keeps_the_contract(mode: str, small_market: Market) -> None:
    forecaster = tiny(GRUForecaster, mode=mode)
    check_forecaster(forecaster, small_market, exact=True, newcomers=mode == "pooled")


def test_keeps_the_contract_next_bar_with_stacked_layers(small_market: Market) -> None:
    forecaster = tiny(
        GRUForecaster, horizon=1, execution_lag=0, layers=2, timeframes=(1,), n_seeds=1
    )
    check_forecaster(forecaster, small_market, exact=True)


@pytest.mark.parametrize("seed", [0, 1])
def test_finds_a_planted_edge_and_no_other(seed: int) -> None:
    check_planted_edge(GRUForecaster, seed)


def test_the_number_of_weights_is_that_of_the_formula(small_market: Market) -> None:
    # 8 asset and 8 market features; three gates of 16 x 8, 8 x 8 and two biases; head 8 x 2 + 2.
    report = tiny(GRUForecaster).fit(small_market).fit_report_
    assert report.parameters == 3 * (16 * 8 + 8 * 8 + 2 * 8) + 8 * 2 + 2
