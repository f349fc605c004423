from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.market.synthetic import (
    market_from_log_returns,
    random_walk_market,
    with_listing,
)
from regime_nas_pipeline.walkforward.folds import Fold, decision_rows, make_folds, training_mean


def _market(n_bars: int) -> Market:
    """Business days from Monday 2000-01-03 on."""
    return market_from_log_returns(np.zeros((n_bars - 1, 2)))


def _folds(n_bars: int, first_oos: str = "2000-01-17", **changes: int | None) -> list[Fold]:
    given = {"refit_every": 7, "rebalance_every": 5, "execution_lag": 1, **changes}
    return make_folds(_market(n_bars), first_oos=pd.Timestamp(first_oos), **given)


def _as_text(dates: pd.DatetimeIndex) -> list[str]:
    return [f"{date:%Y-%m-%d}" for date in dates]


def test_literal_dates_where_refits_are_no_multiple_of_rebalances():
    # Decisions every 5 bars; a refit at the first decision 7, 14, 21 bars after the first one.
    folds = _folds(40)
    assert [_as_text(fold.decisions) for fold in folds] == [
        ["2000-01-17", "2000-01-24"],
        ["2000-01-31"],
        ["2000-02-07", "2000-02-14"],
        ["2000-02-21"],
    ]
    assert _as_text([fold.train_end for fold in folds]) == [
        "2000-01-14",
        "2000-01-28",
        "2000-02-04",
        "2000-02-18",
    ]
    assert [fold.number for fold in folds] == [0, 1, 2, 3]
    assert {fold.train_start for fold in folds} == {pd.Timestamp("2000-01-03")}


def test_a_first_day_without_a_bar_moves_to_the_next_bar():
    saturday = _folds(40, "2000-01-15")
    assert saturday[0].decisions[0] == pd.Timestamp("2000-01-17")
    assert saturday[0].train_end == pd.Timestamp("2000-01-14")


def test_refits_more_frequent_than_decisions_give_one_fold_per_decision():
    assert [len(fold.decisions) for fold in _folds(40, refit_every=2)] == [1] * 6


def test_a_rolling_window_has_its_bars_and_starts_with_the_data_at_the_earliest():
    folds = _folds(40, window=14)
    assert _as_text([fold.train_start for fold in folds]) == [
        "2000-01-03",  # only ten bars come before the first decision
        "2000-01-11",
        "2000-01-18",
        "2000-02-01",
    ]
    # Fourteen bars from the second fold on, both ends included.
    for fold in folds[1:]:
        assert len(pd.bdate_range(fold.train_start, fold.train_end)) == 14


@pytest.mark.parametrize(("lag", "n_bars"), [(0, 37), (1, 38), (3, 40)])
def test_the_last_decision_can_still_earn_one_bar(lag: int, n_bars: int):
    # Row 35 trades at row 35 + lag and needs the bar after that.
    enough = _folds(n_bars, execution_lag=lag)
    assert enough[-1].decisions[-1] == pd.Timestamp("2000-02-21")
    one_bar_less = _folds(n_bars - 1, execution_lag=lag)
    assert one_bar_less[-1].decisions[-1] == pd.Timestamp("2000-02-14")


@pytest.mark.parametrize("first_oos", ["2000-02-25", "2000-02-24", "2001-01-01"])
def test_no_out_of_sample_day_is_an_error_that_names_both_dates(first_oos: str):
    # 40 bars end on Friday 2000-02-25; a decision with lag 1 needs two bars after it.
    assert _folds(40, "2000-02-23")[0].decisions[0] == pd.Timestamp("2000-02-23")
    with pytest.raises(DataError, match=rf"ends on 2000-02-25 and first_oos is {first_oos}"):
        _folds(40, first_oos)


def test_nothing_to_train_on_is_an_error():
    with pytest.raises(DataError, match=r"date 2000-01-03: there is nothing to train on"):
        _folds(40, "1999-12-01")


@settings(max_examples=60, deadline=None)
@given(
    n_bars=st.integers(5, 120),
    first=st.integers(1, 100),
    refit=st.integers(1, 40),
    rebalance=st.integers(1, 30),
    lag=st.integers(0, 4),
    window=st.none() | st.integers(1, 60),
)
def test_every_decision_is_in_one_fold_trained_strictly_before_it(
    n_bars: int, first: int, refit: int, rebalance: int, lag: int, window: int | None
):
    market = _market(n_bars)
    if first >= n_bars - lag - 1:
        return
    oos = market.dates[first]
    folds = make_folds(
        market,
        first_oos=oos,
        refit_every=refit,
        rebalance_every=rebalance,
        execution_lag=lag,
        window=window,
    )
    made = np.concatenate([market.dates.get_indexer(fold.decisions) for fold in folds])
    rows = decision_rows(market.dates, first_oos=oos, rebalance_every=rebalance, execution_lag=lag)
    assert made.tolist() == rows.tolist() == list(range(first, n_bars - lag - 1, rebalance))
    ends = [market.position(fold.train_end) for fold in folds]
    assert ends == sorted(set(ends))
    for fold, end in zip(folds, ends, strict=True):
        start = market.position(fold.train_start)
        served = market.dates.get_indexer(fold.decisions)
        # The last close before the first decision, and no decision waits for a refit too long.
        assert end == served[0] - 1
        assert served[-1] - served[0] < refit
        assert start == (0 if window is None else max(0, end + 1 - window))


@pytest.mark.parametrize("window", [None, 12])
def test_training_mean_is_the_average_of_targets_known_at_train_end(window: int | None):
    market = random_walk_market(n_assets=3, n_bars=40, seed=3)
    horizon, lag = 3, 2
    folds = make_folds(
        market,
        first_oos=market.dates[20],
        refit_every=8,
        rebalance_every=4,
        execution_lag=lag,
        window=window,
    )
    found = training_mean(market, folds, horizon, lag)
    close, expected = market.close, []
    for fold in folds:
        end, start = market.position(fold.train_end), market.position(fold.train_start)
        known = [
            np.log(close[s + lag + horizon] / close[s + lag])
            for s in range(start, end + 1)
            if s + lag + horizon <= end
        ]
        expected += [np.mean(known, axis=0)] * len(fold.decisions)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_training_mean_is_blank_for_an_asset_that_is_not_listed_yet():
    market = with_listing(random_walk_market(n_assets=2, n_bars=40, seed=3), first_bar={"A01": 22})
    folds = make_folds(
        market,
        first_oos=market.dates[20],
        refit_every=10,
        rebalance_every=5,
        execution_lag=0,
    )
    found = training_mean(market, folds, 2, 0)
    assert found.shape == (4, 2)
    assert np.isfinite(found[:, 0]).all()
    assert np.isfinite(found[:, 1]).tolist() == [False, False, True, True]
