from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.special import erf, expit

from regime_nas_pipeline.networks.operations import (
    BLOCK_OPERATIONS,
    CLIP,
    DIVISOR_FLOOR,
    OPERATIONS,
    Operation,
)

WIDTH, HEADS, LENGTH = 4, 2, 14

Reference = Callable[[Operation, np.ndarray], np.ndarray]


def states(seed: int = 0, size: float = 1.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return size * torch.randn(2, 3, LENGTH, WIDTH, generator=generator, dtype=torch.float64)


def present() -> torch.Tensor:
    return torch.tensor([[True, False, True], [True, True, True]])


def make(name: str, seed: int = 3) -> Operation:
    torch.manual_seed(seed)
    return OPERATIONS[name](WIDTH, HEADS).double().eval()


def array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().numpy()


def gelu(x: np.ndarray) -> np.ndarray:
    return 0.5 * x * (1 + erf(x / np.sqrt(2)))


@pytest.fixture(autouse=True)
def _own_random_state():
    with torch.random.fork_rng():
        yield


def test_every_block_names_operations_that_exist_without_repeating_one() -> None:
    for names in BLOCK_OPERATIONS.values():
        assert set(names) <= set(OPERATIONS)
        assert len(set(names)) == len(names)
    assert set().union(*BLOCK_OPERATIONS.values()) == set(OPERATIONS)


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


def averages(operation: Operation, x: np.ndarray) -> np.ndarray:
    """Exponential averages by their recursion, weights and sum of weights apart."""
    decay = expit(array(operation.get_parameter("decay_logit")))
    total, weight = np.zeros(x.shape[:2] + x.shape[3:]), np.zeros(WIDTH)
    result = np.empty_like(x)
    for bar in range(x.shape[2]):
        total = decay * total + x[:, :, bar]
        weight = decay * weight + 1.0
        result[:, :, bar] = total / weight
    return result


def expanding(x: np.ndarray, statistic: Callable[..., np.ndarray]) -> np.ndarray:
    return np.stack([statistic(x[:, :, : bar + 1], axis=2) for bar in range(x.shape[2])], axis=2)


def convolution(dilation: int) -> Reference:
    def reference(operation: Operation, x: np.ndarray) -> np.ndarray:
        kernel = array(operation.get_parameter("convolution.weight"))
        bias = array(operation.get_parameter("convolution.bias"))
        result = np.zeros_like(x) + bias
        for bar in range(x.shape[2]):
            for tap in range(3):
                source = bar - dilation * (2 - tap)
                if source >= 0:
                    result[:, :, bar] += x[:, :, source] @ kernel[:, :, tap].T
        return gelu(result)

    return reference


def dense(operation: Operation, x: np.ndarray) -> np.ndarray:
    weight = array(operation.get_parameter("linear.weight"))
    return gelu(x @ weight.T + array(operation.get_parameter("linear.bias")))


def lag_product(_: Operation, x: np.ndarray) -> np.ndarray:
    clipped = np.clip(x, -CLIP, CLIP)
    products = np.zeros_like(x)
    for bar in range(1, x.shape[2]):
        products[:, :, bar] = clipped[:, :, bar] * clipped[:, :, bar - 1]
    return expanding(products, np.mean)


def z_score(_: Operation, x: np.ndarray) -> np.ndarray:
    deviation = np.sqrt(expanding(x, np.var) + 1e-6)
    return (x - expanding(x, np.mean)) / (deviation + DIVISOR_FLOOR)


def running_sum(_: Operation, x: np.ndarray) -> np.ndarray:
    return expanding(x, np.sum) / np.sqrt(np.arange(1, x.shape[2] + 1))[:, None]


def present_mean(_: Operation, x: np.ndarray) -> np.ndarray:
    first = x[0, [0, 2]].mean(axis=0)
    second = x[1].mean(axis=0)
    return np.stack([np.stack([first] * 3), np.stack([second] * 3)])


def gated_recurrence(operation: Operation, x: np.ndarray) -> np.ndarray:
    """Cho et al. 2014, in the form that torch documents."""
    w_in, w_hidden, b_in, b_hidden = (
        array(operation.get_parameter(f"recurrent.{name}_l0"))
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    state = np.zeros(x.shape[:2] + x.shape[3:])
    result = np.empty_like(x)
    for bar in range(x.shape[2]):
        r_in, z_in, n_in = np.split(x[:, :, bar] @ w_in.T + b_in, 3, axis=-1)
        r_h, z_h, n_h = np.split(state @ w_hidden.T + b_hidden, 3, axis=-1)
        update = expit(z_in + z_h)
        state = (1 - update) * np.tanh(n_in + expit(r_in + r_h) * n_h) + update * state
        result[:, :, bar] = state
    return result


def long_short_term(operation: Operation, x: np.ndarray) -> np.ndarray:
    w_in, w_hidden, b_in, b_hidden = (
        array(operation.get_parameter(f"recurrent.{name}_l0"))
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    state = memory = np.zeros(x.shape[:2] + x.shape[3:])
    result = np.empty_like(x)
    for bar in range(x.shape[2]):
        gates = x[:, :, bar] @ w_in.T + b_in + state @ w_hidden.T + b_hidden
        i, f, g, o = np.split(gates, 4, axis=-1)
        memory = expit(f) * memory + expit(i) * np.tanh(g)
        state = expit(o) * np.tanh(memory)
        result[:, :, bar] = state
    return result


def causal_attention(operation: Operation, x: np.ndarray) -> np.ndarray:
    w, b = (
        array(operation.get_parameter(f"attention.in_proj_{name}")) for name in ("weight", "bias")
    )
    out_w, out_b = (
        array(operation.get_parameter(f"attention.out_proj.{name}")) for name in ("weight", "bias")
    )
    q, k, v = np.split(x @ w.T + b, 3, axis=-1)
    size = WIDTH // HEADS
    result = np.empty_like(x)
    for bar in range(x.shape[2]):
        for head in range(HEADS):
            part = slice(head * size, (head + 1) * size)
            scores = np.einsum("bmd,bmsd->bms", q[:, :, bar, part], k[:, :, : bar + 1, part])
            weight = np.exp(scores / np.sqrt(size))
            weight /= weight.sum(axis=-1, keepdims=True)
            result[:, :, bar, part] = np.einsum("bms,bmsd->bmd", weight, v[:, :, : bar + 1, part])
    return result @ out_w.T + out_b


REFERENCES: dict[str, Reference] = {
    "none": lambda _, x: np.zeros_like(x),
    "identity": lambda _, x: x,
    "linear": dense,
    "convolution": convolution(1),
    "convolution_by_2": convolution(2),
    "convolution_by_4": convolution(4),
    "gru": gated_recurrence,
    "lstm": long_short_term,
    "self_attention": causal_attention,
    "cross_sectional_mean": present_mean,
    "volatility_scaling": lambda op, x: x / (averages(op, np.abs(x)) + DIVISOR_FLOOR),
    "squared": lambda _, x: np.clip(x, -CLIP, CLIP) ** 2,
    "average_difference": lambda op, x: x - averages(op, x),
    "running_sum": running_sum,
    "lag_product": lag_product,
    "mean_deviation": lambda _, x: x - expanding(x, np.mean),
    "z_score": z_score,
}


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("size", [1.0, 5.0], ids=["small", "beyond the clip"])
def test_it_equals_a_plain_loop(name: str, size: float) -> None:
    operation, x = make(name), states(seed=9, size=size)
    found = array(operation(x, present()))
    np.testing.assert_allclose(found, REFERENCES[name](operation, array(x)), rtol=1e-9, atol=1e-9)


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
