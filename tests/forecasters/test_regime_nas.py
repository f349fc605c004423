from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from forecaster_checks import assert_same_bits, check_forecaster
from neural_cases import ONE_NODE, OWN_OPERATIONS, check_planted_edge, tiny

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.forecasters.inputs import prediction_window
from regime_nas_pipeline.forecasters.regime_nas import RegimeNasForecaster, align_regimes
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.networks.objective import Objective


@pytest.mark.parametrize("mode", ["pooled", "joint"])
def test_keeps_the_contract(mode: str, labelled_market: Market) -> None:
    forecaster = tiny(RegimeNasForecaster, mode=mode)
    check_forecaster(forecaster, labelled_market, exact=True, newcomers=mode == "pooled")


def test_keeps_the_contract_with_the_blocks_own_operations(labelled_market: Market) -> None:
    forecaster = tiny(RegimeNasForecaster, blocks=OWN_OPERATIONS, head="lstm")
    check_forecaster(forecaster, labelled_market, exact=True)


@pytest.mark.parametrize("seed", [0, 1])
def test_finds_a_planted_edge_and_no_other(seed: int) -> None:
    check_planted_edge(RegimeNasForecaster, seed, label_weight=0.0)


def test_the_loss_has_its_weights() -> None:
    forecaster = tiny(
        RegimeNasForecaster, volatility_weight=0.3, smoothness_weight=0.2, label_weight=0.7
    )
    assert forecaster.objective() == Objective(0.3, 0.2, 0.7)


def test_labels_stand_in_the_order_of_the_blocks(labelled_market: Market) -> None:
    assert labelled_market.regimes is not None
    aligned = align_regimes(labelled_market)
    assert aligned.regime_names == ("volatile", "trend", "range")
    assert aligned.regimes is not None
    for column, name in enumerate(aligned.regime_names):
        source = labelled_market.regime_names.index(name)
        np.testing.assert_array_equal(
            aligned.regimes[:, column], labelled_market.regimes[:, source]
        )


def permuted(market: Market, order: list[int]) -> Market:
    assert market.regimes is not None
    names = tuple(market.regime_names[position] for position in order)
    return replace(market, regimes=market.regimes[:, order], regime_names=names)


def test_the_order_of_the_labels_does_not_matter_but_their_names_do(
    labelled_market: Market,
) -> None:
    forecaster = tiny(RegimeNasForecaster, n_seeds=1, label_weight=2.0)
    dates = labelled_market.dates[-10::3]
    expected = forecaster.fit(labelled_market).predict(labelled_market, dates)
    other = permuted(labelled_market, [2, 0, 1])
    assert_same_bits(forecaster.fit(other).predict(other, dates), expected, "another order")
    renamed = replace(labelled_market, regime_names=other.regime_names)
    found = forecaster.fit(renamed).predict(renamed, dates)
    assert (found.mean != expected.mean).any()


def test_labels_teach_the_detector(labelled_market: Market) -> None:
    """With a heavy weight on them, the detector agrees with labels that are always the same."""
    assert labelled_market.regimes is not None
    certain = np.where(np.isnan(labelled_market.regimes), np.nan, [[0.0, 1.0, 0.0]])
    market = replace(labelled_market, regimes=certain, regime_names=("range", "trend", "volatile"))
    arguments: dict[str, Any] = {"n_seeds": 1, "learning_rate": 2e-2}
    taught = tiny(RegimeNasForecaster, label_weight=5.0, **arguments).fit(market)
    untaught = tiny(RegimeNasForecaster, label_weight=0.0, **arguments).fit(market)
    assert trend_probability(taught, market) > 0.8
    assert trend_probability(untaught, market) < 0.6


def trend_probability(forecaster: Any, market: Market) -> float:
    data, _ = prediction_window(
        market, 400, forecaster.input_spec(), forecaster.scaling_, torch.device("cpu")
    )
    batch = data.batch(np.array([len(data.usable) - 1]), need_target=False)
    return float(forecaster.networks_[0](batch).regime[0, 1].detach())


def test_labels_are_needed_in_fitting_alone(labelled_market: Market) -> None:
    forecaster = tiny(RegimeNasForecaster, n_seeds=1).fit(labelled_market)
    dates = labelled_market.dates[-3:]
    unlabelled = replace(labelled_market, regimes=None, regime_names=())
    assert_same_bits(
        forecaster.predict(unlabelled, dates), forecaster.predict(labelled_market, dates), "labels"
    )


def test_missing_or_foreign_labels_are_refused(labelled_market: Market) -> None:
    forecaster = tiny(RegimeNasForecaster)
    with pytest.raises(
        ParameterError, match=r"labels named volatile, trend, range; there are none"
    ):
        forecaster.fit(replace(labelled_market, regimes=None, regime_names=()))
    with pytest.raises(ParameterError, match="there are bull, bear, range"):
        forecaster.fit(replace(labelled_market, regime_names=("bull", "bear", "range")))
    foreign = replace(labelled_market, regime_names=("bull", "bear", "range"))
    assert tiny(RegimeNasForecaster, label_weight=0.0, n_seeds=1).fit(foreign).fit_report_.epochs


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"blocks": None}, "no architecture yet; run the nas_search pipeline"),
        ({"blocks": {}}, "needs the blocks"),
        ({"head": "tree"}, "head 'tree' is none of linear, gru, lstm"),
        ({"width": 9}, "width 9 must be divisible by attention_heads 2"),
    ],
)
def test_what_does_not_fit_together_is_refused(
    arguments: dict[str, Any], complaint: str, labelled_market: Market
) -> None:
    forecaster = tiny(RegimeNasForecaster, **{"blocks": ONE_NODE, **arguments})
    with pytest.raises(ParameterError, match=complaint):
        forecaster.fit(labelled_market)
