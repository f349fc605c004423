"""Slopes of activations, clips and products: maps that are curved, bar by bar or along a window."""

from __future__ import annotations

import math

import numpy as np

from regime_nas_pipeline.networks.lipschitz.linear import (
    Array,
    deviation_slope,
    over_bars,
    row_norm,
    running_mean,
)
from regime_nas_pipeline.networks.lipschitz.slope import Slope

# d/dx x Phi(x) = Phi(x) + x phi(x) has the derivative phi(x) (2 - x^2): its peak is at sqrt(2).
GELU_SLOPE = 0.5 * (1.0 + math.erf(1.0)) + math.exp(-1.0) / math.sqrt(math.pi)

ACTIVATION_SLOPES: dict[str, float] = {
    "identity": 1.0,
    "relu": 1.0,
    "leaky_relu": 1.0,
    "tanh": 1.0,
    "hardtanh": 1.0,
    "softplus": 1.0,
    "absolute": 1.0,
    "ball": 1.0,  # the projection on a convex set brings no two points further apart
    "sigmoid": 0.25,
    "gelu": GELU_SLOPE,
}
"""Largest slope of each activation; leaky ReLU with a leak of at most one."""


def squared_slope(clip: float) -> Slope:
    """Slope of the square of a value clipped to [-clip, clip]."""
    return Slope.of_bar(2.0 * clip)


def lag_product_slope(clip: float, average: Array) -> Slope:
    """Slope of an average of clip(x_t) clip(x_(t-1)), with zero before the first bar.

    The product's derivative has the entries x_(t-1) at t and x_t at t - 1, none larger than
    ``clip``. A matrix has no larger norm than one whose entries are at least as large in size,
    here clip * average (1 + shift); all bars at the clip reach it.

    Args:
        clip: Largest size of a value.
        average: (..., L, L) of non-negative weights; the unit matrix for plain products.
    """
    length = average.shape[-1]
    neighbours = np.eye(length) + np.eye(length, k=-1)
    neighbours[0] = 0.0  # the first bar has none before it
    return over_bars(clip * (average @ neighbours))


def volatility_scaling_slope(average: Array, *, floor: float, clip: float = math.inf) -> Slope:
    """Slope of x_t / (a_t + floor) with a = average |x|.

    The derivative with respect to x_t itself is (a_t + floor - w |x_t|) / (a_t + floor)^2 with
    the weight w = average[t, t], between 0 and 1/floor since a_t >= w |x_t|. With respect to an
    earlier x_s it is at most average[t, s] |x_t| / (w |x_t| + floor)^2, which peaks at
    |x_t| = floor / w with 1 / (4 w floor), or at the clip if that comes first.

    Args:
        average: (..., L, L) lower triangular, non-negative, positive on the diagonal.
        floor: Added to the divisor.
        clip: Largest size of a value; infinite without a clip.
    """
    own = np.diagonal(average, axis1=-2, axis2=-1)
    peak = np.minimum(floor / own, clip)
    steepest = peak / (own * peak + floor) ** 2
    length = average.shape[-1]
    bound = steepest[..., None] * np.tril(average, -1) + np.eye(length) / floor
    return over_bars(bound)


def z_score_slope(length: int, *, floor: float, variance_floor: float) -> Slope:
    """Slope of (x_t - m_t) / (s_t + floor): running mean m, s_t = sqrt(v_t + variance_floor).

    With n bars, deviations d = x - m_n and variance v: the derivative is
    (1 - mean) / (s + floor) less d_n d' / (n s (s + floor)^2).

    A row. The unit vector u = d / sqrt(n v) carries d_n / sqrt(n v) of the first part, and the
    second part takes away the share v / (s (s + floor)) < 1 of that. So the row is no longer than
    sqrt(1 - 1/n) / (s + floor).

    All rows. The first part has at most the norm of (1 - running mean) over s + floor. For the
    second, sum the squared lengths of the rows, each at most (d_n^2 / n) phi(v_n) with
    phi(v) = 1 / (sqrt(v) + floor)^4. Since n v_n - (n - 1) v_(n-1) = d_n^2 n / (n - 1),
    d_n^2 / n <= (v_n - v_(n-1)) + v_n / (n - 1). As phi falls, the first terms add up to at most
    the integral of phi over v, 1 / (3 floor^2), and v phi(v) <= 1 / (16 floor^2): the rows'
    lengths together are at most sqrt(1/3 + H_(L-1) / 16) / floor with the harmonic number H.
    No clip is needed.
    """
    smallest = math.sqrt(variance_floor) + floor
    shrink = np.sqrt(1.0 - 1.0 / np.arange(1, length + 1))
    harmonic = float((1.0 / np.arange(1, length)).sum())
    together = (
        deviation_slope(running_mean(length)).window / smallest
        + math.sqrt(1.0 / 3.0 + harmonic / 16.0) / floor
    )
    return Slope(min(together, row_norm(shrink) / smallest), float(shrink[-1]) / smallest)
