"""The simulated markets of the planted experiment, and what is known of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.cache import content_hash
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.market.synthetic import (
    no_regime_market,
    random_walk_market,
    regime_switching_market,
)
from regime_nas_pipeline.walkforward.planted.parameters import MarketKind, Markets

HORIZON = 1
LAG = 0
"""Part of the protocol, not of the parameters: a bar's lag would leave even the oracle nothing."""


@dataclass(frozen=True, eq=False)
class SimulatedMarket:
    """One market, and which of its bars are for what.

    Attributes:
        market: Every bar.
        states: Hidden state at every bar, (T,); None where there is none.
        fit_bars: First bars, on which everything is learned.
    """

    market: Market
    states: np.ndarray | None
    fit_bars: int

    @property
    def known(self) -> Market:
        """What searches and fits are handed."""
        return self.market.until(self.market.dates[self.fit_bars - 1])

    @property
    def rows(self) -> np.ndarray:
        """Rows that are decided at, (D,): each return after the first ``fit_bars`` is a target."""
        return np.arange(self.fit_bars - 1, len(self.market.dates) - LAG - HORIZON)

    @property
    def decisions(self) -> pd.DatetimeIndex:
        """Dates of those rows."""
        return self.market.dates[self.rows]

    @property
    def target(self) -> np.ndarray:
        """Log return that each decision is judged by, (D, N)."""
        target: np.ndarray = self.market.target(HORIZON, LAG)[self.rows]
        return target


def simulate(markets: Markets, kind: MarketKind, seed: int) -> SimulatedMarket:
    """One market of a kind.

    Args:
        markets: Size and strength.
        kind: ``planted`` for three regimes, ``no_regime`` for one constant autocorrelation,
            ``martingale`` for independent random walks of the log price.
        seed: Seed of the draw.
    """
    size: dict[str, Any] = {
        "n_assets": markets.n_assets,
        "n_bars": markets.n_bars,
        "volatility": markets.volatility,
        "seed": seed,
    }
    states = None
    if kind == "planted":
        market, states = regime_switching_market(
            **size, stay=markets.stay, phi=markets.phi, volatile_ratio=markets.volatile_ratio
        )
    elif kind == "no_regime":
        market = no_regime_market(**size, phi=markets.phi)
    else:
        market = random_walk_market(**size)
    return SimulatedMarket(market, states, markets.fit_bars)


def simulation_hash(markets: Markets) -> str:
    """sha256 of the closes of all planted markets, in the order of their seeds."""
    closes = [simulate(markets, "planted", seed).market.close for seed in markets.seeds]
    return content_hash(*closes)
