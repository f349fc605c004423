from __future__ import annotations

import numpy as np
import pytest
import torch
from attention_reference import array
from hypothesis import given, settings
from hypothesis import strategies as st
from operation_references import REFERENCES
from scipy.special import expit

from regime_nas_pipeline.networks.operations import (
    BLOCK_OPERATIONS,
    CLIP,
    COMMON_OPERATIONS,
    EVIDENCE,
    GATED_BLOCKS,
    OPERATIONS,
    Operation,
)
from regime_nas_pipeline.networks.running_operations import DIVISOR_FLOOR

WIDTH, HEADS, LENGTH = 4, 2, 14


def states(seed: int = 0, size: float = 1.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return size * torch.randn(2, 3, LENGTH, WIDTH, generator=generator, dtype=torch.float64)


def present() -> torch.Tensor:
    return torch.tensor([[True, False, True], [True, True, True]])


def make(name: str, seed: int = 3) -> Operation:
    torch.manual_seed(seed)
    return OPERATIONS[name](WIDTH, HEADS).double().eval()


@pytest.fixture(autouse=True)
def _own_random_state():
    with torch.random.fork_rng():
        yield


def test_every_block_names_operations_that_exist_without_repeating_one() -> None:
    for names in BLOCK_OPERATIONS.values():
        assert set(names) <= set(OPERATIONS)
        assert len(set(names)) == len(names)
    assert set().union(*BLOCK_OPERATIONS.values()) == set(OPERATIONS)


def test_the_gate_weighs_every_block_but_the_evidence() -> None:
    assert GATED_BLOCKS == ("volatility", "trend", "range")
    assert {EVIDENCE, *GATED_BLOCKS} == set(BLOCK_OPERATIONS)
    for block in GATED_BLOCKS:
        own = set(BLOCK_OPERATIONS[block]) - set(COMMON_OPERATIONS)
        assert own
        assert set(COMMON_OPERATIONS) < set(BLOCK_OPERATIONS[block])
    # What makes regimes visible, and nothing that mixes assets before their evidence is averaged.
    assert {"absolute", "squared", "lag_product"} < set(BLOCK_OPERATIONS[EVIDENCE])
    assert "cross_sectional_mean" not in BLOCK_OPERATIONS[EVIDENCE]


@pytest.mark.parametrize("name", OPERATIONS)
def test_it_keeps_the_shape_and_looks_only_back(name: str) -> None:
    operation, x = make(name), states()
    expected = operation(x, present())
    assert expected.shape == x.shape
    for bar in (0, 5, LENGTH - 1):
        changed = x.clone()
        changed[:, :, bar] += 10.0
        found = operation(changed, present())
        torch.testing.assert_close(found[:, :, :bar], expected[:, :, :bar], rtol=0, atol=1e-12)
        if name != "none" and bar > 0:  # at the first bar a deviation from the mean is nothing
            assert (found[:, :, bar] != expected[:, :, bar]).any()


@pytest.mark.parametrize("name", sorted(set(OPERATIONS) - {"cross_sectional_mean"}))
def test_it_treats_every_asset_on_its_own(name: str) -> None:
    operation, x = make(name), states()
    expected = operation(x, present())
    changed = x.clone()
    changed[:, 1] += 3.0
    found = operation(changed, present())
    torch.testing.assert_close(found[:, [0, 2]], expected[:, [0, 2]], rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", sorted(set(OPERATIONS) - {"none"}))
@pytest.mark.parametrize("kind", ["random", "zero", "constant", "large"])
def test_its_slopes_are_finite(name: str, kind: str) -> None:
    x = {
        "random": states(),
        "zero": torch.zeros_like(states()),
        "constant": torch.full_like(states(), 2.0),
        "large": states(size=100.0),
    }[kind].float()
    x.requires_grad_(True)
    operation = make(name).float()
    result = operation(x, present())
    assert torch.isfinite(result).all()
    torch.autograd.backward((result**2).sum())
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()
    for parameter in operation.parameters():
        assert parameter.grad is not None
        assert torch.isfinite(parameter.grad).all()


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("size", [1.0, 5.0], ids=["small", "beyond the clip"])
def test_it_equals_a_plain_loop(name: str, size: float) -> None:
    operation, x = make(name), states(seed=9, size=size)
    found = array(operation(x, present()))
    np.testing.assert_allclose(found, REFERENCES[name](operation, array(x)), rtol=1e-9, atol=1e-9)


def applied(name: str, bars: list[float]) -> list[float]:
    """One channel of one asset through an operation."""
    operation = OPERATIONS[name](1, 1).double()
    if "decay_logit" in dict(operation.named_parameters()):
        operation.get_parameter("decay_logit").data.zero_()  # a decay of one half
    x = torch.tensor(bars, dtype=torch.float64)[None, None, :, None]
    found: list[float] = operation(x, torch.ones(1, 1, dtype=torch.bool))[0, 0, :, 0].tolist()
    return found


BARS = [1.0, -2.0, 1.5 * CLIP, 2.0]
"""The third bar lies beyond the clip."""


def test_products_squares_and_sizes_by_hand() -> None:
    assert applied("lag_product", BARS) == [0.0, -2.0, -2.0 * CLIP, 2.0 * CLIP]
    assert applied("squared", BARS) == [1.0, 4.0, CLIP**2, 4.0]
    assert applied("absolute", BARS) == [1.0, 2.0, 1.5 * CLIP, 2.0]


def test_volatility_scaling_by_hand() -> None:
    sizes = [1.0, 2.0, CLIP, 2.0]
    average = [
        sum(0.5 ** (bar - past) * sizes[past] for past in range(bar + 1))
        / sum(0.5 ** (bar - past) for past in range(bar + 1))
        for bar in range(4)
    ]
    expected = np.array([1.0, -2.0, CLIP, 2.0]) / (np.array(average) + DIVISOR_FLOOR)
    np.testing.assert_allclose(applied("volatility_scaling", BARS), expected)


def test_z_score_by_hand() -> None:
    clipped = [1.0, -2.0, CLIP, 2.0]
    expected = [
        (clipped[bar] - np.mean(clipped[: bar + 1])) / (np.std(clipped[: bar + 1]) + DIVISOR_FLOOR)
        for bar in range(4)
    ]
    np.testing.assert_allclose(applied("z_score", BARS), expected, rtol=1e-4, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(bars=st.lists(st.floats(-1e4, 1e4), min_size=2, max_size=12))
@pytest.mark.parametrize("name", ["squared", "lag_product", "volatility_scaling", "z_score"])
def test_what_would_explode_sees_the_clipped_state(name: str, bars: list[float]) -> None:
    clipped = np.clip(bars, -CLIP, CLIP).tolist()
    assert applied(name, bars) == applied(name, clipped)
    largest = max(CLIP**2, 2 * CLIP / DIVISOR_FLOOR)
    assert np.abs(applied(name, bars)).max() <= largest


def test_the_learned_average_has_half_lives_from_one_to_thirteen_bars() -> None:
    decay = expit(array(make("average_difference").get_parameter("decay_logit")))
    assert np.log(0.5) / np.log(decay[0]) == pytest.approx(1.0)
    assert np.log(0.5) / np.log(decay[-1]) == pytest.approx(14, abs=0.5)


def test_the_cross_sectional_mean_without_any_asset_is_zero() -> None:
    nobody = torch.zeros(2, 3, dtype=torch.bool)
    assert (make("cross_sectional_mean")(states(), nobody) == 0).all()


def test_the_cross_sectional_mean_ignores_masked_assets() -> None:
    operation, x = make("cross_sectional_mean"), states()
    changed = x.clone()
    changed[0, 1] = 1e6
    torch.testing.assert_close(operation(changed, present()), operation(x, present()))
    changed[1, 1] += 3.0
    difference = operation(changed, present()) - operation(x, present())
    torch.testing.assert_close(difference[1], torch.ones_like(difference[1]))
