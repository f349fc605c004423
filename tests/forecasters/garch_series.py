"""Return series on which GARCH fits are checked, and what ``arch`` makes of them."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from arch import arch_model
from skfolio.datasets import load_sp500_dataset

from regime_nas_pipeline.market.synthetic import garch_t_returns


def simulated(n_bars: int, seed: int, **changed: float) -> np.ndarray:
    """Returns like those of a stock index, with some parameters changed."""
    plain = {"constant": 5e-4, "phi": 0.05, "omega": 2e-6, "alpha": 0.08, "beta": 0.9, "nu": 7.0}
    return garch_t_returns(n_bars=n_bars, seed=seed, **{**plain, **changed})


@cache
def _bundled() -> np.ndarray:
    closes = load_sp500_dataset().loc["2000":"2015"].to_numpy()
    returns: np.ndarray = np.diff(np.log(closes), axis=0)
    return returns


def stock(column: int, n_bars: int) -> np.ndarray:
    """Log returns of one of the 20 stocks that ship with skfolio, from 2000 on."""
    return _bundled()[:n_bars, column]


def arch_model_of(scaled: np.ndarray) -> Any:
    """AR(1)-GARCH(1,1)-t of arch for returns that are scaled already."""
    return arch_model(scaled, mean="AR", lags=1, vol="GARCH", p=1, q=1, dist="t", rescale=False)


def arch_likelihood(scaled: np.ndarray, backcast: float, parameters: np.ndarray) -> float:
    """Log-likelihood of arch at (constant, φ, ω, α, β, ν), without its cuts of the variance."""
    model = arch_model_of(scaled)
    shocks = scaled[1:] - parameters[0] - parameters[1] * scaled[:-1]
    unlimited = np.column_stack([np.zeros(len(shocks)), np.full(len(shocks), np.inf)])
    variance = np.empty(len(shocks))
    model.volatility.compute_variance(parameters[2:5], shocks, variance, backcast, unlimited)
    return float(model.distribution.loglikelihood(parameters[5:], shocks, variance))
