from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from forecaster_checks import check_forecaster
from neural_cases import LONG, SHORT, autoregressive_market

from regime_nas_pipeline.core.bundle import bundle_to_bytes
from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.core.params import check_arguments
from regime_nas_pipeline.forecasters import neural
from regime_nas_pipeline.forecasters.genes import GeneForecaster
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.market.synthetic import random_walk_market

EVERY_LAYER: list[dict[str, Any]] = [
    {"layer": "dense", "width": 8, "activation": "gelu"},
    {"layer": "conv1d", "width": 8, "activation": "leaky_relu", "skip": 0, "dropout": 0.1},
    {"layer": "lstm", "width": 4, "activation": "tanh"},
    {"layer": "identity"},
    {"layer": "attention", "width": 8, "activation": "tanh", "skip": 2},
    {"layer": "skip", "skip": 5},
]
DENSE: list[dict[str, Any]] = [{"layer": "dense", "width": 8}]


def tiny(**arguments: Any) -> GeneForecaster:
    """A forecaster with small layers and two seeds."""
    defaults: dict[str, Any] = {
        "horizon": 5,
        "execution_lag": 1,
        "lookback": 12,
        "timeframes": (1, 5),
        "genes": EVERY_LAYER,
        "n_seeds": 2,
        "training": SHORT,
        "device": "cpu",
    }
    return GeneForecaster(**{**defaults, **arguments})


@pytest.mark.parametrize("mode", ["pooled", "joint"])
def test_keeps_the_contract(mode: str, small_market: Market) -> None:
    check_forecaster(tiny(mode=mode), small_market, exact=True, newcomers=mode == "pooled")


def test_keeps_the_contract_on_returns_alone(small_market: Market) -> None:
    forecaster = tiny(features="returns", horizon=1, execution_lag=0, n_seeds=1)
    check_forecaster(forecaster, small_market, exact=True)


def r2_against_zero(market: Market, **arguments: Any) -> float:
    forecaster = tiny(
        horizon=1,
        execution_lag=0,
        lookback=6,
        n_seeds=1,
        learning_rate=2e-2,
        training=LONG,
        **arguments,
    ).fit(market.until(market.dates[500]))
    rows = np.arange(500, len(market.dates) - 1, 2)
    mean = forecaster.predict(market, market.dates[rows]).mean
    target = market.target(1, 0)[rows]
    return float(1 - ((target - mean) ** 2).sum() / (target**2).sum())


@pytest.mark.parametrize("layer", ["dense", "conv1d", "lstm", "attention"])
def test_finds_a_planted_edge_and_no_other(layer: str) -> None:
    genes = [{"layer": layer, "width": 8, "activation": "tanh"}]
    # Nothing can explain more than 0.7² = 0.49, up to the luck of the sample.
    assert 0.25 < r2_against_zero(autoregressive_market(0), genes=genes) < 0.6
    walk = random_walk_market(n_assets=5, n_bars=700, seed=0)
    assert -0.15 < r2_against_zero(walk, genes=genes) < 0.03


def test_the_number_of_weights_is_that_of_the_layers_that_are_used(small_market: Market) -> None:
    unused = [*DENSE, {"layer": "lstm", "width": 64}, {"layer": "skip", "skip": 1}]
    for genes in (DENSE, unused):
        report = tiny(genes=genes, n_seeds=1).fit(small_market).fit_report_
        # 8 asset and 8 market features; head 8 x 2 + 2.
        assert report.parameters == 16 * 8 + 8 + 8 * 2 + 2


def test_genomes_of_one_network_forecast_the_same(small_market: Market) -> None:
    padded = [{"layer": "identity", "width": 64}, *DENSE, {"layer": "skip", "dropout": 0.5}]
    one, other = (tiny(genes=genes, n_seeds=1).fit(small_market) for genes in (DENSE, padded))
    assert bundle_to_bytes(one.to_bundle()) == bundle_to_bytes(other.to_bundle())


def test_a_proposal_becomes_arguments() -> None:
    choices = {
        "lookback": 21,
        "layer1_type": "dense",
        "layer1_width": 16,
        "layer1_activation": "relu",
        "layer1_skip": "none",
        "layer1_dropout": 0.0,
        "layer2_type": "attention",
        "layer2_skip": 0,
    }
    arguments = GeneForecaster.from_choices(choices)
    assert arguments == {
        "lookback": 21,
        "genes": [
            {"layer": "dense", "width": 16, "activation": "relu", "skip": None, "dropout": 0.0},
            {"layer": "attention", "width": 32, "activation": "relu", "skip": 0, "dropout": 0.0},
        ],
    }
    assert check_arguments(GeneForecaster, arguments) == arguments
    assert set(choices) - {"lookback"} <= GeneForecaster.search_dimensions()
    # Five genes in each of six layers; five weights of the loss, since there is no gate.
    assert len(GeneForecaster.search_dimensions()) == 5 * 6 + 5
    assert GeneForecaster.from_choices({"lookback": 21}) == {"lookback": 21}
    with pytest.raises(ParameterError, match="layer 1: width 0"):
        GeneForecaster.from_choices({**choices, "layer1_width": 0})


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"genes": None}, "no network has been found yet"),
        ({"genes": [{"layer": "gru"}]}, "layer 1: layer 'gru'"),
        ({"genes": [{"layer": "dense", "skip": 1}]}, "layer 1: skip 1"),
        ({"genes": [{"layer": "attention"}], "attention_heads": 5}, "width 32 .*heads = 5"),
    ],
)
def test_genes_that_make_no_network_are_refused_before_training(
    arguments: dict[str, Any],
    complaint: str,
    small_market: Market,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(neural, "train_each", lambda *_, **__: pytest.fail("it was trained"))
    with pytest.raises(ParameterError, match=complaint):
        tiny(**arguments).fit(small_market)
