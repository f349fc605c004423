"""Every operation again as a plain loop in numpy."""

from __future__ import annotations

from collections.abc import Callable

import attention_reference
import numpy as np
from attention_reference import array
from scipy.special import erf, expit

from regime_nas_pipeline.networks.operations import CLIP, Operation, SelfAttention
from regime_nas_pipeline.networks.running_operations import DIVISOR_FLOOR

Reference = Callable[[Operation, np.ndarray], np.ndarray]


def gelu(x: np.ndarray) -> np.ndarray:
    return 0.5 * x * (1 + erf(x / np.sqrt(2)))


def averages(operation: Operation, x: np.ndarray) -> np.ndarray:
    """Exponential averages by their recursion, weights and sum of weights apart."""
    decay = expit(array(operation.get_parameter("decay_logit")))
    total, weight = np.zeros(x.shape[:2] + x.shape[3:]), np.zeros(x.shape[-1])
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
    return products


def volatility_scaling(operation: Operation, x: np.ndarray) -> np.ndarray:
    clipped = np.clip(x, -CLIP, CLIP)
    return clipped / (averages(operation, np.abs(clipped)) + DIVISOR_FLOOR)


def z_score(_: Operation, x: np.ndarray) -> np.ndarray:
    x = np.clip(x, -CLIP, CLIP)
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
    x = attention_reference.clipped(x)
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
    x = attention_reference.clipped(x)
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
    assert isinstance(operation, SelfAttention)
    assert operation.attention.causal
    windows = x.reshape(-1, *x.shape[2:])
    return attention_reference.attend(operation.attention, windows).reshape(x.shape)


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
    "volatility_scaling": volatility_scaling,
    "squared": lambda _, x: np.clip(x, -CLIP, CLIP) ** 2,
    "absolute": lambda _, x: np.where(x < 0, -x, x),
    "average_difference": lambda op, x: x - averages(op, x),
    "running_sum": running_sum,
    "lag_product": lag_product,
    "mean_deviation": lambda _, x: x - expanding(x, np.mean),
    "z_score": z_score,
}
