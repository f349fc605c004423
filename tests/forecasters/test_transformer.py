from __future__ import annotations

import pytest
from forecaster_checks import check_forecaster
from neural_cases import check_planted_edge, tiny

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.forecasters.transformer import TransformerForecaster
from regime_nas_pipeline.market.market import Market


@pytest.mark.parametrize("mode", ["pooled", "joint"])
def test_keeps_the_contract(mode: str, small_market: Market) -> None:
    forecaster = tiny(TransformerForecaster, mode=mode)
    check_forecaster(forecaster, small_market, exact=True, newcomers=mode == "pooled")


@pytest.mark.parametrize("seed", [0, 1])
def test_finds_a_planted_edge_and_no_other(seed: int) -> None:
    check_planted_edge(TransformerForecaster, seed)


@pytest.mark.parametrize(("width", "heads"), [(7, 1), (8, 3)])
def test_a_width_that_cannot_be_split_is_refused(
    width: int, heads: int, small_market: Market
) -> None:
    forecaster = tiny(TransformerForecaster, width=width, attention_heads=heads)
    with pytest.raises(ParameterError, match=f"width {width} must be even and divisible"):
        forecaster.fit(small_market)
