from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.market.market import Market, market_from_prices

BLANK = np.nan


@pytest.fixture
def market() -> Market:
    """Two assets over six days; the second is listed on the third day and ends on the fifth."""
    close = np.array(
        [[1.0, BLANK], [2.0, BLANK], [4.0, 10.0], [2.0, 20.0], [8.0, 5.0], [4.0, BLANK]]
    )
    return Market(
        dates=pd.date_range("2020-01-01", periods=6, name="date"),
        assets=("A", "B"),
        close=close,
        benchmark=np.arange(1.0, 7.0),
        fields={"volume": 100 * close},
        regimes=np.array([[BLANK, BLANK], [BLANK, BLANK], *[[0.25, 0.75]] * 4]),
        regime_names=("calm", "wild"),
    )


def computed_anew(market: Market) -> Market:
    """The same without anything that it was handed or has computed."""
    return replace(market)


def test_returns_by_hand(market: Market) -> None:
    np.testing.assert_allclose(
        market.simple_returns,
        [[BLANK, BLANK], [1.0, BLANK], [1.0, BLANK], [-0.5, 1.0], [3.0, -0.75], [-0.5, BLANK]],
    )
    np.testing.assert_allclose(market.log_returns, np.log1p(market.simple_returns))


def test_target_by_hand(market: Market) -> None:
    # A decision on day 1 is traded on day 2 and earns until day 4: from 2 to 2.
    doubling = np.log(2.0)
    np.testing.assert_allclose(
        market.target(horizon=2, execution_lag=1) / doubling,
        [[0.0, BLANK], [1.0, -1.0], [1.0, BLANK], [BLANK] * 2, [BLANK] * 2, [BLANK] * 2],
        atol=1e-12,
    )
    np.testing.assert_allclose(
        market.target(horizon=1, execution_lag=0)[:-1], market.log_returns[1:]
    )


@pytest.mark.parametrize(("horizon", "lag"), [(5, 1), (6, 0), (50, 3)])
def test_without_room_for_a_target_all_are_blank(market: Market, horizon: int, lag: int) -> None:
    target = market.target(horizon, lag)
    assert target.shape == (6, 2)
    assert np.isnan(target).all()


def test_an_asset_joins_once_it_has_history_and_leaves_when_it_ends(market: Market) -> None:
    seasoned = replace(market, min_history=2).eligible
    assert seasoned[:, 0].tolist() == [False, True, True, True, True, True]
    assert seasoned[:, 1].tolist() == [False, False, False, True, True, False]


def test_the_universe_of_a_date_does_not_know_the_future() -> None:
    close = np.ones((60, 3))
    close[:30, 1], close[30:, 2] = BLANK, BLANK  # one is listed late, one ends early
    dates = pd.date_range("2020-01-01", periods=60, name="date")
    whole = Market(dates, ("A", "B", "C"), close, np.ones(60), min_history=10)
    for row, date in enumerate(dates):
        np.testing.assert_array_equal(
            whole.eligible[row], computed_anew(whole.until(date)).eligible[-1]
        )
    assert whole.eligible.sum(axis=0).tolist() == [51, 21, 21]


def test_closes_that_were_left_out_count_as_history(market: Market) -> None:
    whole = replace(market, min_history=3)
    for first in range(6):
        part = computed_anew(whole.slice(first, 6))
        np.testing.assert_array_equal(part.eligible, whole.eligible[first:])
    twice = whole.slice(1, 6).slice(2, 5)
    np.testing.assert_array_equal(twice.closes_before, [3, 1])
    np.testing.assert_array_equal(computed_anew(twice).eligible, whole.eligible[3:])


def test_until_is_what_was_known_at_that_close(market: Market) -> None:
    known = market.until(pd.Timestamp("2020-01-03"))
    assert known.dates[-1] == pd.Timestamp("2020-01-03")
    for name in ("close", "benchmark", "regimes"):
        np.testing.assert_array_equal(getattr(known, name), getattr(market, name)[:3])
    np.testing.assert_array_equal(known.fields["volume"], market.fields["volume"][:3])
    assert np.isnan(known.target(1, 0)[-1]).all()


@pytest.mark.parametrize(
    ("date", "bars"), [("2019-12-31", 0), ("2020-01-02 12:00", 2), ("2030-01-01", 6)]
)
def test_until_takes_any_date(market: Market, date: str, bars: int) -> None:
    assert len(market.until(pd.Timestamp(date)).dates) == bars


def test_a_slice_is_a_copy(market: Market) -> None:
    part = market.until(market.dates[-1])
    for array in (part.close, part.benchmark, part.fields["volume"], part.regimes):
        assert array is not None
        array[:] = -1.0
    assert not (market.close == -1.0).any()
    assert not (market.benchmark == -1.0).any()
    assert not (market.fields["volume"] == -1.0).any()
    assert market.regimes is not None
    assert not (market.regimes == -1.0).any()


@settings(max_examples=40, deadline=None)
@given(
    first=st.integers(0, 29),
    length=st.integers(1, 30),
    history=st.integers(1, 12),
    seed=st.integers(0, 99),
)
def test_what_a_slice_is_handed_is_what_it_would_compute(
    first: int, length: int, history: int, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    close = np.exp(generator.normal(size=(30, 7)))
    close[generator.random(close.shape) < 0.2] = np.nan
    members = generator.random(close.shape) < 0.8
    market = Market(
        pd.bdate_range("2020-01-01", periods=30),
        tuple("ABCDEFG"),
        close,
        close[:, 0],
        min_history=history,
        members=members,
    )
    expected = market.market_return.copy()
    for part in (market.slice(0, length), market.slice(first, first + length)):
        anew = computed_anew(part)
        np.testing.assert_array_equal(part.eligible, anew.eligible)
        np.testing.assert_array_equal(part.market_return, anew.market_return)
        part.market_return[:] = part.eligible[:] = -1.0
    np.testing.assert_array_equal(market.market_return, expected)
    np.testing.assert_array_equal(market.eligible, computed_anew(market).eligible)


@settings(max_examples=40, deadline=None)
@given(
    first=st.integers(0, 29),
    length=st.integers(0, 30),
    horizon=st.integers(1, 5),
    lag=st.integers(0, 2),
    seed=st.integers(0, 99),
)
def test_a_target_depends_on_its_two_closes_alone(
    first: int, length: int, horizon: int, lag: int, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    close = np.exp(generator.normal(size=(30, 2)))
    close[generator.random(close.shape) < 0.2] = np.nan
    market = Market(pd.bdate_range("2020-01-01", periods=30), ("A", "B"), close, close[:, 0])
    part = market.slice(first, first + length)
    inside = market.target(horizon, lag)[first : first + length].copy()
    inside[max(0, len(inside) - lag - horizon) :] = np.nan
    np.testing.assert_array_equal(part.target(horizon, lag), inside)


def test_a_date_without_a_bar_is_an_error(market: Market) -> None:
    assert market.position(pd.Timestamp("2020-01-04")) == 3
    with pytest.raises(DataError, match="date 2020-02-01: there is no bar"):
        market.position(pd.Timestamp("2020-02-01"))


def test_regimes_are_aligned_by_date(market: Market) -> None:
    table = pd.DataFrame({"up": [0.9, 0.2], "down": [0.1, 0.8]}, index=market.dates[[4, 2]])
    labelled = market.with_regimes(table)
    assert labelled.regime_names == ("up", "down")
    assert labelled.regimes is not None
    np.testing.assert_array_equal(labelled.regimes[[2, 4]], [[0.2, 0.8], [0.9, 0.1]])
    assert np.isnan(labelled.regimes[[0, 1, 3, 5]]).all()


def tidy_prices() -> pd.DataFrame:
    rows = [
        ("2020-01-02", "INDEX", 11.0, BLANK),
        ("2020-01-01", "INDEX", 10.0, BLANK),
        ("2020-01-02", "B", 5.0, 7.0),
        ("2020-01-01", "A", 1.0, 3.0),
        ("2020-01-02", "A", 2.0, 4.0),
    ]
    table = pd.DataFrame(rows, columns=["date", "asset", "close", "volume"])
    return table.assign(date=pd.to_datetime(table["date"]))


def test_tidy_prices_become_aligned_arrays() -> None:
    market = market_from_prices(tidy_prices(), benchmark="INDEX", min_history=2)
    assert market.assets == ("A", "B")
    assert market.dates.tolist() == list(pd.to_datetime(["2020-01-01", "2020-01-02"]))
    np.testing.assert_array_equal(market.close, [[1.0, BLANK], [2.0, 5.0]])
    np.testing.assert_array_equal(market.benchmark, [10.0, 11.0])
    assert set(market.fields) == {"volume"}
    np.testing.assert_array_equal(market.fields["volume"], [[3.0, BLANK], [4.0, 7.0]])
    assert market.eligible.tolist() == [[False, False], [True, False]]


def test_a_tradable_benchmark_is_also_an_asset() -> None:
    market = market_from_prices(tidy_prices(), benchmark="INDEX", benchmark_tradable=True)
    assert market.assets == ("A", "B", "INDEX")
    np.testing.assert_array_equal(market.close[:, 2], market.benchmark)


def test_an_unknown_benchmark_is_an_error() -> None:
    with pytest.raises(DataError, match=r"asset 'SPX'.*one of: A, B, INDEX"):
        market_from_prices(tidy_prices(), benchmark="SPX")


def test_a_field_that_only_the_benchmark_has_is_no_field() -> None:
    prices = tidy_prices()
    prices["open"] = np.where(prices["asset"] == "INDEX", 1.0, np.nan)
    assert "open" not in market_from_prices(prices, benchmark="INDEX").fields


def test_observed_series_are_seen_and_not_held() -> None:
    table = pd.DataFrame(
        {
            "date": pd.to_datetime(["2020-01-01"] * 3 + ["2020-01-02"] * 2),
            "asset": ["A", "M", "VIX", "A", "M"],
            "close": [1.0, 5.0, 20.0, 2.0, 6.0],
        }
    )
    market = market_from_prices(table, benchmark="M", observed=["VIX"])
    assert market.assets == ("A",)
    np.testing.assert_array_equal(market.observed["VIX"], [20.0, BLANK])
    assert market.log_returns.shape == (2, 1)
    plain = market_from_prices(table, benchmark="M")
    assert plain.assets == ("A", "VIX")
    assert plain.observed == {}
    with pytest.raises(DataError, match=r"asset 'VXN'.*not among the assets.*A, M, VIX"):
        market_from_prices(table, benchmark="M", observed=["VXN"])


def test_closes_before_a_slice_are_counted_whatever_was_cut_before(market: Market) -> None:
    for first in (7, 3, 0, 9, 7, 5):
        cut = market.slice(first, len(market.dates))
        expected = np.isfinite(market.close[:first]).sum(axis=0)
        np.testing.assert_array_equal(cut.closes_before, expected)
        cut.closes_before[:] = -1  # a copy: the next cut must not see it
        again = market.slice(first, len(market.dates)).slice(2, 4)
        expected = np.isfinite(market.close[: first + 2]).sum(axis=0)
        np.testing.assert_array_equal(again.closes_before, expected)


def test_observed_series_are_cut_as_copies(market: Market) -> None:
    index = np.arange(10.0, 16.0)
    seen = replace(market, observed={"VIX": index})
    until = seen.until(seen.dates[3])
    np.testing.assert_array_equal(until.observed["VIX"], index[:4])
    np.testing.assert_array_equal(seen.slice(2, 5).observed["VIX"], index[2:5])
    until.observed["VIX"][:] = 0.0
    np.testing.assert_array_equal(seen.observed["VIX"], np.arange(10.0, 16.0))
