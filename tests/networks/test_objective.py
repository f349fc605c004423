from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from network_samples import random_batch
from torch import nn

from regime_nas_pipeline.networks.base import NetworkOutput
from regime_nas_pipeline.networks.objective import (
    Objective,
    label_disagreement,
    masked_mean,
    mean_squared_norm,
    prediction_error,
    ranking_error,
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


def test_weighted_prediction_error_by_hand(output: NetworkOutput, batch: Batch) -> None:
    weighted = replace(batch, weight=torch.tensor([[3.0, 50.0], [0.5, 7.0]]))
    # Still over the three assets that are there, not over the sum of weights.
    expected = (3.0 * 0.25 + 0.5 * 4.0 + 7.0 * 0.0) / 3
    assert prediction_error(output, weighted).item() == pytest.approx(expected)
    assert PLAIN(output, weighted).item() == pytest.approx(expected)
    ones = replace(batch, weight=torch.ones(2, 2))
    assert prediction_error(output, ones).item() == prediction_error(output, batch).item()


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


# --- ranking ----------------------------------------------------------------------------------


def one_bar(
    target: list[float], mean: list[float], mask: list[bool]
) -> tuple[NetworkOutput, Batch]:
    n = len(target)
    batch = Batch(
        asset=torch.zeros(1, n, 1, 1),
        market=torch.zeros(1, 2, 1),
        mask=torch.tensor([mask]),
        target=torch.tensor([target]),
    )
    return NetworkOutput(torch.tensor([mean], requires_grad=True), torch.zeros(1, n)), batch


def log1pexp(difference: float) -> float:
    """The loss of a pair whose forecasts differ by ``difference`` in the right order."""
    return float(np.log1p(np.exp(-difference)))


def test_ranking_by_hand() -> None:
    pair, batch = one_bar([3.0, 1.0, 2.0], [0.5, 0.25, -1.0], [True] * 3)
    # In the order that came: 0 before 2 before 1.
    expected = (log1pexp(0.5 - 0.25) + log1pexp(0.5 + 1.0) + log1pexp(-1.0 - 0.25)) / 3
    assert ranking_error(pair, batch).item() == pytest.approx(expected)
    error = prediction_error(pair, batch).item()
    loss = replace(PLAIN, ranking_weight=0.7)(pair, batch).item()
    assert loss == pytest.approx(error + 0.7 * expected)


def test_masked_assets_and_ties_make_no_pairs() -> None:
    pair, batch = one_bar([3.0, 1.0, 2.0, 1.0], [0.5, 0.25, -1.0, 9.0], [True, True, False, True])
    # 0 is above 1 and above 3; these two came equal, and asset 2 is not there.
    expected = (log1pexp(0.5 - 0.25) + log1pexp(0.5 - 9.0)) / 2
    found = ranking_error(pair, batch)
    assert found.item() == pytest.approx(expected)
    torch.autograd.backward(found)
    assert pair.mean.grad is not None
    assert pair.mean.grad[0, 2] == 0.0


def test_pairs_are_made_within_a_bar(output: NetworkOutput, batch: Batch) -> None:
    # The first bar has one asset, so no pair; the second has one pair, wrong forecasts apart by 1.
    assert ranking_error(output, batch).item() == pytest.approx(log1pexp(1.0))


@pytest.mark.parametrize("target", [[1.0, 1.0, 1.0], [3.0, 0.0, 0.0]])
def test_without_a_pair_ranking_is_zero_and_has_no_slope(target: list[float]) -> None:
    mask = [True, target[1] != 0.0, target[2] != 0.0]
    pair, batch = one_bar(target, [0.5, 0.25, -1.0], mask)
    found = ranking_error(pair, batch)
    torch.autograd.backward(found)
    assert found.item() == 0.0
    assert pair.mean.grad is not None
    assert (pair.mean.grad == 0.0).all()


@settings(max_examples=30, deadline=None)
@given(shift=st.floats(-3.0, 3.0), seed=st.integers(0, 10**6))
def test_ranking_sees_differences_alone(shift: float, seed: int) -> None:
    batch = random_batch(size=4, n_assets=6, seed=seed)
    mean = torch.randn(4, 6, generator=torch.Generator().manual_seed(seed + 1))
    found, moved, right = (
        ranking_error(NetworkOutput(m, torch.zeros(4, 6)), batch).item()
        for m in (mean, mean + shift, 100.0 * batch.target)
    )
    assert moved == pytest.approx(found, rel=1e-4, abs=1e-6)
    assert right <= found + 1e-6


# --- terms that see the weights alone ---------------------------------------------------------


def small_network(seed: int = 0) -> nn.Module:
    """A dense layer, a convolution and a vector of one dimension."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.ModuleDict(
            {"dense": nn.Linear(4, 3), "taps": nn.Conv1d(2, 5, 3), "scale": nn.LayerNorm(3)}
        )


def arrays(network: nn.Module) -> list[np.ndarray]:
    return [p.detach().numpy().astype(float) for p in network.parameters()]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_the_spectral_term_is_the_mean_of_squared_singular_values(seed: int) -> None:
    network = small_network(seed)
    matrices = [w.reshape(len(w), -1) for w in arrays(network) if w.ndim >= 2]
    assert len(matrices) == 2
    expected = np.mean([np.linalg.svd(w, compute_uv=False)[0] ** 2 for w in matrices])
    assert mean_squared_norm(network).item() == pytest.approx(expected, rel=1e-5)
    penalty = replace(PLAIN, lipschitz_weight=0.3).penalty(network).item()
    assert penalty == pytest.approx(0.3 * expected, rel=1e-5)


def test_l1_and_l2_are_sums_over_every_weight() -> None:
    network = small_network()
    absolute = sum(np.abs(w).sum() for w in arrays(network))
    squares = sum((w**2).sum() for w in arrays(network))
    assert replace(PLAIN, l1_weight=0.2).penalty(network).item() == pytest.approx(0.2 * absolute)
    assert replace(PLAIN, l2_weight=0.5).penalty(network).item() == pytest.approx(0.5 * squares)
    both = replace(PLAIN, l1_weight=0.2, l2_weight=0.5).penalty(network)
    assert both.item() == pytest.approx(0.2 * absolute + 0.5 * squares)


def test_the_slopes_of_the_penalties_by_hand() -> None:
    network = nn.Linear(3, 3, bias=False)
    with torch.no_grad():
        network.weight.copy_(torch.diag(torch.tensor([3.0, -2.0, 0.5])))
    torch.autograd.backward(
        Objective(lipschitz_weight=1.0, l1_weight=0.1, l2_weight=0.01).penalty(network)
    )
    # d σ₁² = 2 σ₁ u v', which is 6 at the largest entry; signs for L1, twice the weights for L2.
    expected = torch.diag(torch.tensor([6.0 + 0.1 + 0.06, -0.1 - 0.04, 0.1 + 0.01]))
    torch.testing.assert_close(network.weight.grad, expected)


def test_without_weights_there_is_no_penalty() -> None:
    found = Objective().penalty(small_network())
    assert found.item() == 0.0
    assert not found.requires_grad


def test_the_loss_of_a_batch_has_no_penalty_in_it(output: NetworkOutput, batch: Batch) -> None:
    penalised = replace(PLAIN, lipschitz_weight=5.0, l1_weight=5.0, l2_weight=5.0)
    assert penalised(output, batch).item() == PLAIN(output, batch).item()


def test_every_weight_switches_one_term_on(output: NetworkOutput, batch: Batch) -> None:
    nothing = Objective(**{weight.name: 0.0 for weight in fields(Objective)})
    network = small_network()

    def total(objective: Objective) -> float:
        return (objective(output, batch) + objective.penalty(network)).item()

    assert total(nothing) == prediction_error(output, batch).item()
    added = [
        total(replace(nothing, **{weight.name: 1.0})) - total(nothing)
        for weight in fields(Objective)
    ]
    assert len(set(np.round(added, 6))) == 7
    assert min(np.abs(added)) > 1e-3
    everything = Objective(**{weight.name: 1.0 for weight in fields(Objective)})
    assert total(everything) - total(nothing) == pytest.approx(sum(added), rel=1e-5)
