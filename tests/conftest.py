"""What every room's tests may use: small simulated markets (read-only) and one torch thread."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.market.synthetic import random_walk_market, regime_switching_market
from regime_nas_pipeline.regimes.kmeans import KMeansLabeller
from regime_nas_pipeline.regimes.schedule import label_online

if TYPE_CHECKING:
    from xdist.scheduler import LoadGroupScheduling

ROOT = Path(__file__).parents[1]


@cache
def group_of(nodeid: str) -> str:
    """What stays in one process: a test's file, or all files that name the same group.

    pytest-xdist 3.8 writes an item's group where pytest 9.2 no longer reads it, and the process
    that deals tests out knows their names alone: so the file is asked.
    """
    path = nodeid.partition("::")[0]
    named = re.search(r'xdist_group\("(\w+)"\)', (ROOT / path).read_text(encoding="utf-8"))
    return path if named is None else named[1]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In one of several processes: first the groups with the most slow tests, so that all end
    at about the same time."""
    if hasattr(config, "workerinput"):
        slow = Counter(group_of(item.nodeid) for item in items if item.get_closest_marker("slow"))
        place = {group: number for number, (group, _) in enumerate(slow.most_common())}
        items.sort(key=lambda item: place.get(group_of(item.nodeid), len(place)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadGroupScheduling | None:
    """With ``--dist loadgroup``, a file is a group: else each process makes all its fixtures."""
    if config.getoption("dist") != "loadgroup":
        return None
    from xdist.scheduler import LoadGroupScheduling

    class FileGroups(LoadGroupScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid)

    config.option.loadscopereorder = False  # the order is that of the collection
    return FileGroups(config, log)


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
