"""What every room's tests may use: small simulated markets (read-only) and one torch thread."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.market.synthetic import random_walk_market, regime_switching_market
from regime_nas_pipeline.regimes.kmeans import KMeansLabeller
from regime_nas_pipeline.regimes.schedule import label_online


@pytest.fixture(autouse=True, scope="module")
def one_torch_thread() -> Iterator[None]:
    """Networks this small are slower on several threads than on one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


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
