from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from regime_nas_pipeline.core.bundle import Bundle, bundle_from_bytes, bundle_to_bytes
from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.core.params import check_arguments
from regime_nas_pipeline.forecasters.base import FitReport, Forecast, Forecaster
from regime_nas_pipeline.forecasters.gru import GRUForecaster
from regime_nas_pipeline.forecasters.momentum import MomentumForecaster
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.networks.training import TrainingPlan
from regime_nas_pipeline.walkforward.fold_fits import pasts
from regime_nas_pipeline.walkforward.folds import Fold, make_folds
from regime_nas_pipeline.walkforward.forecasts import (
    WalkForwardForecasts,
    market_content,
    refuse_other_targets,
    walk_forward,
)

NO_CACHE = PieceCache(None)
TINY_GRU = GRUForecaster(
    horizon=5,
    lookback=4,
    timeframes=(1, 5),
    width=3,
    n_seeds=2,
    training=TrainingPlan(max_samples=120, batch_dates=4, sample_every=5),
    device="cpu",
)


class Cheat(Forecaster):
    """Forecasts the last close of whatever it is handed, and keeps what it was handed."""

    fitted: ClassVar[list[Market]] = []
    asked: ClassVar[list[tuple[Market, pd.DatetimeIndex]]] = []

    def __init__(self, scale: float = 1.0, execution_lag: int = 1, horizon: int = 5) -> None:
        self.scale = scale
        self.execution_lag = execution_lag
        self.horizon = horizon

    def fit(self, market: Market) -> Self:
        Cheat.fitted.append(market)
        self.last_ = market.close[-1]
        self.fit_report_ = FitReport(seconds=1e-3 * len(Cheat.fitted), parameters=1)
        return self

    def predict(self, market: Market, dates: pd.DatetimeIndex) -> Forecast:
        Cheat.asked.append((market, dates))
        mean = self.scale * market.close[[-1] * len(dates)]
        return Forecast(dates, market.assets, mean, seed_spread=mean - self.last_)

    def to_bundle(self) -> Bundle:
        return Bundle({"last": self.last_})

    def from_bundle(self, bundle: Bundle) -> Self:
        self.last_ = bundle.arrays["last"]
        return self


class OtherCheat(Cheat):
    """Another class of the same module with the same parameters."""

    def predict(self, market: Market, dates: pd.DatetimeIndex) -> Forecast:
        forecast = super().predict(market, dates)
        return dataclasses.replace(forecast, mean=-forecast.mean)


class RegimeCheat(Cheat):
    """Says that it reads regimes."""

    needs_regimes: ClassVar[bool] = True


class ShortSighted(Cheat):
    """Says that it reads nine bars."""

    def prediction_bars(self) -> int:
        return 9


@pytest.fixture(autouse=True)
def _nothing_handed_yet() -> Iterator[None]:
    Cheat.fitted.clear()
    Cheat.asked.clear()
    yield
    Cheat.fitted.clear()
    Cheat.asked.clear()


def _folds(market: Market, **changes: Any) -> list[Fold]:
    given = {"refit_every": 50, "rebalance_every": 20, "execution_lag": 1, **changes}
    return make_folds(market, first_oos=market.dates[280], **given)


def _assert_same(one: WalkForwardForecasts, other: WalkForwardForecasts) -> None:
    pd.testing.assert_frame_equal(one.forecasts, other.forecasts, check_exact=True)
    assert bundle_to_bytes(one.checkpoints) == bundle_to_bytes(other.checkpoints)


def test_nothing_later_than_train_end_is_fitted_and_nothing_later_than_a_date_forecast(
    labelled_market: Market,
):
    folds = _folds(labelled_market)
    walk_forward(RegimeCheat(), labelled_market, folds, cache=NO_CACHE)
    assert {market.dates[-1] for market in Cheat.fitted} == {fold.train_end for fold in folds}
    assert len(Cheat.fitted) == len(folds)
    assert {market.dates[0] for market in Cheat.fitted} == {labelled_market.dates[0]}
    decisions = [date for fold in reversed(folds) for date in fold.decisions]
    assert len(Cheat.asked) == len(decisions)
    for (market, dates), date in zip(Cheat.asked, decisions, strict=True):
        assert list(dates) == [date]
        assert market.dates[-1] == date
    for market in [*Cheat.fitted, *(asked for asked, _ in Cheat.asked)]:
        n_bars = len(market.dates)
        assert market.close.shape[0] == market.benchmark.shape[0] == n_bars
        assert market.regimes.shape[0] == n_bars
        # Copies: a forecaster cannot reach behind them into the whole market.
        for array in (market.close, market.benchmark, market.regimes):
            assert array.base is None


def test_a_cheat_that_reads_the_last_row_sees_only_its_own_date(small_market: Market):
    folds = _folds(small_market)
    found = walk_forward(Cheat(), small_market, folds, cache=NO_CACHE).forecasts
    wide = found.pivot(index="date", columns="asset", values="mean")
    rows = small_market.dates.get_indexer(wide.index)
    assert list(wide.index) == [date for fold in folds for date in fold.decisions]
    np.testing.assert_array_equal(wide.to_numpy(), small_market.close[rows])
    # What it learned is the close of train_end.
    spread = found.pivot(index="date", columns="asset", values="seed_spread").to_numpy()
    ends = [small_market.position(fold.train_end) for fold in folds for _ in fold.decisions]
    np.testing.assert_array_equal(spread, small_market.close[rows] - small_market.close[ends])
    assert found["volatility"].isna().all()
    assert found.groupby("fold")["date"].nunique().tolist() == [len(f.decisions) for f in folds]


def test_a_forecast_is_handed_the_bars_that_it_reads_and_no_others(small_market: Market):
    # With 100 closes needed, those before the nine bars must still count.
    market = dataclasses.replace(small_market, min_history=100)
    folds = _folds(market)
    short = walk_forward(ShortSighted(), market, folds, cache=NO_CACHE)
    assert len(Cheat.asked) == sum(len(fold.decisions) for fold in folds)
    for asked, dates in Cheat.asked:
        assert (len(asked.dates), list(asked.dates[-1:])) == (9, list(dates))
        assert asked.eligible.all()
        assert asked.close.base is None
    whole = walk_forward(Cheat(), market, folds, cache=NO_CACHE)
    pd.testing.assert_frame_equal(short.forecasts, whole.forecasts, check_exact=True)


def test_early_forecasts_are_handed_what_there_is(small_market: Market):
    found = list(pasts(small_market, small_market.dates[[3, 5, 20]], 9))
    assert [len(past.dates) for past in found] == [4, 6, 9]
    whole = list(pasts(small_market, small_market.dates[[3, 20]], None))
    assert [len(past.dates) for past in whole] == [4, 21]


def test_a_forecaster_that_needs_no_regimes_is_handed_none(labelled_market: Market):
    folds = _folds(labelled_market)
    walk_forward(Cheat(), labelled_market, folds, cache=NO_CACHE)
    assert all(market.regimes is None for market in Cheat.fitted)
    assert all(market.regimes is None for market, _ in Cheat.asked)


def test_a_rolling_window_is_cut_to_size_and_its_assets_stay_seasoned(small_market: Market):
    market = dataclasses.replace(small_market, min_history=100)
    folds = _folds(market, window=60)
    walk_forward(Cheat(), market, folds, cache=NO_CACHE)
    for fold, training in zip(reversed(folds), Cheat.fitted, strict=True):
        assert len(training.dates) == 60
        assert (training.dates[0], training.dates[-1]) == (fold.train_start, fold.train_end)
        # 100 closes are needed and 60 are in the window; those before it count.
        assert training.eligible.all()


def test_a_finished_fold_is_not_fitted_again_and_gives_the_same_bits(
    small_market: Market, tmp_path: Path
):
    folds, cache = _folds(small_market), PieceCache(tmp_path.as_posix())
    first = walk_forward(Cheat(), small_market, folds, cache=cache)
    assert len(Cheat.fitted) == len(folds)
    again = walk_forward(Cheat(), small_market, folds, cache=cache)
    assert len(Cheat.fitted) == len(folds)
    _assert_same(first, again)
    assert first.log == again.log
    _assert_same(first, walk_forward(Cheat(), small_market, folds, cache=NO_CACHE))
    assert len(Cheat.fitted) == 2 * len(folds)


def test_later_bars_leave_finished_folds_as_they_are(small_market: Market, tmp_path: Path):
    cache = PieceCache(tmp_path.as_posix())
    earlier = small_market.until(small_market.dates[360])
    n_before = len(_folds(earlier))
    walk_forward(Cheat(), earlier, _folds(earlier), cache=cache)
    Cheat.fitted.clear()
    whole = _folds(small_market)
    walk_forward(Cheat(), small_market, whole, cache=cache)
    # The last fold before has more decisions now, the ones before it are the same.
    assert n_before == 2
    fitted = [market.dates[-1] for market in Cheat.fitted]
    assert fitted == [fold.train_end for fold in reversed(whole[1:])]


def _n_refits(forecaster: Forecaster, market: Market, cache: PieceCache) -> int:
    before = len(Cheat.fitted)
    walk_forward(forecaster, market, _folds(market)[:1], cache=cache)
    return len(Cheat.fitted) - before


def test_everything_that_a_fold_depends_on_is_in_its_key(labelled_market: Market, tmp_path: Path):
    cache, market = PieceCache(tmp_path.as_posix()), labelled_market
    assert _n_refits(Cheat(), market, cache) == 1
    assert _n_refits(Cheat(scale=2.0), market, cache) == 1
    assert _n_refits(OtherCheat(), market, cache) == 1, "another class of the same module"
    assert _n_refits(RegimeCheat(), market, cache) == 1
    early, late = market.close.copy(), market.close.copy()
    early[3, 1] *= 1.0 + 1e-12
    late[-1, 1] *= 2.0
    changed = {
        "close": early,
        "benchmark": market.benchmark + 1e-9,
        "min_history": 2,
        "bars_per_year": 365,
        "benchmark_name": "index",
        "assets": tuple(name.lower() for name in market.assets),
        "fields": {"volume": np.ones_like(market.close)},
        "closes_before": np.full(5, 7),
        "observed": {"VIX": np.full(len(market.dates), 20.0)},
    }
    for name, value in changed.items():
        assert _n_refits(Cheat(), dataclasses.replace(market, **{name: value}), cache) == 1, name
    # Not read by this forecaster, or not known at the last decision of this fold.
    for name, value in {"regimes": market.regimes[::-1], "close": late}.items():
        assert _n_refits(Cheat(), dataclasses.replace(market, **{name: value}), cache) == 0, name
    for row, refits in ((3, 1), (-1, 0)):
        index = np.full(len(market.dates), 20.0)
        index[row] = 21.0
        other = dataclasses.replace(market, observed={"VIX": index})
        assert _n_refits(Cheat(), other, cache) == refits, row
    texts = [part for part in market_content(market) if isinstance(part, str)]
    assert "observed" not in texts, "where there is nothing, the key stays as it was"
    other_regimes = dataclasses.replace(market, regimes=market.regimes[:, ::-1])
    assert _n_refits(RegimeCheat(), other_regimes, cache) == 1
    assert _n_refits(Cheat(), market, cache) == 0


def test_different_classes_of_a_module_do_not_share_pieces(small_market: Market, tmp_path: Path):
    cache, folds = PieceCache(tmp_path.as_posix()), _folds(small_market)
    one = walk_forward(Cheat(), small_market, folds, cache=cache).forecasts
    other = walk_forward(OtherCheat(), small_market, folds, cache=cache).forecasts
    np.testing.assert_array_equal(other["mean"], -one["mean"])


def test_a_class_of_a_notebook_is_never_taken_from_the_cache(
    small_market: Market, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(Cheat, "__module__", "__main__")
    cache = PieceCache(tmp_path.as_posix())
    assert [_n_refits(Cheat(), small_market, cache) for _ in range(2)] == [1, 1]


@pytest.mark.parametrize("forecaster", [TINY_GRU, MomentumForecaster(horizon=5)])
def test_two_processes_give_the_bits_of_one(forecaster: Forecaster, small_market: Market):
    folds = _folds(small_market)
    one = walk_forward(forecaster, small_market, folds, cache=NO_CACHE, n_jobs=1)
    two = walk_forward(forecaster, small_market, folds, cache=NO_CACHE, n_jobs=2)
    _assert_same(one, two)
    for a, b in zip(one.log, two.log, strict=True):
        assert {**a, "seconds": 0} == {**b, "seconds": 0}


def test_checkpoints_restore_the_forecasts(small_market: Market):
    folds = _folds(small_market)
    walked = walk_forward(TINY_GRU, small_market, folds, cache=NO_CACHE)
    kept = bundle_from_bytes(bundle_to_bytes(walked.checkpoints))
    # The checkpoint says itself how the forecaster was made.
    assert kept.facts["class"] == "regime_nas_pipeline.forecasters.gru.GRUForecaster"
    arguments = check_arguments(GRUForecaster, kept.facts["parameters"])
    assert GRUForecaster(**arguments).get_params() == TINY_GRU.get_params()
    assert kept.facts["train_ends"] == [fold.train_end.isoformat() for fold in folds]
    tables = []
    for fold in folds:
        state = Bundle(kept.prefixed(f"fold{fold.number:02d}"), kept.facts["folds"][fold.number])
        restored = clone(TINY_GRU).from_bundle(state)
        for date in fold.decisions:
            forecast = restored.predict(small_market.until(date), pd.DatetimeIndex([date]))
            tables.append(forecast.to_frame().assign(fold=fold.number))
    pd.testing.assert_frame_equal(
        pd.concat(tables, ignore_index=True), walked.forecasts, check_exact=True
    )


def test_the_log_has_dates_and_costs_of_every_fold(small_market: Market):
    folds = _folds(small_market)
    log = walk_forward(TINY_GRU, small_market, folds, cache=NO_CACHE).log
    for fold, entry in zip(folds, log, strict=True):
        assert entry["fold"] == fold.number
        assert entry["train_end"] == fold.train_end.isoformat()
        assert entry["first_decision"] == fold.decisions[0].isoformat()
        assert entry["last_decision"] == fold.decisions[-1].isoformat()
        assert (entry["horizon"], entry["execution_lag"]) == (TINY_GRU.horizon, 1)
        # Two networks of at most 120 samples each.
        assert 0 < entry["gradient_samples"] <= 240
        assert entry["parameters"] > 0
        assert len(entry["curves"]) == 2


@pytest.mark.parametrize("other", [{"horizon": 6}, {"execution_lag": 0}])
def test_forecasts_of_another_return_are_refused(other: dict[str, int], small_market: Market):
    log = walk_forward(MomentumForecaster(5, 1), small_market, _folds(small_market), cache=NO_CACHE)
    asked = {"horizon": 5, "execution_lag": 1}
    refuse_other_targets({"momentum": log.log}, **asked)
    with pytest.raises(DataError, match=r"momentum\.forecasts"):
        refuse_other_targets({"momentum": log.log}, **{**asked, **other})
    with pytest.raises(DataError, match="horizon None"):
        refuse_other_targets({"momentum": [{"fold": 0}]}, **asked)
