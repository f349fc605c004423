from __future__ import annotations

import numpy as np
import pytest
from planted_cases import planted_case

from regime_nas_pipeline.walkforward.planted.markets import simulate, simulation_hash
from regime_nas_pipeline.walkforward.planted.parameters import MarketKind

MARKETS = planted_case().markets


@pytest.mark.parametrize("kind", ["planted", "no_regime", "martingale"])
def test_every_return_after_the_fitted_bars_is_scored_once(kind: MarketKind) -> None:
    simulated = simulate(MARKETS, kind, 3)
    market = simulated.market
    assert market.close.shape == (300, 3)
    assert np.array_equal(
        simulated.target, np.diff(np.log(market.close), axis=0)[MARKETS.fit_bars - 1 :]
    )
    assert len(simulated.decisions) == MARKETS.n_bars - MARKETS.fit_bars
    assert simulated.known.dates[-1] == simulated.decisions[0]
    assert np.array_equal(simulated.known.close, market.close[: MARKETS.fit_bars])


def test_the_kinds_are_what_they_are_called() -> None:
    long = MARKETS.model_copy(update={"n_bars": 20_000, "fit_bars": 100, "n_assets": 2})
    correlations = {}
    kinds: tuple[MarketKind, ...] = ("planted", "no_regime", "martingale")
    for kind in kinds:
        simulated = simulate(long, kind, 1)
        returns = simulated.market.log_returns[1:]
        correlations[kind] = np.corrcoef(returns[1:].ravel(), returns[:-1].ravel())[0, 1]
        assert (simulated.states is not None) == (kind == "planted")
    assert correlations["no_regime"] == pytest.approx(0.45, abs=0.02)
    assert correlations["martingale"] == pytest.approx(0.0, abs=0.02)
    states = simulate(long, "planted", 1).states
    assert states is not None
    returns = simulate(long, "planted", 1).market.log_returns
    for state, phi in enumerate((0.45, -0.45, 0.0)):
        rows = np.flatnonzero(states[2:] == state) + 2
        own = np.corrcoef(returns[rows].ravel(), returns[rows - 1].ravel())[0, 1]
        assert own == pytest.approx(phi, abs=0.05)


def test_the_hash_is_of_all_planted_markets() -> None:
    again = MARKETS.model_copy()
    assert simulation_hash(MARKETS) == simulation_hash(again)
    for changes in ({"seeds": (3,)}, {"seeds": (3, 5)}, {"phi": 0.4}, {"volatile_ratio": 2.0}):
        assert simulation_hash(MARKETS.model_copy(update=changes)) != simulation_hash(MARKETS)
