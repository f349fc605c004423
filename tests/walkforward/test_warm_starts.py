"""Walk forwards whose fits start from the fit before."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from regime_nas_pipeline.core.bundle import Bundle, bundle_to_bytes
from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.forecasters.calibrated import CalibratedForecaster
from regime_nas_pipeline.forecasters.gru import GRUForecaster
from regime_nas_pipeline.forecasters.momentum import MomentumForecaster
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.networks.training import TrainingPlan
from regime_nas_pipeline.walkforward import fold_fits
from regime_nas_pipeline.walkforward.folds import Fold, make_folds
from regime_nas_pipeline.walkforward.forecasts import WalkForwardForecasts, walk_all, walk_forward

NO_CACHE = PieceCache(None)


def gru(*, warm: bool = True, rate: float = 1e-3, **arguments: Any) -> GRUForecaster:
    training = TrainingPlan(max_samples=120, batch_dates=4, sample_every=5, warm_start=warm)
    return GRUForecaster(
        horizon=5,
        lookback=4,
        timeframes=(1, 5),
        width=3,
        n_seeds=2,
        learning_rate=rate,
        weight_decay=0.0,
        training=training,
        device="cpu",
        **arguments,
    )


def folds_of(market: Market) -> list[Fold]:
    return make_folds(
        market, first_oos=market.dates[280], refit_every=50, rebalance_every=20, execution_lag=1
    )


def weights(walked: WalkForwardForecasts, fold: int) -> np.ndarray:
    model = walked.checkpoints.prefixed(f"fold{fold:02d}")
    return np.concatenate([model[name].ravel() for name in sorted(model) if "seed" in name])


def same(one: WalkForwardForecasts, other: WalkForwardForecasts) -> bool:
    pd.testing.assert_frame_equal(one.forecasts, other.forecasts, check_exact=True)
    return bundle_to_bytes(one.checkpoints) == bundle_to_bytes(other.checkpoints)


def test_each_fold_starts_where_the_one_before_ended(small_market: Market) -> None:
    folds = folds_of(small_market)
    still = walk_forward(gru(rate=1e-12), small_market, folds, cache=NO_CACHE)
    for number in range(1, len(folds)):
        np.testing.assert_allclose(weights(still, number), weights(still, 0), atol=1e-8)
    assert [entry["warm_starts"] for entry in still.log] == [0] + [2] * (len(folds) - 1)
    moving = walk_forward(gru(rate=1e-2), small_market, folds, cache=NO_CACHE)
    cold = walk_forward(gru(rate=1e-2, warm=False), small_market, folds, cache=NO_CACHE)
    assert np.array_equal(weights(moving, 0), weights(cold, 0))
    assert not np.array_equal(weights(moving, 1), weights(cold, 1))
    assert [entry["warm_starts"] for entry in cold.log] == [0] * len(folds)


def test_processes_and_kept_pieces_change_no_bit(
    small_market: Market, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folds = folds_of(small_market)
    plain = walk_forward(gru(), small_market, folds, cache=NO_CACHE)
    cache = PieceCache(tmp_path.as_posix())
    # Broken off after its first fold, and asked again.
    walk_forward(gru(), small_market, folds[:1], cache=cache)
    original, made = fold_fits.fit_fold, []
    monkeypatch.setattr(fold_fits, "fit_fold", lambda *a: made.append(a) or original(*a))
    assert same(walk_forward(gru(), small_market, folds, cache=cache), plain)
    assert len(made) == len(folds) - 1
    monkeypatch.undo()
    two = walk_all({"a": gru(), "b": gru(seed=1)}, small_market, folds, cache=NO_CACHE, n_jobs=2)
    assert same(two["a"], plain)


def test_what_came_before_is_part_of_what_is_kept(small_market: Market, tmp_path: Path) -> None:
    folds, cache = folds_of(small_market), PieceCache(tmp_path.as_posix())
    whole = walk_forward(gru(), small_market, folds, cache=cache)
    # Without the first fold, the second starts from nothing.
    later = walk_forward(gru(), small_market, folds[1:], cache=cache)
    assert later.log[0]["warm_starts"] == 0
    assert whole.log[1]["warm_starts"] == 2


def test_the_future_changes_no_earlier_fold(small_market: Market) -> None:
    folds = folds_of(small_market)
    end = small_market.position(folds[1].decisions[-1]) + 1
    close = small_market.close.copy()
    close[end:] = close[end:][::-1] * 1.5
    other = dataclasses.replace(small_market, close=close)
    one = walk_forward(gru(), small_market, folds, cache=NO_CACHE)
    two = walk_forward(gru(), other, folds, cache=NO_CACHE)
    for number in (0, 1):
        assert np.array_equal(weights(one, number), weights(two, number))
    assert not np.array_equal(weights(one, len(folds) - 1), weights(two, len(folds) - 1))


def test_a_joint_network_that_sees_other_assets_starts_from_nothing(small_market: Market) -> None:
    n_assets = len(small_market.assets)
    fewer = dataclasses.replace(
        small_market, assets=small_market.assets[:-1], close=small_market.close[:, : n_assets - 1]
    )
    earlier = gru(mode="joint").fit(fewer.until(small_market.dates[280]))
    later = gru(mode="joint").start_from(earlier.to_bundle())
    assert later.fit(small_market.until(small_market.dates[330])).fit_report_.warm_starts == 0
    again = gru(mode="joint").start_from(earlier.to_bundle())
    assert again.fit(fewer.until(small_market.dates[330])).fit_report_.warm_starts == 2


def test_a_wrapped_forecaster_starts_warm_too(small_market: Market) -> None:
    inner = {"lookback": 4, "timeframes": [1, 5], "width": 3}
    training = TrainingPlan(max_samples=120, batch_dates=4, sample_every=5, warm_start=True)
    wrapped = CalibratedForecaster(
        forecaster="regime_nas_pipeline.forecasters.gru.GRUForecaster",
        params=inner,
        horizon=5,
        training=training,
        n_seeds=2,
        device="cpu",
    )
    assert wrapped.starts_warm
    walked = walk_forward(wrapped, small_market, folds_of(small_market)[:2], cache=NO_CACHE)
    assert [entry["warm_starts"] for entry in walked.log] == [0, 2]


def test_what_has_no_weights_cannot_start_from_any() -> None:
    momentum = MomentumForecaster()
    assert not momentum.starts_warm
    with pytest.raises(ParameterError, match="MomentumForecaster cannot start"):
        momentum.start_from(Bundle({}))
