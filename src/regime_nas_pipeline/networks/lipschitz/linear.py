"""Exact norms of the linear maps that networks are made of."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.networks.lipschitz.slope import Slope

Array = npt.NDArray[np.float64]

# Room for the rounding of a float64 decomposition, so that a bound is never a hair too low.
_ROUNDING = 1.0 + 1e-12
_FREQUENCIES = 32
_CACHED_BYTES = 2**17


def as_array(values: Tensor | Array) -> Array:
    """Weights as a float64 array on the host."""
    if isinstance(values, Tensor):
        values = values.detach().to("cpu", torch.float64).numpy()
    return np.asarray(values, dtype=np.float64)


def spectral_norm(matrix: Tensor | Array) -> float:
    """Largest singular value; of a stack of matrices (..., rows, columns), the largest of all.

    It is infinite where an entry is not a finite number, since nothing then bounds the map.
    """
    array = as_array(matrix)
    if array.size == 0:
        return 0.0
    if not np.isfinite(array).all():
        return math.inf
    return _largest_singular_value(array) * _ROUNDING


def _largest_singular_value(array: np.ndarray) -> float:
    """Of real or complex matrices; a limit asks for the same small ones twice at every step."""
    if array.nbytes > _CACHED_BYTES:
        return _largest_of_stack(array.reshape(-1, *array.shape[-2:]))
    return _remembered(array.shape, array.dtype.str, array.tobytes())


@lru_cache(maxsize=512)
def _remembered(shape: tuple[int, ...], kind: str, content: bytes) -> float:
    array = np.frombuffer(content, dtype=kind).reshape(shape)
    return float(np.linalg.svd(array, compute_uv=False).max())


def _largest_of_stack(stack: np.ndarray) -> float:
    """Decompose only matrices that can be the largest: |M|^2 is at most |M|_1 |M|_inf."""
    sizes = np.abs(stack)
    highest = np.sqrt(sizes.sum(axis=1).max(axis=1) * sizes.sum(axis=2).max(axis=1))
    largest = 0.0
    for index in np.argsort(-highest):
        if highest[index] <= largest:
            break
        largest = max(largest, float(np.linalg.svd(stack[index], compute_uv=False)[0]))
    return largest


def row_norm(rows: Tensor | Array) -> float:
    """Largest Euclidean norm of the vectors (..., columns)."""
    array = as_array(rows)
    if not np.isfinite(array).all():
        return math.inf
    return float(np.sqrt((array**2).sum(axis=-1)).max(initial=0.0)) * _ROUNDING


def over_bars(matrix: Array) -> Slope:
    """Slope of y_t = sum_s matrix[t, s] x_s with a matrix (..., L, L), one per channel or one.

    Channels do not mix, so the whole map is block diagonal.
    """
    return Slope(spectral_norm(matrix), row_norm(matrix[..., -1, :]))


def convolution_slope(weight: Tensor | Array, *, dilation: int = 1, length: int) -> Slope:
    """Slope of a causal convolution of stride 1 over ``length`` bars, zeros before the first.

    The map cuts a window out of the convolution of whole sequences, whose norm is the largest of
    ||sum_j W_j e^(-i j w)|| over the frequencies w (dilation only repeats them). For unit vectors
    u, v and a phase, the real part of u* (sum) v, shifted by half the kernel, is a function g of
    exponential type m = (k - 1)/2, and g'^2 + m^2 g^2 <= m^2 max g^2 (Duffin and Schaeffer 1938).
    From its peak g can therefore fall no faster than cos(m (w - peak)), and the nearest of N grid
    points is within pi/N: the largest norm on the grid over cos(pi (k - 1) / (2 N)) is a bound.
    Weights are real, so that half the grid is enough.

    Args:
        weight: (out, in, k) as PyTorch keeps it: the last tap meets the present bar.
        dilation: Bars between taps.
        length: Bars, L. Taps that reach back L bars or more meet only zeros and are left out.
    """
    array = as_array(weight)[:, :, ::-1]  # lag 0 first
    array = array[:, :, : -(-length // dilation)]
    taps = array.shape[2]
    grid = max(_FREQUENCIES, 16 * taps)
    angles = 2.0 * np.pi * np.arange(grid // 2 + 1) / grid
    phases = np.exp(-1j * angles[:, None] * np.arange(taps)[None, :])
    if not np.isfinite(array).all():
        return Slope(math.inf, math.inf)
    symbol = np.einsum("oik,fk->foi", array, phases)
    highest = _largest_singular_value(symbol)
    window = highest / math.cos(math.pi * (taps - 1) / (2 * grid)) * _ROUNDING
    # The last bar sees the taps side by side; it is one row of the whole map.
    last = spectral_norm(array.reshape(array.shape[0], -1))
    return Slope(window, min(last, window), local=taps == 1)


@lru_cache(maxsize=64)
def running_mean(length: int) -> Array:
    """(L, L) matrix of the mean over the bars so far."""
    matrix: Array = np.tril(np.ones((length, length))) / np.arange(1, length + 1)[:, None]
    matrix.flags.writeable = False  # it is shared between callers
    return matrix


def running_sum_slope(length: int, *, over_root: bool = False) -> Slope:
    """Slope of the sum over the bars so far, by itself or over the root of their number.

    The inverse of the summing matrix is the first difference, whose singular values are
    2 sin((2 j - 1) pi / (2 (2 L + 1))), so that the sum's norm is 1 / (2 sin(pi / (2 (2 L + 1)))).
    """
    if over_root:
        summing = np.tril(np.ones((length, length)))
        return over_bars(summing / np.sqrt(np.arange(1, length + 1))[:, None])
    window = 1.0 / (2.0 * math.sin(math.pi / (2.0 * (2 * length + 1))))
    return Slope(window * _ROUNDING, math.sqrt(length) * _ROUNDING)


def exponential_average(decay: Tensor | Array, length: int) -> Array:
    """(W, L, L) matrices of exponential averages whose weights sum to one at every bar.

    Args:
        decay: (W,) weight of a bar over the weight of the next one, each in [0, 1].
        length: Bars, L.

    Raises:
        ParameterError: A decay lies outside.
    """
    rates = as_array(decay)
    if not ((rates >= 0.0) & (rates <= 1.0)).all():
        raise ParameterError(
            f"decay of an exponential average must be in [0, 1]; it has {rates.min()} to "
            f"{rates.max()}."
        )
    age = np.clip(np.subtract.outer(np.arange(length), np.arange(length)), 0, None)
    weight: Array = np.tril(rates[:, None, None] ** age[None])
    normalised: Array = weight / weight.sum(axis=-1, keepdims=True)
    return normalised


def deviation_slope(average: Array) -> Slope:
    """Slope of a series less its own average; ``average`` is (..., L, L)."""
    return over_bars(np.eye(average.shape[-1]) - average)


def cross_section_slope() -> Slope:
    """Slope of the mean over the assets that are there, given to each of these assets.

    It is the projection of the assets' states on their common part: 1, at every bar. Assets that
    are not there are left out on both sides, for their forecasts count for nothing; with M rows
    given the mean of m assets the norm would be sqrt(M / m).
    """
    return Slope.of_bar(1.0)


def shared_input_norm(own: Tensor | Array, shared: Tensor | Array, rows: int) -> float:
    """Norm of x_i -> own x_i + shared z for ``rows`` rows, in all x_i and z as one vector.

    Turned so that the first direction is the mean over rows, that direction sees z times
    sqrt(rows) and the others see none of it: ||[own, sqrt(rows) shared]|| is exact.

    Args:
        own: (W, F) weights on a row's own inputs.
        shared: (W, G) weights on the inputs that all rows share.
        rows: Number of rows, M.
    """
    return spectral_norm(np.hstack([as_array(own), math.sqrt(rows) * as_array(shared)]))
