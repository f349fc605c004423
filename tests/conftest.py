"""Small simulated markets that every room's tests may use; treat them as read-only."""

from __future__ import annotations

import numpy as np
import pytest

from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.market.synthetic import random_walk_market, regime_switching_market
from regime_nas_pipeline.regimes.kmeans import KMeansLabeller
from regime_nas_pipeline.regimes.schedule import label_online


@pytest.fixture(scope="session")
def planted() -> tuple[Market, np.ndarray]:
    """Five assets, 420 bars, and the hidden states (0 trend, 1 range, 2 volatile)."""
    return regime_switching_market(n_assets=5, n_bars=420, stay=0.98, seed=7)


@pytest.fixture(scope="session")
def small_market(planted: tuple[Market, np.ndarray]) -> Market:
    """The planted market without regimes attached."""
    return planted[0]


@pytest.fixture(scope="session")
def labelled_market(small_market: Market) -> Market:
    """The planted market with causal K-means regimes from its 120th bar on."""
    labels = label_online(small_market, KMeansLabeller(), burn_in=120, refit_every=60)
    return small_market.with_regimes(labels)


@pytest.fixture(scope="session")
def random_walks() -> Market:
    """Four independent random walks of 420 bars."""
    return random_walk_market(n_assets=4, n_bars=420, seed=11)
