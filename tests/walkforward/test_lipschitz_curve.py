from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_networks import small_forecaster
from tuning_tasks import NO_CACHE

from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.walkforward.ablation_parameters import LipschitzCurve
from regime_nas_pipeline.walkforward.folds import Fold
from regime_nas_pipeline.walkforward.lipschitz_curve import (
    COLUMNS,
    fitted_folds,
    lipschitz_curve,
)
from regime_nas_pipeline.walkforward.seeded_walks import Run, walk_seeds, with_seed

LIMITS = (0.02, 1.0)
SETTINGS = LipschitzCurve(limits=LIMITS, seeds=2, windows=3, climb=3)
FULL = small_forecaster(learning_rate=0.03)


@pytest.fixture(scope="module")
def folds(labelled_market: Market) -> list[Fold]:
    dates = labelled_market.dates
    return [
        Fold(0, dates[0], dates[299], dates[300:350:10]),
        Fold(1, dates[0], dates[349], dates[350:400:10]),
    ]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> PieceCache:
    return PieceCache(str(tmp_path_factory.mktemp("pieces")))


@pytest.fixture(scope="module")
def curve(labelled_market: Market, folds: list[Fold], cache: PieceCache) -> pd.DataFrame:
    return lipschitz_curve(FULL, labelled_market, folds, SETTINGS, seed=4, cache=cache)


def test_there_is_a_row_for_every_limit_and_seed_and_for_none(curve: pd.DataFrame) -> None:
    assert tuple(curve.columns) == COLUMNS
    assert curve.groupby("label")["seed"].apply(list).to_dict() == {
        "none": [0, 1],
        "0.02": [0, 1],
        "1": [0, 1],
    }
    assert curve.loc[curve["label"] == "none", "limit"].isna().all()
    assert np.isfinite(curve.drop(columns=["limit", "label"]).to_numpy(float)).all()


def test_the_limit_holds_and_what_is_seen_stays_below_what_is_certified(
    curve: pd.DataFrame,
) -> None:
    limited = curve[curve["limit"].notna()]
    assert (limited["certified"] <= limited["limit"] * (1 + 1e-6)).all()
    assert (curve["seen"] > 0).all()
    assert (curve["seen"] <= curve["certified"] * (1 + 1e-6)).all()
    free = curve[curve["limit"].isna()]
    assert free["certified"].min() > LIMITS[-1]


def test_a_tighter_limit_makes_a_calmer_network(curve: pd.DataFrame) -> None:
    seen = curve.groupby("label")["seen"].median()
    assert seen["0.02"] < seen["1"] < seen["none"]
    assert seen["0.02"] < 0.02


def test_finished_work_is_not_done_again(
    labelled_market: Market, folds: list[Fold], cache: PieceCache, curve: pd.DataFrame
) -> None:
    def pieces() -> list[Path]:
        return sorted(Path(str(cache.directory)).rglob("*.safetensors"))

    kept = {path: path.stat().st_mtime_ns for path in pieces()}
    assert len(kept) == 2 * 3 * 2 * 2  # a fit and a measurement for each limit, seed and fold
    again = lipschitz_curve(FULL, labelled_market, folds, SETTINGS, seed=4, cache=cache)
    pd.testing.assert_frame_equal(again, curve, check_exact=True)
    assert {path: path.stat().st_mtime_ns for path in pieces()} == kept


def test_folds_are_restored_as_they_were_fitted(labelled_market: Market, folds: list[Fold]) -> None:
    walks = walk_seeds({"full": FULL}, labelled_market, folds, n_seeds=1, seed=4, cache=NO_CACHE)
    walk = walks[Run("full", 0)]
    restored = fitted_folds(with_seed(FULL, 4, 0), walk)
    assert len(restored) == 2
    for fitted, fold in zip(restored, folds, strict=True):
        date = fold.decisions[:1]
        expected = walk.forecasts.query("date == @date[0]")["mean"].to_numpy()
        found = fitted.predict(labelled_market.until(date[0]), date).mean[0]
        np.testing.assert_array_equal(found[np.isfinite(found)], expected)


def test_without_a_bound_there_is_training_without_a_limit_alone(
    labelled_market: Market, folds: list[Fold]
) -> None:
    shuffled = small_forecaster(gate="shuffled")
    curve = lipschitz_curve(
        shuffled,
        labelled_market,
        folds[:1],
        SETTINGS.model_copy(update={"seeds": 1, "climb": 0}),
        without_bound=["shuffled gate"],
        seed=4,
        cache=NO_CACHE,
    )
    assert curve["label"].tolist() == ["none"]
    assert curve["certified"].isna().all()
    assert curve["seen"].item() > 0
