from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from regime_nas_pipeline.core.bundle import Bundle, bundle_from_bytes, bundle_to_bytes
from regime_nas_pipeline.core.cache import PieceCache, code_version
from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.forecasters.base import Forecaster
from regime_nas_pipeline.forecasters.garch import GarchForecaster
from regime_nas_pipeline.forecasters.gru import GRUForecaster
from regime_nas_pipeline.forecasters.momentum import MomentumForecaster
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.market.synthetic import with_listing
from regime_nas_pipeline.networks.training import TrainingPlan
from regime_nas_pipeline.walkforward.folds import Fold, make_folds
from regime_nas_pipeline.walkforward.forecasts import walk_forward
from regime_nas_pipeline.walkforward.live_checkpoints import refuse_missing_prices, restore
from regime_nas_pipeline.walkforward.market_hashes import closes_identity

MOMENTUM = MomentumForecaster(horizon=5, execution_lag=1, lookback=10)
GRU = GRUForecaster(
    horizon=5,
    lookback=4,
    timeframes=(1, 5),
    width=3,
    n_seeds=1,
    training=TrainingPlan(max_samples=60, batch_dates=4, sample_every=5),
    device="cpu",
)


@pytest.fixture(scope="module")
def whole(labelled_market: Market) -> Market:
    """Five assets, of which one has ended before anything is trained."""
    return with_listing(labelled_market, last_bar={"A04": 250})


@pytest.fixture(scope="module")
def folds(whole: Market) -> list[Fold]:
    """Fits before the bars 300, 340 and 380."""
    return make_folds(
        whole, first_oos=whole.dates[300], refit_every=40, rebalance_every=10, execution_lag=1
    )


def walked(forecaster: Forecaster, market: Market, folds: list[Fold]) -> Bundle:
    """Checkpoints as they come back from a file."""
    made = walk_forward(forecaster, market, folds, cache=PieceCache(None))
    return bundle_from_bytes(bundle_to_bytes(made.checkpoints))


@pytest.fixture(scope="module")
def kept(whole: Market, folds: list[Fold]) -> Bundle:
    return walked(MOMENTUM, whole, folds)


@pytest.mark.parametrize("forecaster", [MOMENTUM, GRU], ids=["momentum", "gru"])
def test_what_is_restored_forecasts_what_the_walk_forecast(
    forecaster: Forecaster, whole: Market, folds: list[Fold]
) -> None:
    walk = walk_forward(forecaster, whole, folds, cache=PieceCache(None))
    for date in (folds[0].decisions[-1], folds[1].decisions[0], folds[-1].decisions[-1]):
        known = whole.until(date)
        restored = restore("x", walk.checkpoints, forecaster, known)
        again = restored.forecaster.predict(known, known.dates[-1:]).to_frame()
        stored = walk.forecasts[walk.forecasts["date"] == date].reset_index(drop=True)
        assert set(stored["fold"]) == {restored.fold}
        pd.testing.assert_frame_equal(again, stored[list(again.columns)], check_exact=True)


@pytest.mark.parametrize(("row", "fold"), [(300, 0), (339, 0), (340, 1), (379, 1), (419, 2)])
def test_the_newest_fit_before_the_last_bar_is_taken(
    row: int, fold: int, kept: Bundle, whole: Market
) -> None:
    restored = restore("momentum", kept, MOMENTUM, whole.until(whole.dates[row]))
    assert restored.fold == fold
    assert restored.train_end == whole.dates[299 + 40 * fold]
    assert restored.code == code_version()


def test_models_that_were_trained_later_are_refused(kept: Bundle, whole: Market) -> None:
    with pytest.raises(DataError, match=r"date 2001-02-23: every model .* 2001-02-23 or later"):
        restore("momentum", kept, MOMENTUM, whole.until(whole.dates[299]))


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (MomentumForecaster(horizon=7, lookback=10), "horizon was 5 and is 7"),
        (MomentumForecaster(horizon=5, execution_lag=0, lookback=10), "execution_lag was 1 and"),
        (GarchForecaster(horizon=5), "class was .*MomentumForecaster.* and is .*GarchForecaster"),
    ],
)
def test_other_parameters_are_refused_and_named(
    asked: Forecaster, words: str, kept: Bundle, whole: Market
) -> None:
    with pytest.raises(DataError, match=f"momentum.checkpoints: .*other parameters: {words}"):
        restore("momentum", kept, asked, whole)


def test_nested_parameters_are_named_and_the_device_does_not_matter(
    whole: Market, folds: list[Fold]
) -> None:
    checkpoints = walked(GRU, whole, folds[:1])
    asked = GRUForecaster(**{**GRU.get_params(deep=False), "device": "auto"})
    assert restore("gru", checkpoints, asked, whole).fold == 0
    longer = replace(GRU.training, max_samples=61)
    asked = GRUForecaster(**{**GRU.get_params(deep=False), "training": longer, "width": 4})
    with pytest.raises(DataError) as caught:
        restore("gru", checkpoints, asked, whole)
    assert "training.max_samples was 60 and is 61" in str(caught.value)
    assert "width was 3 and is 4" in str(caught.value)


def without(market: Market, name: str) -> Market:
    keep = [i for i, asset in enumerate(market.assets) if asset != name]
    return replace(
        market, assets=tuple(market.assets[i] for i in keep), close=market.close[:, keep]
    )


def renamed(market: Market, name: str, new: str) -> Market:
    return replace(market, assets=tuple(new if a == name else a for a in market.assets))


def changed(market: Market, row: int, column: int) -> Market:
    close = market.close.copy()
    close[row, column] *= 1 + 1e-9
    return replace(market, close=close)


def with_benchmark(market: Market, factor: float) -> Market:
    return replace(market, benchmark=market.benchmark * factor)


@pytest.mark.parametrize(
    ("alter", "words"),
    [
        (lambda m: without(m, "A02"), r"asset 'A02': .*1 assets that the data lack"),
        (lambda m: renamed(without(m, "A02"), "A03", "ZZZ"), r"'A02': .*lack: A02, A03"),
        (lambda m: replace(m, benchmark_name="other"), "the benchmark was .* and is 'other'"),
        (lambda m: changed(m, 5, 1), r"asset 'A01': the closes up to 2001-06-15.* 1 of 6"),
        (lambda m: changed(m, 379, 3), r"asset 'A03': the closes"),
        (lambda m: replace(m, close=m.close * 2), r"5 of 6 series: A00, A01, A02, and 2 more"),
        (lambda m: with_benchmark(m, 2.0), r"asset 'benchmark': the closes"),
        (lambda m: m.slice(1, len(m.dates)), r"6 of 6 series"),
    ],
)
def test_other_prices_are_refused_and_named(
    alter: Callable[[Market], Market], words: str, kept: Bundle, whole: Market
) -> None:
    with pytest.raises(DataError, match=f"momentum.checkpoints, {words}|{words}"):
        restore("momentum", kept, MOMENTUM, alter(whole))


def test_a_new_asset_is_refused(whole: Market, folds: list[Fold]) -> None:
    fewer = without(whole, "A02")
    with pytest.raises(DataError, match=r"asset 'A02': .*without 1 assets of the data: A02"):
        restore("momentum", walked(MOMENTUM, fewer, folds), MOMENTUM, whole)


def test_prices_after_training_may_be_any(kept: Bundle, whole: Market) -> None:
    assert restore("momentum", kept, MOMENTUM, changed(whole, 380, 3)).fold == 2


def test_checkpoints_of_an_earlier_version_are_refused(kept: Bundle, whole: Market) -> None:
    folds = [{k: v for k, v in facts.items() if k != "closes"} for facts in kept.facts["folds"]]
    old = Bundle(kept.arrays, {**kept.facts, "folds": folds})
    with pytest.raises(DataError, match="do not say on which closes"):
        restore("momentum", old, MOMENTUM, whole)


def test_the_identity_of_an_asset_is_its_own(whole: Market) -> None:
    """Neither other assets nor bars without it change it; every bar of its own does."""
    before = closes_identity(whole)["assets"]
    assert closes_identity(without(whole, "A00"))["assets"] == {
        name: value for name, value in before.items() if name != "A00"
    }
    assert closes_identity(whole.until(whole.dates[300]))["assets"]["A04"] == before["A04"]
    shifted = replace(whole, dates=whole.dates + pd.Timedelta(days=1))
    other = closes_identity(shifted)["assets"]
    assert all(other[name] != before[name] for name in before)
    assert len(set(before.values())) == len(before)


def test_an_asset_that_had_a_price_in_training_must_have_one_now(whole: Market) -> None:
    since = whole.dates[379]
    quoted = {"A00", "A01", "A02", "A03"}
    refuse_missing_prices(whole, since, quoted=quoted, ended=[])  # A04 had ended long before
    # Its last close may have been carried forward to the last bar, or not so far.
    for market in (whole, with_listing(whole, last_bar={"A01": 400})):
        with pytest.raises(DataError, match=r"asset 'A01', date .*: .*no price at the last bar"):
            refuse_missing_prices(market, since, quoted=quoted - {"A01"}, ended=[])
        refuse_missing_prices(market, since, quoted=quoted - {"A01"}, ended=["A01"])


@pytest.mark.parametrize(
    ("ended", "words"),
    [("A1", "no asset 'A1'; did you mean 'A01'"), ("A02", "'A02' has a price at the last bar")],
)
def test_a_list_of_ended_assets_that_is_wrong_is_refused(
    ended: str, words: str, whole: Market
) -> None:
    with pytest.raises(ParameterError, match=words):
        refuse_missing_prices(whole, whole.dates[379], quoted={"A02"}, ended=[ended])


def test_only_finite_closes_count(whole: Market) -> None:
    kept: dict[str, Any] = closes_identity(whole)
    blank = np.full(whole.benchmark.shape, np.nan)
    assert closes_identity(replace(whole, benchmark=blank))["benchmark"] != kept["benchmark"]
