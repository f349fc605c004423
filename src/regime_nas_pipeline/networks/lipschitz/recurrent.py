"""Slopes of GRU and LSTM layers that start from a state of zero."""

from __future__ import annotations

import math

import numpy as np
from torch import nn

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.networks.lipschitz.linear import (
    Array,
    as_array,
    over_bars,
    spectral_norm,
)
from regime_nas_pipeline.networks.lipschitz.slope import UNBOUNDED, Slope, times

_SIGMOID_SLOPE = 0.25


class _Gates:
    """Weights of a recurrent layer, cut into its gates, for inputs of at most ``radius``."""

    def __init__(self, layer: nn.GRU | nn.LSTM, n_gates: int, radius: float) -> None:
        if layer.num_layers != 1 or layer.bidirectional or layer.proj_size:
            raise ParameterError(
                "a Lipschitz bound is known for recurrent layers of one layer and one direction "
                "without projection."
            )
        size = layer.hidden_size
        self.radius = radius
        weights = {name: as_array(value) for name, value in layer.named_parameters()}
        no_bias = np.zeros(n_gates * size)
        self.W = weights["weight_ih_l0"].reshape(n_gates, size, -1)
        self.U = weights["weight_hh_l0"].reshape(n_gates, size, size)
        self.b_input = weights.get("bias_ih_l0", no_bias).reshape(n_gates, size)
        self.b_state = weights.get("bias_hh_l0", no_bias).reshape(n_gates, size)
        self.finite = all(
            bool(np.isfinite(part).all()) for part in (self.W, self.U, self.b_input, self.b_state)
        )
        if self.finite:
            self.w = [spectral_norm(matrix) for matrix in self.W]
            self.u = [spectral_norm(matrix) for matrix in self.U]

    def largest(self, gate: int) -> float:
        """Largest value of a sigmoid gate; states lie within ±1."""
        return _sigmoid(float((self._bias(gate) + self._swing(gate)).max()))

    def smallest(self, gate: int) -> float:
        """Smallest value of a sigmoid gate."""
        return _sigmoid(float((self._bias(gate) - self._swing(gate)).min()))

    def _bias(self, gate: int) -> Array:
        total: Array = self.b_input[gate] + self.b_state[gate]
        return total

    def _swing(self, gate: int) -> Array:
        rows = np.sqrt((self.W[gate] ** 2).sum(axis=1))
        reach = np.array([times(float(row), self.radius) for row in rows])
        swing: Array = reach + np.abs(self.U[gate]).sum(axis=1)
        return swing


def _sigmoid(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x)) if x > -700.0 else 0.0


def gru_slope(layer: nn.GRU, *, length: int, radius: float = math.inf) -> Slope:
    """Slope of a GRU in PyTorch's form, h' = (1 - z) n + z h, n = tanh(W_n x + r (U_n h + b)).

    States lie within ±1. The derivative of a step is z dh + (1 - z) dn + (h - n) dz with
    |h - n| <= 2 and |dz| <= 1/4 (|U_z dh| + |W_z dx|), and
    |dn| <= |W_n dx| + r |U_n dh| + c/4 (|U_r dh| + |W_r dx|) where c is the largest row sum of
    |U_n| plus |b|. So |dh'| <= ρ |dh| + β |dx|, and unrolled over the window the last state has
    β sqrt(Σ ρ^(2 k)), all states the norm of the triangular matrix of β ρ^(t - s).

    The part z dh + (1 - z) dn is an average entry by entry: besides the sum of its parts'
    bounds, z_max + (1 - z_min) κ with |dn| <= κ |dh|, convexity gives
    sqrt(z_max + (1 - z_min) κ^2). The smaller is taken.

    Args:
        layer: One layer, one direction.
        length: Bars, L.
        radius: Largest Euclidean norm of the input at a bar; z_max and z_min follow from it.

    Raises:
        ParameterError: The layer is of another form.
    """
    gates = _Gates(layer, 3, radius)
    if not gates.finite:
        return UNBOUNDED
    reset, update, new = range(3)
    z_max, z_min, r_max = gates.largest(update), gates.smallest(update), gates.largest(reset)
    c = float((np.abs(gates.U[new]).sum(axis=1) + np.abs(gates.b_state[new])).max())
    kept = 1.0 - z_min
    bent = r_max * gates.u[new] + _SIGMOID_SLOPE * c * gates.u[reset]
    mixed = min(z_max + kept * bent, math.sqrt(z_max + kept * bent**2))
    rho = mixed + 2.0 * _SIGMOID_SLOPE * gates.u[update]
    beta = (
        kept * (gates.w[new] + _SIGMOID_SLOPE * c * gates.w[reset])
        + 2.0 * _SIGMOID_SLOPE * gates.w[update]
    )
    lag = np.subtract.outer(np.arange(length), np.arange(length))
    with np.errstate(over="ignore"):
        gains = np.tril(beta * rho ** np.maximum(lag, 0))
    return over_bars(gains)


def lstm_slope(layer: nn.LSTM, *, length: int, radius: float = math.inf) -> Slope:
    """Slope of an LSTM, c' = f c + i g and h' = o tanh(c').

    After t bars |c| <= C_t with C_t = f_max C_(t-1) + i_max, since |g| <= 1; |h| <= tanh(C_t).
    The derivative of a step is bounded by
    |dc'| <= f_max |dc| + (C_(t-1)/4 |U_f| + 1/4 |U_i| + i_max |U_g|) |dh| + the same with W |dx|,
    |dh'| <= o_max |dc'| + tanh(C_t)/4 (|U_o| |dh| + |W_o| |dx|).
    This pair of recursions, started from the input of each bar, gives the triangular matrix of
    gains from bar s to bar t, whose norm is the bound.

    Args:
        layer: One layer, one direction.
        length: Bars, L.
        radius: Largest Euclidean norm of the input at a bar.

    Raises:
        ParameterError: The layer is of another form.
    """
    gates = _Gates(layer, 4, radius)
    if not gates.finite:
        return UNBOUNDED
    enter, forget, new, out = range(4)
    i_max, f_max, o_max = (gates.largest(gate) for gate in (enter, forget, out))

    def to_cell(norms: list[float], before: float) -> float:
        sigmoids = before * norms[forget] + norms[enter]
        return _SIGMOID_SLOPE * sigmoids + i_max * norms[new]

    gains = np.zeros((length, length))
    cell, state = np.zeros(length), np.zeros(length)  # gains of dc and dh from each earlier bar
    before = 0.0
    with np.errstate(over="ignore"):
        for bar in range(length):
            after = f_max * before + i_max
            direct = _SIGMOID_SLOPE * math.tanh(after)
            cell = f_max * cell + to_cell(gates.u, before) * state
            cell[bar] = to_cell(gates.w, before)
            state = o_max * cell + direct * gates.u[out] * state
            state[bar] = o_max * cell[bar] + direct * gates.w[out]
            gains[bar] = state
            before = after
    return over_bars(gains)
