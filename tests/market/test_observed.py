from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.market.observed import join_observed, volatility_index
from regime_nas_pipeline.market.raw import RawPrices
from regime_nas_pipeline.market.synthetic import market_from_log_returns

N_BARS = 300


def levels(market: Market) -> np.ndarray:
    return volatility_index(market, "VIX").values  # noqa: PD011 - no pandas object


def make_market(index: np.ndarray) -> Market:
    """Two assets, and a volatility index that is only seen."""
    returns = 0.01 * np.random.default_rng(1).standard_normal((N_BARS - 1, 2))
    return replace(market_from_log_returns(returns), observed={"VIX": index})


def make_index(*blanks: int) -> np.ndarray:
    index = np.random.default_rng(2).uniform(10.0, 40.0, N_BARS)
    index[list(blanks)] = np.nan
    return index


def test_a_complete_index_is_taken_as_it_is() -> None:
    index = make_index()
    found = volatility_index(make_market(index), "VIX")
    np.testing.assert_array_equal(levels(make_market(index)), index)
    assert not found.stand_in.any()


@pytest.mark.parametrize("asset", [None, "A01"])
def test_an_isolated_blank_becomes_realised_volatility(asset: str | None) -> None:
    market = make_market(make_index(100, 250))
    found = volatility_index(market, "VIX", asset=asset)
    assert np.flatnonzero(found.stand_in).tolist() == [100, 250]
    values = found.values  # noqa: PD011
    close = market.benchmark if asset is None else market.close[:, 1]
    for bar in (100, 250):
        returns = [np.log(close[row] / close[row - 1]) for row in range(bar - 20, bar + 1)]
        expected = 100 * np.sqrt(252 * np.mean(np.square(returns)))
        assert values[bar] == pytest.approx(expected, rel=1e-9)
    kept = ~found.stand_in
    np.testing.assert_array_equal(values[kept], market.observed["VIX"][kept])
    assert np.isnan(market.observed["VIX"][100]), "the market is left as it was"


def test_blanks_before_the_first_value_stay_and_do_not_count() -> None:
    market = make_market(make_index(*range(200)))
    values = levels(market)
    assert np.isnan(values[:200]).all()
    assert np.isfinite(values[200:]).all()
    assert not volatility_index(market, "VIX").stand_in.any()


def test_more_than_one_in_a_hundred_is_too_much() -> None:
    volatility_index(make_market(make_index(100, 101, 102)), "VIX")
    with pytest.raises(DataError, match=r"4 of 300 bars \(1\.3%\) are blank") as error:
        volatility_index(make_market(make_index(100, 101, 102, 200)), "VIX")
    assert error.value.asset == "VIX"
    # The share is of the bars since the first value.
    with pytest.raises(DataError, match=r"2 of 100 bars \(2\.0%\) are blank"):
        volatility_index(make_market(make_index(*range(200), 250, 260)), "VIX")


@settings(max_examples=20, deadline=None)
@given(bar=st.integers(30, N_BARS - 2), seed=st.integers(0, 100))
def test_the_index_does_not_know_the_future(bar: int, seed: int) -> None:
    market = make_market(make_index(bar))
    values = levels(market)[: bar + 1]
    generator = np.random.default_rng(seed)
    index, benchmark = market.observed["VIX"].copy(), market.benchmark.copy()
    index[bar + 1 :] = generator.uniform(1.0, 90.0, N_BARS - bar - 1)
    benchmark[bar + 1 :] = generator.uniform(1.0, 900.0, N_BARS - bar - 1)
    other = replace(market, observed={"VIX": index}, benchmark=benchmark)
    np.testing.assert_array_equal(levels(other)[: bar + 1], values)


@pytest.mark.parametrize(
    ("index", "name", "message", "bar"),
    [
        (make_index(), "VXN", "not among the observed series.*universe.observed", None),
        (make_index(*range(N_BARS)), "VIX", "no value at all", None),
        (make_index(10), "VIX", "21 returns before it.*are not there", 10),
        (np.where(np.arange(N_BARS) == 50, 0.0, 20.0), "VIX", "is 0, and it must be positive", 50),
        (np.where(np.arange(N_BARS) == 7, -3.5, 20.0), "VIX", r"is -3\.5, and it must", 7),
    ],
)
def test_an_index_that_cannot_be_used_is_refused(
    index: np.ndarray, name: str, message: str, bar: int | None
) -> None:
    market = make_market(index)
    with pytest.raises(DataError, match=message) as error:
        volatility_index(market, name)
    assert error.value.asset == name
    assert error.value.date == (None if bar is None else market.dates[bar])


def tidy(asset: str, days: list[int], close: list[float]) -> pd.DataFrame:
    dates = pd.to_datetime([f"2020-01-{day:02d}" for day in days])
    return pd.DataFrame({"date": dates, "asset": asset, "close": close})


def test_observed_series_join_prices_on_their_bars_alone() -> None:
    filled = tidy("A", [1, 2, 3], [10.0, 11.0, 12.0])
    seen = tidy("VIX", [1, 3, 4, 5], [20.0, np.nan, 22.0, 23.0])
    table = pd.concat([tidy("A", [1, 3], [10.0, 12.0]), seen])
    raw = RawPrices(table=table, source="source", places={"A": "a.csv", "VIX": "vix.csv"})
    joined, notes = join_observed(raw, filled, table, ["VIX"])
    expected = pd.concat([filled, seen[:2]]).sort_values(["date", "asset"], ignore_index=True)
    pd.testing.assert_frame_equal(joined, expected)
    (note,) = notes
    assert (note["kind"], note["asset"], note["file"], note["count"], note["first_date"]) == (
        *("no_bar_of_the_market", "VIX", "vix.csv"),
        *(2, "2020-01-04"),
    )


def test_nothing_is_noted_where_nothing_is_lost() -> None:
    filled = tidy("A", [1, 2], [10.0, 11.0])
    table = pd.concat([filled, tidy("VIX", [1, 2], [20.0, 21.0])])
    joined, notes = join_observed(RawPrices(table=table, source="source"), filled, table, ["VIX"])
    assert notes == []
    assert len(joined) == 4
