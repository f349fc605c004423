from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from network_samples import random_batch

from regime_nas_pipeline.networks.base import NetworkOutput
from regime_nas_pipeline.networks.objective import (
    Objective,
    label_disagreement,
    masked_mean,
    prediction_error,
    volatility_mismatch,
)
from regime_nas_pipeline.networks.windows import Batch

PLAIN = Objective(volatility_weight=0.0)


@pytest.fixture
def batch() -> Batch:
    empty = torch.zeros(2, 2, 1, 1)
    return Batch(
        asset=empty,
        market=torch.zeros(2, 2, 1),
        mask=torch.tensor([[True, False], [True, True]]),
        target=torch.tensor([[1.0, 0.0], [-1.0, 2.0]]),
        regimes=torch.tensor([[0.5, 0.5, 0.0], [torch.nan, torch.nan, torch.nan]]),
    )


@pytest.fixture
def output() -> NetworkOutput:
    return NetworkOutput(
        mean=torch.tensor([[0.5, 99.0], [1.0, 2.0]], requires_grad=True),
        log_volatility=torch.tensor([[0.0, 7.0], [np.log(2.0), 0.0]], requires_grad=True),
        gate=torch.tensor([[0.5, 0.3, 0.2], [0.2, 0.6, 0.2]]),
        gate_before=torch.tensor([[0.4, 0.3, 0.3], [0.2, 0.2, 0.6]]),
        regime=torch.tensor([[0.25, 0.5, 0.25], [0.1, 0.1, 0.8]]),
    )


def test_prediction_error_by_hand(output: NetworkOutput, batch: Batch) -> None:
    # The three assets that are there: 0.5², 2² and 0.
    expected = (0.25 + 4.0 + 0.0) / 3
    assert prediction_error(output, batch).item() == pytest.approx(expected)
    assert PLAIN(output, batch).item() == pytest.approx(expected)


def test_volatility_mismatch_by_hand(output: NetworkOutput, batch: Batch) -> None:
    # log s + e² / (2 s²) with s = 1, 2 and 1.
    expected = (0.125 + np.log(2.0) + 4.0 / 8.0 + 0.0) / 3
    assert volatility_mismatch(output, batch).item() == pytest.approx(expected)
    loss = Objective(volatility_weight=0.4)(output, batch).item()
    assert loss == pytest.approx(4.25 / 3 + 0.4 * expected)


def test_smoothness_by_hand(output: NetworkOutput, batch: Batch) -> None:
    change = ((0.01 + 0.0 + 0.01) + (0.0 + 0.16 + 0.16)) / 2
    loss = replace(PLAIN, smoothness_weight=3.0)(output, batch).item()
    assert loss == pytest.approx(4.25 / 3 + 3.0 * change)


def test_a_blank_label_is_skipped(output: NetworkOutput, batch: Batch) -> None:
    expected = -(0.5 * np.log(0.25) + 0.5 * np.log(0.5))
    assert output.regime is not None
    assert batch.regimes is not None
    assert label_disagreement(output.regime, batch.regimes).item() == pytest.approx(expected)
    loss = replace(PLAIN, label_weight=2.0)(output, batch).item()
    assert loss == pytest.approx(4.25 / 3 + 2.0 * expected)


def test_without_any_label_the_term_is_zero_and_has_no_slope(batch: Batch) -> None:
    regime = torch.tensor([[0.2, 0.3, 0.5]], requires_grad=True)
    loss = label_disagreement(regime, torch.full((1, 3), torch.nan))
    torch.autograd.backward(loss)
    assert loss.item() == 0.0
    assert regime.grad is not None
    assert (regime.grad == 0).all()


def test_terms_of_gated_networks_are_off_for_others(output: NetworkOutput, batch: Batch) -> None:
    every = Objective(volatility_weight=0.1, smoothness_weight=1.0, label_weight=1.0)
    plain = NetworkOutput(output.mean, output.log_volatility)
    only_volatility = Objective(volatility_weight=0.1)
    assert every(plain, batch).item() == only_volatility(plain, batch).item()
    unlabelled = replace(batch, regimes=None)
    smooth = replace(every, label_weight=0.0)
    assert every(output, unlabelled).item() == smooth(output, unlabelled).item()


def test_volatility_matching_does_not_move_the_mean(output: NetworkOutput, batch: Batch) -> None:
    torch.autograd.backward(volatility_mismatch(output, batch))
    assert output.mean.grad is None
    assert output.log_volatility.grad is not None
    # The slope of log s + e² / (2 s²) along log s is 1 - e² / s², over the three assets.
    np.testing.assert_allclose(
        output.log_volatility.grad[batch.mask], [0.75 / 3, 0.0, 1.0 / 3], atol=1e-7
    )


def test_masked_entries_have_no_slope(output: NetworkOutput, batch: Batch) -> None:
    torch.autograd.backward(Objective(volatility_weight=1.0)(output, batch))
    for tensor in (output.mean, output.log_volatility):
        assert tensor.grad is not None
        assert tensor.grad[0, 1] == 0.0


def test_the_volatility_term_is_lowest_at_the_true_volatility() -> None:
    batch = random_batch(size=64, n_assets=50)
    scaled = replace(batch, target=3.0 * batch.target)
    grid = torch.linspace(0.5, 2.0, 61)
    losses = [
        volatility_mismatch(NetworkOutput(torch.zeros(64, 50), level.expand(64, 50)), scaled).item()
        for level in grid
    ]
    assert np.exp(grid[int(np.argmin(losses))].item()) == pytest.approx(3.0, rel=0.05)


def test_the_mean_over_nothing_is_zero() -> None:
    assert masked_mean(torch.ones(3), torch.zeros(3, dtype=torch.bool)).item() == 0.0
