"""Simulated markets whose truth is known: for tests, planted experiments and placebos."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.market.market import Market

PLANTED_REGIMES = ("trend", "range", "volatile")
"""Names of the hidden states 0, 1 and 2 of :func:`regime_switching_market`."""


def planted_states(
    *, phi: float, volatility: float, volatile_ratio: float
) -> tuple[np.ndarray, np.ndarray]:
    """Autocorrelation φ and shock size σ of every planted state, each (3,).

    Args:
        phi: Strength of the autocorrelation, in [0, 1).
        volatility: Standard deviation of a one-bar shock in the calm states, in decimals.
        volatile_ratio: Volatility of the third state over that of the others.

    Raises:
        ParameterError: ``phi`` is outside [0, 1), or a volatility is not positive.
    """
    _check_phi(phi)
    if not (volatility > 0.0 and volatile_ratio > 0.0):
        raise ParameterError(
            "volatility and volatile_ratio must be positive and are "
            f"{volatility} and {volatile_ratio}."
        )
    return np.array([phi, -phi, 0.0]), volatility * np.array([1.0, 1.0, volatile_ratio])


def _check_phi(phi: float) -> None:
    if not 0.0 <= phi < 1.0:
        raise ParameterError(f"phi must lie in [0, 1) and is {phi}.")


def market_from_log_returns(
    log_returns: np.ndarray,
    *,
    start: str = "2000-01-03",
    first_close: float = 100.0,
    bars_per_year: int = 252,
    min_history: int = 1,
) -> Market:
    """Build a market on business days whose one-bar log returns are given.

    Args:
        log_returns: (T - 1, N); row k is earned from bar k to bar k + 1.
        start: Date of the first bar.
        first_close: Close of every asset at the first bar.
        bars_per_year: Bars in a year.
        min_history: Closes that an asset needs before it joins the universe.

    Returns:
        A market of T bars with assets ``A00``, ``A01``, … and, as benchmark, the portfolio that
        holds all assets in equal weights at every bar.
    """
    paths = np.vstack([np.zeros(log_returns.shape[1]), np.cumsum(log_returns, axis=0)])
    growth = np.concatenate([[1.0], np.exp(log_returns).mean(axis=1)])
    return Market(
        dates=pd.bdate_range(start, periods=len(paths), name="date"),
        assets=tuple(f"A{column:02d}" for column in range(paths.shape[1])),
        close=first_close * np.exp(paths),
        benchmark=first_close * np.cumprod(growth),
        bars_per_year=bars_per_year,
        min_history=min_history,
    )


def hidden_chain(*, n_bars: int, n_states: int, stay: float, seed: int) -> np.ndarray:
    """Draw a Markov chain that stays with probability ``stay`` and else moves to any other state.

    Args:
        n_bars: Length T.
        n_states: Number of states; the first is drawn uniformly.
        stay: Probability of the same state at the next bar, in [0, 1].
        seed: Seed of the draw.

    Returns:
        States, (T,) int.

    Raises:
        ParameterError: ``stay`` is not a probability.
    """
    if not 0.0 <= stay <= 1.0:
        raise ParameterError(f"stay must be a probability and is {stay}.")
    generator = np.random.default_rng(seed)
    moves = np.where(
        generator.random(n_bars) < stay, 0, generator.integers(1, n_states, size=n_bars)
    )
    moves[0] = generator.integers(0, n_states)
    states: np.ndarray = np.cumsum(moves) % n_states
    return states


def regime_switching_market(
    *,
    n_assets: int = 5,
    n_bars: int = 1000,
    stay: float = 0.985,
    phi: float = 0.45,
    volatility: float = 0.01,
    volatile_ratio: float = 2.5,
    seed: int,
    min_history: int = 1,
) -> tuple[Market, np.ndarray]:
    """Simulate assets that share a hidden chain of three states.

    The log return of every asset is r_t = φ_s r_(t-1) + σ_s ε_t with independent standard normal
    ε and s the state at bar t: in ``trend`` (state 0) φ = +``phi``, in ``range`` (state 1)
    φ = -``phi``, in ``volatile`` (state 2) φ = 0; σ is ``volatility`` in the first two and
    ``volatile_ratio`` times that in the third.

    Args:
        n_assets: Number of assets N.
        n_bars: Number of bars T.
        stay: Probability that the state is the same at the next bar.
        phi: Strength of the autocorrelation, in [0, 1).
        volatility: Standard deviation of a one-bar shock in the calm states, in decimals.
        volatile_ratio: Volatility of the third state over that of the others.
        seed: Seed of everything that is drawn.
        min_history: Closes that an asset needs before it joins the universe.

    Returns:
        The market, and the hidden states, (T,) int in the order of :data:`PLANTED_REGIMES`; the
        state at a bar governs the return that ends at this bar.

    Raises:
        ParameterError: ``phi`` is outside [0, 1), ``stay`` is not a probability, or a volatility
            is not positive.
    """
    phis, sigmas = planted_states(phi=phi, volatility=volatility, volatile_ratio=volatile_ratio)
    states = hidden_chain(n_bars=n_bars, n_states=3, stay=stay, seed=seed)
    # A stream of its own, so that the states do not depend on the number of assets.
    generator = np.random.default_rng([seed, 1])
    shocks = sigmas[states][:, None] * generator.standard_normal((n_bars, n_assets))
    returns = _autoregression(shocks, phis[states])
    return market_from_log_returns(returns[1:], min_history=min_history), states


def no_regime_market(
    *,
    n_assets: int = 5,
    n_bars: int = 1000,
    phi: float = 0.45,
    volatility: float = 0.01,
    seed: int,
    min_history: int = 1,
) -> Market:
    """Simulate assets of one constant autocorrelation: nothing beats the linear forecast.

    The log return of every asset is r_t = φ r_(t-1) + σ ε_t with independent standard normal ε.
    The best forecast of the next one is φ r_t, whose R² against zero is φ² in a long sample.

    Args:
        n_assets: Number of assets N.
        n_bars: Number of bars T.
        phi: The autocorrelation, in [0, 1).
        volatility: Standard deviation of a one-bar shock, in decimals.
        seed: Seed of the draw.
        min_history: Closes that an asset needs before it joins the universe.

    Raises:
        ParameterError: ``phi`` is outside [0, 1).
    """
    _check_phi(phi)
    shocks = volatility * np.random.default_rng(seed).standard_normal((n_bars, n_assets))
    returns = _autoregression(shocks, np.full(n_bars, phi))
    return market_from_log_returns(returns[1:], min_history=min_history)


def _autoregression(shocks: np.ndarray, phis: np.ndarray) -> np.ndarray:
    """r_t = φ_t r_(t-1) + shock_t over the rows of ``shocks``, (T, N), from r_0 = shock_0."""
    returns = shocks.copy()
    for bar in range(1, len(returns)):
        returns[bar] += phis[bar] * returns[bar - 1]
    return returns


def random_walk_market(
    *,
    n_assets: int = 5,
    n_bars: int = 1000,
    volatility: float = 0.01,
    drift: float = 0.0,
    seed: int,
    min_history: int = 1,
) -> Market:
    """Simulate independent random walks of the log price: nothing beats the constant forecast.

    Args:
        n_assets: Number of assets N.
        n_bars: Number of bars T.
        volatility: Standard deviation of one-bar log returns, in decimals.
        drift: Mean of one-bar log returns.
        seed: Seed of the draw.
        min_history: Closes that an asset needs before it joins the universe.
    """
    generator = np.random.default_rng(seed)
    returns = drift + volatility * generator.standard_normal((n_bars - 1, n_assets))
    return market_from_log_returns(returns, min_history=min_history)


def garch_t_returns(
    *,
    n_bars: int,
    constant: float = 0.0,
    phi: float = 0.0,
    omega: float,
    alpha: float,
    beta: float,
    nu: float,
    seed: int,
    burn_in: int = 500,
) -> np.ndarray:
    """Simulate an AR(1) with GARCH(1,1) variance and Student t shocks (Bollerslev, 1987).

    r_t = constant + φ r_(t-1) + ε_t, ε_t = σ_t z_t, σ²_t = ω + α ε²_(t-1) + β σ²_(t-1), with z
    Student t of ``nu`` degrees of freedom, scaled to unit variance.

    Args:
        n_bars: Returns that are kept.
        constant: Constant of the mean equation.
        phi: Autoregressive coefficient.
        omega: Constant of the variance equation; the returns are in its square root's unit.
        alpha: Weight of the last squared shock.
        beta: Weight of the last variance.
        nu: Degrees of freedom, above 2.
        seed: Seed of the draw.
        burn_in: Returns drawn first and thrown away, so that the start is forgotten.

    Returns:
        Returns, (n_bars,).

    Raises:
        ParameterError: The process has no finite variance.
    """
    if alpha + beta >= 1.0 or nu <= 2.0 or abs(phi) >= 1.0:
        raise ParameterError(
            "a stationary AR(1)-GARCH(1,1)-t process needs alpha + beta < 1, nu > 2 and "
            f"|phi| < 1; got alpha + beta = {alpha + beta}, nu = {nu}, phi = {phi}."
        )
    generator = np.random.default_rng(seed)
    shocks = generator.standard_t(nu, size=burn_in + n_bars) * np.sqrt((nu - 2.0) / nu)
    returns: np.ndarray = np.empty(burn_in + n_bars)
    variance = omega / (1.0 - alpha - beta)
    previous = constant / (1.0 - phi)
    for bar, shock in enumerate(shocks):
        residual = np.sqrt(variance) * shock
        previous = constant + phi * previous + residual
        returns[bar] = previous
        variance = omega + alpha * residual**2 + beta * variance
    return returns[burn_in:]


def with_listing(
    market: Market,
    *,
    first_bar: Mapping[str, int] | None = None,
    last_bar: Mapping[str, int] | None = None,
) -> Market:
    """The same market with some assets listed late or ending early.

    Args:
        market: A market with closes everywhere.
        first_bar: Asset to the row of its first close.
        last_bar: Asset to the row of its last close.
    """
    blanks = np.zeros(market.close.shape, dtype=bool)
    for asset, row in (first_bar or {}).items():
        blanks[:row, market.assets.index(asset)] = True
    for asset, row in (last_bar or {}).items():
        blanks[row + 1 :, market.assets.index(asset)] = True
    return replace(
        market,
        close=np.where(blanks, np.nan, market.close),
        fields={name: np.where(blanks, np.nan, grid) for name, grid in market.fields.items()},
    )
