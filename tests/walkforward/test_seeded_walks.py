from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_networks import small_forecaster

from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.walkforward.evaluation import decision_dates
from regime_nas_pipeline.walkforward.folds import Fold, make_folds
from regime_nas_pipeline.walkforward.forecasts import walk_forward
from regime_nas_pipeline.walkforward.seeded_walks import Run, joined_folds, walk_seeds, with_seed


@pytest.fixture(scope="module")
def two_folds(labelled_market: Market) -> list[Fold]:
    return make_folds(
        labelled_market,
        first_oos=labelled_market.dates[330],
        refit_every=40,
        rebalance_every=10,
        execution_lag=1,
    )[:2]


def test_each_seed_is_one_network_and_the_seeds_are_shared() -> None:
    first, other = small_forecaster(), small_forecaster(gate="uniform", seed=99)
    seeds = [with_seed(first, 7, number).seed for number in range(4)]
    assert len(set(seeds)) == 4
    assert [with_seed(other, 7, number).seed for number in range(4)] == seeds
    assert with_seed(first, 8, 0).seed != seeds[0]
    assert with_seed(first, 7, 0).n_seeds == 1
    assert (first.seed, first.n_seeds) == (5, 3)


def test_walks_are_those_of_each_forecaster_alone_and_finished_ones_are_not_made_again(
    labelled_market: Market, two_folds: list[Fold], tmp_path: Path
) -> None:
    prototypes = {"a": small_forecaster(), "b": small_forecaster(gate="uniform")}
    cache = PieceCache(str(tmp_path))
    walks = walk_seeds(prototypes, labelled_market, two_folds, n_seeds=2, seed=7, cache=cache)
    assert list(walks) == [Run("a", 0), Run("a", 1), Run("b", 0), Run("b", 1)]
    pieces = sorted(tmp_path.rglob("*.safetensors"))
    assert len(pieces) == 2 * 2 * 2
    alone = walk_forward(
        with_seed(prototypes["b"], 7, 1), labelled_market, two_folds, cache=PieceCache(None)
    )
    pd.testing.assert_frame_equal(walks[Run("b", 1)].forecasts, alone.forecasts)
    spread = [walks[Run("a", seed)].forecasts["mean"] for seed in (0, 1)]
    assert not np.allclose(*spread)
    written = [path.stat().st_mtime_ns for path in pieces]
    again = walk_seeds(prototypes, labelled_market, two_folds, n_seeds=3, seed=7, cache=cache)
    assert [path.stat().st_mtime_ns for path in pieces] == written
    assert len(list(tmp_path.rglob("*.safetensors"))) == 2 * 3 * 2
    pd.testing.assert_frame_equal(
        again[Run("a", 1)].forecasts, walks[Run("a", 1)].forecasts, check_exact=True
    )


@given(st.integers(1, 9))
def test_joined_folds_keep_every_decision_and_never_train_on_one(count: int) -> None:
    dates = pd.bdate_range("2020-01-01", periods=120)
    folds = [
        Fold(n, dates[0], dates[19 + 10 * n], dates[20 + 10 * n : 30 + 10 * n : 3])
        for n in range(8)
    ]
    joined = joined_folds(folds, count)
    assert len(joined) == min(count, 8)
    pd.testing.assert_index_equal(decision_dates(joined), decision_dates(folds))
    for fold in joined:
        assert fold.train_end < fold.decisions[0]
        assert fold.train_end in {each.train_end for each in folds}
    sizes = [len(fold.decisions) for fold in joined]
    assert max(sizes) - min(sizes) <= len(folds[0].decisions)


def test_all_folds_without_a_count(two_folds: list[Fold]) -> None:
    assert joined_folds(two_folds, None) == two_folds
    with pytest.raises(ParameterError, match="at least 1"):
        joined_folds(two_folds, 0)
