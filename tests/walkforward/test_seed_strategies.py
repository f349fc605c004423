"""Seeds of averaged networks, each traded alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from strategy_runs import CAP, RULES, run

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.portfolio.allocate import MaximumSharpe
from regime_nas_pipeline.walkforward.folds import Fold
from regime_nas_pipeline.walkforward.seed_strategies import (
    FIGURES,
    RETURN_TYPES,
    SeedResults,
    trade_seeds,
)

Tables = dict[str, pd.DataFrame]


def _trade(market: Market, folds: list[Fold], tables: Tables, **changes: Any) -> SeedResults:
    return trade_seeds(market, folds, tables, allocator=MaximumSharpe(CAP), rules=RULES, **changes)


@pytest.fixture(scope="module")
def averaged(forecasts: Tables) -> Tables:
    """One forecaster that averages two seeds, one of a single seed, one without seeds."""
    skilled, clueless = forecasts["skilled"], forecasts["clueless"]
    apart = np.random.default_rng(4).normal(0.0, 0.02, len(skilled))
    return {
        "pair": skilled.assign(seed_1=skilled["mean"] + apart, seed_2=skilled["mean"] - apart),
        "single": clueless.assign(seed_1=clueless["mean"]),
        "rule": forecasts["hopeless"],
    }


@pytest.fixture(scope="module")
def seeds(market: Market, folds: list[Fold], averaged: Tables) -> SeedResults:
    return _trade(market, folds, averaged)


def test_the_seed_of_a_single_one_is_its_strategy(
    market: Market, folds: list[Fold], averaged: Tables, seeds: SeedResults
):
    strategies = run(market, folds, averaged)
    own = seeds.returns[seeds.returns["forecaster"] == "single"]
    np.testing.assert_array_equal(own["net"], strategies.returns["single"])
    assert list(own["date"]) == list(strategies.returns.index)
    figures = seeds.figures.set_index("forecaster").loc["single"]
    assert figures[list(FIGURES)].to_dict() == strategies.figures["single"]


def test_a_seed_is_traded_as_a_forecaster_of_its_own_would_be(
    market: Market, folds: list[Fold], averaged: Tables, seeds: SeedResults
):
    alone = {
        f"seed {number}": averaged["pair"].assign(mean=averaged["pair"][f"seed_{number}"])
        for number in (1, 2)
    }
    expected = run(market, folds, alone)
    own = seeds.returns[seeds.returns["forecaster"] == "pair"]
    wide = own.pivot(index="date", columns="seed", values="net")
    np.testing.assert_array_equal(wide.to_numpy(), expected.returns[list(alone)].to_numpy())
    assert not np.array_equal(wide[1], wide[2])
    table = seeds.figures[seeds.figures["forecaster"] == "pair"].set_index("seed")
    for number in (1, 2):
        assert table.loc[number, list(FIGURES)].to_dict() == expected.figures[f"seed {number}"]


def test_a_forecaster_without_seeds_has_no_rows(
    market: Market, folds: list[Fold], averaged: Tables, seeds: SeedResults
):
    assert seeds.figures[["forecaster", "seed"]].to_numpy().tolist() == [
        ["pair", 1],
        ["pair", 2],
        ["single", 1],
    ]
    none = _trade(market, folds, {"rule": averaged["rule"]})
    assert none.returns.empty
    assert none.figures.empty
    assert none.returns.dtypes.astype(str).to_dict() == RETURN_TYPES
    assert list(none.figures.columns) == list(seeds.figures.columns)


def test_covariances_are_those_of_the_average(market: Market, folds: list[Fold], averaged: Tables):
    # The same volatility everywhere changes the covariance, for seeds as for strategies.
    single = {"single": averaged["single"]}
    changed = _trade(market, folds, single, volatility_from="single")
    strategies = run(market, folds, single, volatility_from="single")
    np.testing.assert_array_equal(changed.returns["net"], strategies.returns["single"])


def test_forecasts_of_another_walk_are_refused(market: Market, folds: list[Fold], averaged: Tables):
    later = {"single": averaged["single"].assign(date=lambda t: t["date"] + pd.Timedelta(days=1))}
    with pytest.raises(DataError, match="no decision date"):
        _trade(market, folds, later)
