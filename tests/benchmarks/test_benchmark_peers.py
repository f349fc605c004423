"""Peers of the other benchmarks solve the same problems."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from allocation import (
    CAP,
    compare_covariances,
    compare_decisions,
    compare_solvers,
    simulated_market,
)
from allocation_peers import make_peers
from benchmark_tables import TABLES, allocation_ratios
from benchmark_words import given_ratios
from proposals import made_up_error, make_searchers, measured

from regime_nas_pipeline.portfolio.solvers import optimal_weights
from regime_nas_pipeline.search.space import Interval, Options, Space

SPACE: Space = {
    "width": Options(options=(8, 16, 32)),
    "head": Options(options=("linear", "gru")),
    "rate": Interval(low=0.001, high=0.1, log=True),
}


def problem(seed: int, n_assets: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    root = generator.normal(size=(n_assets, 3 * n_assets))
    return generator.normal(0.01, 0.02, n_assets), root @ root.T * 1e-3


@pytest.mark.parametrize("peer", ["quadprog", "slsqp", "cvxpy"])
@pytest.mark.parametrize("sharpe", [True, False])
def test_peers_find_the_weights_of_the_package(peer: str, sharpe: bool) -> None:
    peers, missing = make_peers(8, CAP)
    if peer in missing:
        pytest.skip(missing[peer])
    for seed in range(3):
        excess, sigma = problem(seed, 8)
        gain = excess if sharpe else None
        own = optimal_weights("daqp", gain, sigma, CAP)
        np.testing.assert_allclose(peers[peer](gain, sigma, CAP), own, atol=2e-5)


def test_slow_peers_are_left_out_by_name() -> None:
    peers, missing = make_peers(101, CAP)
    assert {"slsqp", "cvxpy"} <= missing.keys()
    assert not missing.keys() & peers.keys()


def test_a_table_of_allocation() -> None:
    market = simulated_market(6, 400)
    dates = pd.DatetimeIndex(market.dates[[300, 360]])
    result = {
        "solvers": [compare_solvers([problem(1, 6), problem(2, 6)])],
        "decisions": compare_decisions(market, dates),
        "covariances": [compare_covariances(market, dates)],
    }
    # Weights of exact solvers agree to rounding, those of whole decisions to what skfolio leaves.
    assert result["solvers"][0]["maximum_sharpe"]["largest_distance"]["daqp_nnls"] < 1e-9
    assert result["decisions"]["largest_distance"] < 1e-3
    labels = {each.label for each in allocation_ratios("allocation", result)}
    assert {"weights of 6: SciPy SLSQP", "whole decisions: plain loop of skfolio"} <= labels
    assert not any("nnls" in label for label in labels)
    assert "| 6 assets, this project (`daqp`) |" in TABLES["allocation"](result)


def test_searchers_stay_in_the_space_and_repeat_themselves() -> None:
    def trials(seed: int) -> dict[str, list[float]]:
        error = made_up_error(SPACE, 0)
        found: dict[str, list[float]] = {}
        for name, searcher in make_searchers(SPACE, 2, seed).items():
            found[name] = [searcher.trial(error) for _ in range(4)]
        return found

    first = trials(1)
    assert first == trials(1)
    assert first["random"] != trials(2)["random"]


def test_a_table_of_proposals() -> None:
    result = {"trials": 4, "start_up": 2, "seeds": 1, **measured(SPACE, 4, 2, 1)}
    labels = [each.label for each in given_ratios("proposals", result)]
    assert labels == ["Bayesian proposal: Optuna GP", "Bayesian proposal: Optuna TPE"]
    table = TABLES["proposals"](result)
    assert "this project, `bayesian`" in table
    assert "Optuna TPE" in table
