"""A simulated index with a calm and a stressed state, whose truth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.market.synthetic import market_from_log_returns
from regime_nas_pipeline.regimes.markov_em import GaussianChain

TRUTH = GaussianChain(
    transition=np.array([[0.99, 0.01], [0.03, 0.97]]),
    means=np.array([0.0005, -0.0005]),
    variances=np.array([0.008, 0.024]) ** 2,
)
"""Mean run of 100 calm and 33 stressed days; daily volatility 0.8 % and 2.4 %."""


def simulate(chain: GaussianChain, *, n_bars: int, seed: int) -> tuple[Market, np.ndarray]:
    """One asset and its states, (T,); the state of a bar governs the return that ends there.

    A volatility index is observed: the standard deviation of the state in per cent a year, with
    noise.
    """
    generator = np.random.default_rng(seed)
    states = np.zeros(n_bars, dtype=int)
    moves = generator.random(n_bars)
    for bar in range(1, n_bars):
        states[bar] = np.searchsorted(np.cumsum(chain.transition[states[bar - 1]]), moves[bar])
    spread = np.sqrt(chain.variances)[states]
    returns = chain.means[states] + spread * generator.standard_normal(n_bars)
    index = 100.0 * np.sqrt(252) * spread * np.exp(0.2 * generator.standard_normal(n_bars))
    market = market_from_log_returns(returns[1:, None])
    return replace(market, observed={"VIX": index}), states


def with_blanks(market: Market, rows: slice) -> Market:
    """The same market without prices on some bars."""
    close = market.close.copy()
    close[rows] = np.nan
    return replace(market, close=close)


def scrambled_after(market: Market, row: int, *, seed: int = 0) -> Market:
    """The same market up to ``row``, and nonsense after it."""
    generator = np.random.default_rng(seed)
    close, index = market.close.copy(), market.observed["VIX"].copy()
    shape = close[row + 1 :].shape
    close[row + 1 :] = close[row] * np.exp(np.cumsum(generator.normal(0, 0.1, shape), axis=0))
    index[row + 1 :] = generator.uniform(20.0, 90.0, shape[0])
    return replace(market, close=close, observed={"VIX": index})
