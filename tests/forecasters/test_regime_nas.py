from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from forecaster_checks import assert_same_bits, check_forecaster
from neural_cases import ONE_NODE, OWN_OPERATIONS, check_planted_edge, tiny

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.core.params import check_arguments
from regime_nas_pipeline.forecasters.prediction import prediction_windows
from regime_nas_pipeline.forecasters.regime_nas import RegimeNasForecaster, align_regimes
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.networks.lipschitz.certify import certified_bound
from regime_nas_pipeline.networks.objective import Objective


@pytest.mark.parametrize("mode", ["pooled", "joint"])
def test_keeps_the_contract(mode: str, labelled_market: Market) -> None:
    forecaster = tiny(RegimeNasForecaster, mode=mode)
    check_forecaster(forecaster, labelled_market, exact=True, newcomers=mode == "pooled")


def test_keeps_the_contract_with_the_blocks_own_operations(labelled_market: Market) -> None:
    forecaster = tiny(RegimeNasForecaster, blocks=OWN_OPERATIONS, head="lstm")
    check_forecaster(forecaster, labelled_market, exact=True)


@pytest.mark.parametrize("gate", ["uniform", "shuffled"])
def test_the_controls_keep_the_contract(gate: str, labelled_market: Market) -> None:
    forecaster = tiny(RegimeNasForecaster, gate=gate, n_seeds=1)
    check_forecaster(forecaster, labelled_market, exact=True)


def test_every_kind_of_gate_is_a_network_of_its_own(small_market: Market) -> None:
    dates = small_market.dates[-3:]
    means = [
        tiny(RegimeNasForecaster, n_seeds=1, **settings)
        .fit(small_market)
        .predict(small_market, dates)
        .mean
        for settings in (
            {},
            {"gate": "uniform"},
            {"gate": "shuffled"},
            {"uncertainty": False},
        )
    ]
    for number, one in enumerate(means):
        for other in means[:number]:
            assert (one != other).any()


def test_an_unknown_gate_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"RegimeNasForecaster\.gate"):
        check_arguments(RegimeNasForecaster, {"gate": "open"})


def test_the_limit_holds_for_every_network_that_is_kept(small_market: Market) -> None:
    def largest_constant(limit: float | None) -> float:
        forecaster = tiny(
            RegimeNasForecaster, lipschitz_limit=limit, learning_rate=2e-2, n_seeds=2
        ).fit(small_market)
        return max(
            certified_bound(network, lookback=12, n_assets=5).total
            for network in forecaster.networks_
        )

    assert largest_constant(None) > 0.5
    assert 0.0 < largest_constant(0.5) <= 0.5 * (1 + 1e-9)


@pytest.mark.parametrize("seed", [0, 1])
def test_finds_a_planted_edge_and_no_other(seed: int) -> None:
    check_planted_edge(RegimeNasForecaster, seed)


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
    forecaster = tiny(RegimeNasForecaster, n_seeds=1, objective=Objective(label_weight=2.0))
    dates = labelled_market.dates[-10::3]
    expected = forecaster.fit(labelled_market).predict(labelled_market, dates)
    other = permuted(labelled_market, [2, 0, 1])
    assert_same_bits(forecaster.fit(other).predict(other, dates), expected, "another order")
    renamed = replace(labelled_market, regime_names=other.regime_names)
    found = forecaster.fit(renamed).predict(renamed, dates)
    assert (found.mean != expected.mean).any()


@pytest.mark.parametrize("label", [0, 1, 2])
def test_labels_teach_the_detector(labelled_market: Market, label: int) -> None:
    """With a heavy weight on them, the detector agrees with labels that are always the same."""
    assert labelled_market.regimes is not None
    certain = np.where(np.isnan(labelled_market.regimes), np.nan, np.eye(3)[[label]])
    market = replace(labelled_market, regimes=certain, regime_names=("range", "trend", "volatile"))
    taught = tiny(
        RegimeNasForecaster, objective=Objective(label_weight=5.0), n_seeds=1, learning_rate=2e-2
    ).fit(market)
    probability = trend_probability(taught, market)
    assert (probability > 0.8) if label == 1 else (probability < 0.1)


def trend_probability(forecaster: Any, market: Market) -> float:
    data, ends, _ = prediction_windows(
        market,
        np.array([400]),
        forecaster.input_spec(),
        forecaster.scaling_,
        torch.device("cpu"),
    )
    batch = data.batch(ends, need_target=False)
    return float(forecaster.networks_[0](batch).regime[0, 1].detach())


SUPERVISED = Objective(label_weight=0.1)


def test_labels_are_needed_in_fitting_alone(labelled_market: Market) -> None:
    forecaster = tiny(RegimeNasForecaster, n_seeds=1, objective=SUPERVISED).fit(labelled_market)
    dates = labelled_market.dates[-3:]
    unlabelled = replace(labelled_market, regimes=None, regime_names=())
    assert_same_bits(
        forecaster.predict(unlabelled, dates), forecaster.predict(labelled_market, dates), "labels"
    )


def test_labels_are_needed_only_where_they_are_learned_from(labelled_market: Market) -> None:
    supervised = tiny(RegimeNasForecaster, objective=SUPERVISED)
    assert supervised.required_regimes() == {"volatile", "trend", "range"}
    unlabelled = replace(labelled_market, regimes=None, regime_names=())
    foreign = replace(labelled_market, regime_names=("bull", "bear", "range"))
    with pytest.raises(
        ParameterError, match=r"labels named volatile, trend, range; there are none"
    ):
        supervised.fit(unlabelled)
    with pytest.raises(ParameterError, match="there are bull, bear, range"):
        supervised.fit(foreign)
    free = tiny(RegimeNasForecaster, n_seeds=1)
    assert free.required_regimes() == frozenset()
    for market in (unlabelled, foreign):
        assert free.fit(market).fit_report_.epochs


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
