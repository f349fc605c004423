from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as check
from hypothesis import strategies as st

from regime_nas_pipeline.forecasters.gru import GRUForecaster
from regime_nas_pipeline.forecasters.regime_nas import RegimeNasForecaster
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.networks.training import TrainingPlan
from regime_nas_pipeline.search.subnetworks import random_blocks
from regime_nas_pipeline.walkforward.planted.gates import agreement, detected_gates

PLAN = TrainingPlan(max_samples=400, batch_dates=8, sample_every=1)
COMMON: dict[str, Any] = {
    "horizon": 1,
    "execution_lag": 0,
    "lookback": 6,
    "timeframes": (1, 5),
    "features": "returns",
    "width": 4,
    "training": PLAN,
    "n_seeds": 2,
    "device": "cpu",
}


@pytest.fixture(scope="module")
def fitted(small_market: Market) -> RegimeNasForecaster:
    blocks = random_blocks(1, np.random.default_rng(3))
    forecaster = RegimeNasForecaster(blocks=blocks, **COMMON)
    return forecaster.fit(small_market.until(small_market.dates[299]))


def test_a_gate_is_that_of_the_first_network_at_the_bar_and_sees_nothing_later(
    fitted: RegimeNasForecaster, small_market: Market
) -> None:
    dates = small_market.dates[300:380]
    gates = detected_gates(fitted, small_market, dates)
    assert gates is not None
    assert gates.shape == (80, 3)
    assert gates.sum(axis=1) == pytest.approx(np.ones(80))
    for row in (0, 41, 79):
        known = small_market.until(dates[row])
        with torch.no_grad():
            detection, _ = fitted.networks_[0].detect(fitted.example_batch(known))
        assert gates[row] == pytest.approx(detection.gate[0].numpy(), abs=1e-6)


def test_the_gate_moves(fitted: RegimeNasForecaster, small_market: Market) -> None:
    gates = detected_gates(fitted, small_market, small_market.dates[300:400])
    assert gates is not None
    assert gates.std(axis=0).max() > 1e-5


def test_networks_without_a_learned_gate_have_none(small_market: Market) -> None:
    known, dates = small_market.until(small_market.dates[199]), small_market.dates[200:203]
    blocks = random_blocks(1, np.random.default_rng(3))
    uniform = RegimeNasForecaster(blocks=blocks, gate="uniform", **COMMON).fit(known)
    assert detected_gates(uniform, small_market, dates) is None
    assert detected_gates(GRUForecaster(**COMMON).fit(known), small_market, dates) is None


def test_agreement_by_hand() -> None:
    states = np.array([0, 0, 1, 2, 2])
    weights = np.eye(3)[[1, 1, 0, 2, 0]]
    # Blocks 1, 0, 2 stand for states 0, 1, 2: right at four of five bars.
    assert agreement(weights, states) == pytest.approx(0.8)
    # By their own names only the fourth bar is right.
    assert agreement(weights, states, in_order=True) == pytest.approx(0.2)


@check(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_agreement_does_not_depend_on_the_blocks_names_and_is_at_least_that_of_a_still_gate(
    seed: int,
) -> None:
    generator = np.random.default_rng(seed)
    states, weights = generator.integers(0, 3, 40), generator.random((40, 3))
    found = agreement(weights, states)
    for order in permutations(range(3)):
        assert agreement(weights[:, order], states) == pytest.approx(found)
    still = np.tile([0.2, 0.5, 0.3], (40, 1))
    assert agreement(still, states) == pytest.approx(np.bincount(states).max() / 40)
    assert agreement(np.eye(3)[states], states) == 1.0
