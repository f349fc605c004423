from __future__ import annotations

import dataclasses
import datetime as dt
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.market.market import market_from_prices
from regime_nas_pipeline.market.prepare import PreparedPrices, prepare_prices, price_sha256
from regime_nas_pipeline.market.raw import RawPrices
from regime_nas_pipeline.market.schema import PriceTable

N_BARS = 60


def make_raw(seed: int = 0) -> RawPrices:
    """Four assets on 60 business days: B listed late, C with gaps and an early end."""
    generator = np.random.default_rng(seed)
    dates = pd.bdate_range("2020-01-01", periods=N_BARS)
    rows = []
    for asset in ("A", "B", "C", "M"):
        close = 100 * np.exp(np.cumsum(0.01 * generator.standard_normal(N_BARS)))
        for bar, date in enumerate(dates):
            late = asset == "B" and bar < 8
            gone = asset == "C" and (bar in (5, 11, 12, 33) or bar > 45)
            if not (late or gone):
                rows.append((date, asset, close[bar], close[bar] * 1.01, float(bar)))
    table = pd.DataFrame(rows, columns=["date", "asset", "close", "high", "volume"])
    return RawPrices(table=table, source="source", places=dict.fromkeys("ABCM", "source"))


def prepare(raw: RawPrices, **changes) -> PreparedPrices:
    arguments = {
        "assets": None,
        "benchmark": "M",
        "start": None,
        "end": None,
        "max_gap": 3,
        "first_oos": dt.date(2020, 1, 13),
        "needed_bars": 8,
    }
    return prepare_prices(raw, **(arguments | changes))


def with_table(raw: RawPrices, table: pd.DataFrame) -> RawPrices:
    return dataclasses.replace(raw, table=table)


DATES = pd.DatetimeIndex(sorted(make_raw().table["date"].unique()))


def test_the_result_is_a_valid_sorted_price_table():
    prepared = prepare(make_raw())
    PriceTable.validate(prepared.prices, lazy=True)
    assert list(prepared.prices.columns) == ["date", "asset", "close", "high", "volume"]
    ordered = prepared.prices.sort_values(["date", "asset"], ignore_index=True)
    pd.testing.assert_frame_equal(prepared.prices, ordered)
    assert prepared.manifest == {
        "source": "source",
        "assets": ["A", "B", "C", "M"],
        "benchmark": "M",
        "columns": ["date", "asset", "close", "high", "volume"],
        "rows": 60 + 52 + (46 + 3) + 60,
        "n_dates": 60,
        "first_date": "2020-01-01",
        "last_date": "2020-03-24",
        "sha256": price_sha256(prepared.prices),
    }
    assert json.loads(json.dumps(prepared.manifest)) == prepared.manifest
    market = market_from_prices(prepared.prices, benchmark="M")
    assert market.close.shape == (60, 3)


@pytest.mark.parametrize("bar", [9, 10, 11, 12, 13, 33, 40, 45, 46, 47, 48, 49, 50])
def test_cutting_the_source_gives_exactly_the_prefix(bar):
    raw = make_raw()
    whole = prepare(raw).prices
    prefix = whole[whole["date"] <= DATES[bar]].reset_index(drop=True)
    cut = with_table(raw, raw.table[raw.table["date"] <= DATES[bar]])
    pd.testing.assert_frame_equal(prepare(cut).prices, prefix)
    ended = prepare(raw, end=DATES[bar].date())
    pd.testing.assert_frame_equal(ended.prices, prefix)
    assert ended.quality["rows_after_end"] == len(raw.table) - len(cut.table)


@pytest.mark.parametrize("bar", [11, 20, 33, 47])
def test_scrambling_later_values_leaves_earlier_rows(bar):
    raw = make_raw()
    table = raw.table.copy()
    later = table["date"] > DATES[bar]
    factors = np.random.default_rng(1).lognormal(0, 2, int(later.sum()))
    table.loc[later, "close"] *= factors
    table.loc[later, "high"] *= factors
    whole, scrambled = prepare(raw).prices, prepare(with_table(raw, table)).prices
    early = whole["date"] <= DATES[bar]
    pd.testing.assert_frame_equal(whole[early], scrambled[early])
    assert not whole[~early].equals(scrambled[~early])


def test_start_is_applied_after_repair_and_counted():
    whole = prepare(make_raw())
    started = prepare(make_raw(), start=DATES[5].date(), needed_bars=3)
    later = whole.prices[whole.prices["date"] >= DATES[5]].reset_index(drop=True)
    pd.testing.assert_frame_equal(started.prices, later)
    first_bar = started.prices[started.prices["date"] == DATES[5]]
    assert "C" in set(first_bar["asset"])  # its gap is filled from a bar before the start
    assert started.quality["rows_before_start"] == 5 * 3
    assert started.quality["assets"] == whole.quality["assets"]
    assert whole.quality["rows_before_start"] == 0


def test_chosen_assets_and_always_the_benchmark():
    prepared = prepare(make_raw(), assets=["A", "B"])
    assert prepared.manifest["assets"] == ["A", "B", "M"]
    assert sorted(prepared.quality["assets"]) == ["A", "B", "M"]


def test_a_fault_in_an_asset_that_is_not_chosen_does_no_harm():
    raw = make_raw()
    faulty = raw.table.assign(close=raw.table["close"].where(raw.table["asset"] != "C", -1.0))
    assert prepare(with_table(raw, faulty), assets=["A", "B"]).manifest["rows"] == 60 + 52 + 60
    with pytest.raises(DataError, match=r"asset 'C'.*not positive"):
        prepare(with_table(raw, faulty))


def test_an_asset_listed_after_the_end_is_left_out_with_a_note():
    prepared = prepare(make_raw(), end=DATES[6].date(), first_oos=DATES[4].date(), needed_bars=2)
    assert prepared.manifest["assets"] == ["A", "C", "M"]
    assert [(n["kind"], n["asset"]) for n in prepared.quality["notes"]] == [
        ("no_bar_in_sample", "B")
    ]


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"assets": ["A", "Z", "Y"]}, "no asset 'Y', 'Z'. Remedy: choose among: A, B, C, M."),
        ({"benchmark": "SPY"}, "benchmark 'SPY' is not in the source. Remedy: choose among: A, B"),
        ({"assets": ["A"]}, "fewer than two assets to choose between (A; the benchmark is 'M')"),
        ({"assets": []}, "fewer than two assets to choose between (none;"),
        ({"assets": ["M"], "benchmark_tradable": True}, "fewer than two assets"),
        ({"assets": [], "least_assets": 1}, "fewer than one asset to choose between (none;"),
        ({"assets": ["A", "B"], "least_assets": 3}, "fewer than 3 assets to choose between (A, B;"),
        ({"assets": ["A"], "observed": ["B"]}, "fewer than two assets to choose between (A;"),
        ({"observed": ["VIX"]}, "no asset 'VIX'. Remedy: choose among: A, B, C, M."),
        (
            {"first_oos": dt.date(2020, 4, 1)},
            "date 2020-03-24: no out-of-sample day left: the last date is 2020-03-24 and "
            "first_oos is 2020-04-01",
        ),
        ({"end": dt.date(2020, 1, 10)}, "the last date is 2020-01-10"),
        ({"start": dt.date(2021, 1, 1)}, "start lies after the last date 2020-03-24"),
        ({"needed_bars": 9}, "8 bars before first_oos 2020-01-13, and 9 are needed"),
        ({"start": dt.date(2020, 1, 6)}, "5 bars before first_oos 2020-01-13, and 8 are needed"),
        ({"end": dt.date(2019, 1, 1)}, "end 2019-01-01 lies before the first date 2020-01-01"),
        ({"benchmark": "C"}, "asset 'C', date 2020-03-10: the benchmark has no price on 11 of 52"),
        ({"max_gap": 1}, "asset 'C', date 2020-01-16: 2 bars in a row are missing"),
    ],
)
def test_what_cannot_be_run_is_refused(changes, shown):
    with pytest.raises(DataError) as caught:
        prepare(make_raw(), **changes)
    assert shown in str(caught.value)
    assert str(caught.value).startswith("source")
    assert "Remedy: " in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"assets": ["A", "B", "A"]}, "assets names A more than once"),
        ({"start": dt.date(2021, 1, 1), "end": dt.date(2020, 1, 1)}, "lies after end"),
    ],
)
def test_parameters_that_contradict_themselves(changes, shown):
    with pytest.raises(ParameterError, match=shown):
        prepare(make_raw(), **changes)


def test_a_tradable_benchmark_counts_as_an_asset():
    prepared = prepare(make_raw(), assets=["A"], benchmark_tradable=True)
    assert prepared.manifest["assets"] == ["A", "M"]


def test_end_keeps_the_whole_day_of_intraday_bars():
    hours = pd.DatetimeIndex([f"2020-01-0{day} {hour}:00" for day in (1, 2, 3) for hour in (8, 16)])
    table = pd.concat(
        pd.DataFrame({"date": hours, "asset": asset, "close": 1.0}) for asset in ("A", "B", "M")
    )
    prepared = prepare(
        RawPrices(table=table, source="source"),
        end=dt.date(2020, 1, 2),
        first_oos=dt.date(2020, 1, 2),
        needed_bars=2,
    )
    assert prepared.manifest["last_date"] == "2020-01-02 16:00:00"


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_order_of_rows_and_columns_changes_nothing(seed):
    raw = make_raw()
    columns = list(np.random.default_rng(seed).permutation(raw.table.columns))
    shuffled = raw.table[columns].sample(frac=1, random_state=seed)
    expected, found = prepare(raw), prepare(with_table(raw, shuffled))
    pd.testing.assert_frame_equal(found.prices, expected.prices)
    assert found.manifest == expected.manifest
    assert found.quality == expected.quality
    assert price_sha256(shuffled) == price_sha256(raw.table)


def test_the_hash_notices_every_difference():
    table = make_raw().table.reset_index(drop=True)
    nudged = table.copy()
    nudged.loc[17, "close"] = np.nextafter(nudged.loc[17, "close"], np.inf)
    renamed = table.assign(asset=table["asset"].replace("A", "A2"))
    moved = table.assign(date=table["date"] + pd.Timedelta(days=1))
    variants = [table, nudged, renamed, moved, table[1:], table.drop(columns="volume")]
    variants.append(table.rename(columns={"high": "low"}))
    assert len({price_sha256(each) for each in variants}) == len(variants)


def test_the_hash_does_not_depend_on_how_equal_values_are_kept():
    table = make_raw().table
    kept = table.assign(
        date=table["date"].astype("datetime64[ns]"), asset=table["asset"].astype(object)
    )
    assert price_sha256(kept) == price_sha256(table)
    zero = table.assign(volume=0.0)
    assert price_sha256(zero.assign(volume=-0.0)) == price_sha256(zero)


def test_the_hash_survives_parquet(tmp_path):
    prices = prepare(make_raw()).prices
    prices.to_parquet(tmp_path / "prices.parquet")
    assert price_sha256(pd.read_parquet(tmp_path / "prices.parquet")) == price_sha256(prices)


def test_a_series_that_is_observed_keeps_its_blanks_and_is_no_asset():
    raw = make_raw()
    seen = prepare(raw, observed=["C"], max_gap=1)
    delivered = raw.table[raw.table["asset"] == "C"]
    kept = seen.prices[seen.prices["asset"] == "C"]
    assert kept["close"].tolist() == delivered["close"].tolist()
    market = market_from_prices(seen.prices, benchmark="M", observed=["C"])
    assert market.assets == ("A", "B")
    blank = np.isnan(market.observed["C"])
    assert np.flatnonzero(blank).tolist() == [5, 11, 12, 33, *range(46, 60)]
    assert np.isfinite(market.close[:, 0]).all()


def test_a_series_is_observed_although_assets_do_not_name_it():
    prepared = prepare(make_raw(), assets=["A"], observed=["B"], least_assets=1)
    assert prepared.manifest["assets"] == ["A", "B", "M"]
    with pytest.raises(DataError, match="fewer than two assets"):
        prepare(make_raw(), assets=["A"], observed=["B"])


def test_the_benchmark_alone_can_be_traded_beside_what_is_observed():
    chosen = {"assets": ["M"], "benchmark_tradable": True, "observed": ["A"]}
    assert prepare(make_raw(), **chosen, least_assets=1).manifest["assets"] == ["A", "M"]


def test_dates_on_which_only_the_observed_series_has_a_value_are_no_bars():
    raw = make_raw()
    extra = pd.DataFrame({"date": [DATES[9] + pd.Timedelta(hours=12)], "asset": "C", "close": 50.0})
    table = pd.concat([raw.table, extra.astype({"date": raw.table["date"].dtype})])
    prepared = prepare(with_table(raw, table), observed=["C"])
    assert prepared.manifest["n_dates"] == 60
    (note,) = [n for n in prepared.quality["notes"] if n["kind"] == "no_bar_of_the_market"]
    assert (note["asset"], note["count"]) == ("C", 1)


@pytest.mark.parametrize("bar", [11, 33, 47])
def test_what_is_observed_does_not_know_the_future(bar):
    raw = make_raw()
    whole = prepare(raw, observed=["C"]).prices
    cut = with_table(raw, raw.table[raw.table["date"] <= DATES[bar]])
    prefix = whole[whole["date"] <= DATES[bar]].reset_index(drop=True)
    pd.testing.assert_frame_equal(prepare(cut, observed=["C"]).prices, prefix)
