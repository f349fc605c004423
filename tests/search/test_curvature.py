from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from search_samples import noise, small_supernet
from torch import Tensor

from regime_nas_pipeline.networks.objective import Objective
from regime_nas_pipeline.search.curvature import (
    CurvatureWatch,
    hessian_product,
    largest_eigenvalue,
    twice_differentiable,
)
from regime_nas_pipeline.search.supernet import alpha_parameters


def symmetric(size: int, seed: int) -> np.ndarray:
    matrix = np.random.default_rng(seed).standard_normal((size, size))
    return (matrix + matrix.T) / 2


def estimate(matrix: np.ndarray, products: int) -> float:
    known = torch.as_tensor(matrix)
    start = torch.as_tensor(np.random.default_rng(9).standard_normal(len(matrix)))
    return largest_eigenvalue(lambda vector: known @ vector, start, products)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 20), st.integers(0, 10**6))
def test_as_many_products_as_dimensions_give_the_eigenvalue(size: int, seed: int) -> None:
    matrix = symmetric(size, seed)
    expected = np.linalg.eigvalsh(matrix)[-1]
    assert estimate(matrix, size) == pytest.approx(expected, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 20), st.integers(0, 10**6), st.integers(1, 25))
def test_fewer_products_never_overestimate(size: int, seed: int, products: int) -> None:
    matrix = symmetric(size, seed)
    assert estimate(matrix, products) <= np.linalg.eigvalsh(matrix)[-1] + 1e-9
    assert estimate(matrix, products) <= estimate(matrix, products + 1) + 1e-9


def test_a_matrix_of_low_rank_ends_early() -> None:
    asked: list[int] = []
    vector = torch.ones(50, dtype=torch.float64) / 50**0.5

    def product(v: Tensor) -> Tensor:
        asked.append(1)
        return 3.0 * vector * (vector @ v)

    start = torch.as_tensor(np.random.default_rng(0).standard_normal(50))
    assert largest_eigenvalue(product, start, 40) == pytest.approx(3.0)
    assert len(asked) == 2


@pytest.mark.parametrize("head", ["linear", "gru", "lstm"])
def test_the_supernets_eigenvalue_is_that_of_its_whole_hessian(head: str) -> None:
    """With GRU, LSTM and attention on the edges; the Hessian by differences of gradients."""
    network = small_supernet(nodes=1, head=head).double()
    data = noise(n_bars=40)
    batch = data.batch(np.array([20, 30]), need_target=True)
    batch = replace(
        batch,
        asset=batch.asset.double(),
        market=batch.market.double(),
        target=batch.target.double(),
    )
    alphas = alpha_parameters(network)
    size = sum(alpha.numel() for alpha in alphas)
    with torch.no_grad():
        network.output.linear.weight.mul_(20.0)
        generator = torch.Generator().manual_seed(1)
        for alpha in alphas:
            alpha.copy_(torch.randn(len(alpha), generator=generator))
    # Volatility matching holds the mean fixed, so that its gradient is no gradient field.
    objective = Objective(volatility_weight=0.0)

    def gradient_at(offset: Tensor) -> Tensor:
        shifts = torch.split(offset, [alpha.numel() for alpha in alphas])
        with torch.no_grad():
            for alpha, shift in zip(alphas, shifts, strict=True):
                alpha.add_(shift)
        parts = torch.autograd.grad(objective(network(batch), batch), alphas)
        with torch.no_grad():
            for alpha, shift in zip(alphas, shifts, strict=True):
                alpha.sub_(shift)
        return torch.cat(parts)

    steps = 1e-5 * torch.eye(size, dtype=torch.float64)
    hessian = torch.stack([(gradient_at(h) - gradient_at(-h)) / 2e-5 for h in steps]).numpy()
    with twice_differentiable():
        product = hessian_product(objective(network(batch), batch), alphas)
        start = torch.as_tensor(np.random.default_rng(0).standard_normal(size))
        value = largest_eigenvalue(product, start, size)
        few = largest_eigenvalue(product, start, 8)
        direction = torch.as_tensor(np.random.default_rng(1).standard_normal(size))
        np.testing.assert_allclose(
            product(direction).numpy(), hessian @ direction.numpy(), rtol=1e-5, atol=1e-7
        )
    expected = np.linalg.eigvalsh((hessian + hessian.T) / 2)[-1]
    assert expected > 1e-3
    assert value == pytest.approx(expected, rel=1e-5)
    assert few == pytest.approx(expected, rel=0.1)


def watched(values: list[float], window: int = 2, ratio: float = 4 / 3) -> tuple[int, float] | None:
    """Which measurement ended it, and which one it goes back to."""
    watch = CurvatureWatch(window, ratio)
    for number, value in enumerate(values):
        before = watch.add(value, [torch.tensor([float(number)])])
        if before is not None:
            return number, float(before[0])
    return None


def test_a_steady_curvature_never_stops() -> None:
    assert watched([1.0] * 30) is None
    assert watched(list(np.linspace(1.0, 1.3, 30))) is None
    assert watched(list(np.linspace(3.0, 0.1, 30))) is None


def test_it_stops_when_the_average_exceeds_the_ratio_and_goes_back_by_the_window() -> None:
    # Averages of two, two apart: 1.0 -> 1.5 at the sixth value.
    assert watched([1.0, 1.0, 1.0, 1.0, 1.2, 1.8]) == (5, 3.0)
    assert watched([1.0, 1.0, 1.0, 1.0, 1.2, 1.4]) is None
    assert watched([1.0, 1.0, 1.0, 1.0, 1.2, 1.4], ratio=1.25) == (5, 3.0)


def test_one_outlier_is_averaged_away() -> None:
    spike = [1.0] * 8 + [1.6] + [1.0] * 8
    assert watched(spike, window=1) == (8, 7.0)
    assert watched(spike, window=4) is None


def test_rounding_around_zero_is_no_rise() -> None:
    assert watched([1e-13, -1e-13, 1e-15, 1e-12, 1e-11, 1e-12]) is None


def test_what_is_kept_does_not_change_with_the_parameters() -> None:
    alpha = torch.zeros(2)
    watch = CurvatureWatch(1, 1.1)
    watch.add(1.0, [alpha])
    alpha += 5.0
    before = watch.add(2.0, [alpha])
    assert before is not None
    assert torch.equal(before[0], torch.zeros(2))
