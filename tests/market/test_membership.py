from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.forecasters.inputs import return_features
from regime_nas_pipeline.market.features import make_features
from regime_nas_pipeline.market.market import Market, market_from_prices
from regime_nas_pipeline.market.membership import Membership
from regime_nas_pipeline.market.prepare import PreparedPrices, prepare_prices, price_sha256
from regime_nas_pipeline.market.raw import RawPrices
from regime_nas_pipeline.market.schema import PriceTable
from regime_nas_pipeline.market.seal import prepare_sample
from regime_nas_pipeline.walkforward.deciding import choices_at

DAYS = pd.date_range("2020-01-01", periods=10)


def membership(*rows: tuple[str, str | None, str | None]) -> Membership:
    table = pd.DataFrame(rows, columns=["asset", "first", "last"])
    for name in ("first", "last"):
        table[name] = pd.to_datetime(table[name]).astype("datetime64[us]")
    table["place"] = [f"line {row + 2}" for row in range(len(table))]
    return Membership(table, "members.csv")


def raw_prices(days: pd.DatetimeIndex = DAYS) -> RawPrices:
    generator = np.random.default_rng(3)
    parts = [
        pd.DataFrame({"date": days, "asset": asset, "close": generator.uniform(1, 2, len(days))})
        for asset in ("A", "B", "C", "M")
    ]
    return RawPrices(pd.concat(parts, ignore_index=True), "source", dict.fromkeys("ABCM", "f"))


def prepare(
    members: Membership | None, raw: RawPrices | None = None, **changes: object
) -> PreparedPrices:
    arguments: dict[str, object] = {
        "assets": None,
        "benchmark": "M",
        "start": None,
        "end": None,
        "max_gap": 3,
        "first_oos": dt.date(2020, 1, 3),
        "needed_bars": 2,
    }
    return prepare_prices(raw or raw_prices(), membership=members, **(arguments | changes))


# A always; B from the 4th on, C up to and including the 5th and again on the 8th.
BY_HAND = membership(
    ("A", None, None),
    ("C", "2020-01-08", "2020-01-08"),
    ("B", "2020-01-04", None),
    ("C", None, "2020-01-05"),
)
MASK = {
    "A": [True] * 10,
    "B": [False] * 3 + [True] * 7,
    "C": [True] * 5 + [False] * 2 + [True] + [False] * 2,
}


def test_members_by_hand() -> None:
    prepared = prepare(BY_HAND)
    PriceTable.validate(prepared.prices)
    market = market_from_prices(prepared.prices, benchmark="M", min_history=2)
    assert market.members is not None
    for column, asset in enumerate(market.assets):
        assert market.members[:, column].tolist() == MASK[asset]
        assert market.eligible[:, column].tolist() == [False, *MASK[asset][1:]]
    assert prepared.quality["membership"]["C"] == {
        "intervals": 2,
        "bars": 6,
        "first": "2020-01-01",
        "last": "2020-01-08",
    }
    assert prepared.quality["membership"]["M"]["bars"] == 0
    facts = prepared.manifest["membership"]
    assert (facts["file"], facts["intervals"]) == ("members.csv", 4)


def test_only_members_can_be_chosen() -> None:
    longer = raw_prices(pd.date_range("2019-12-01", DAYS[-1]))  # a covariance needs twenty bars
    market = market_from_prices(prepare(BY_HAND, longer).prices, benchmark="M")
    chosen = choices_at(market, pd.DatetimeIndex(DAYS[4:8]), 1)
    names = [[market.assets[i] for i in choice.assets] for choice in chosen.values()]
    assert names == [["A", "B", "C"], ["A", "B"], ["A", "B"], ["A", "B", "C"]]


def test_a_slice_takes_its_members_along() -> None:
    market = market_from_prices(prepare(BY_HAND).prices, benchmark="M")
    for row, date in enumerate(market.dates):
        known = market.until(date)
        assert known.members is not None
        np.testing.assert_array_equal(known.members, market.members[: row + 1])
        part = replace(market.slice(row, 10))  # computes it itself
        np.testing.assert_array_equal(part.eligible, market.eligible[row:])


def test_the_hash_knows_the_members() -> None:
    with_all, without = (
        prepare(each)
        for each in (membership(("A", None, None), ("B", None, None), ("C", None, None)), None)
    )
    hashes = {price_sha256(each.prices) for each in (prepare(BY_HAND), with_all, without)}
    assert len(hashes) == 3
    assert without.manifest.keys() ^ with_all.manifest.keys() == {"membership"}
    turned = Membership(BY_HAND.intervals[::-1].reset_index(drop=True), BY_HAND.source)
    assert turned.facts() == BY_HAND.facts()
    assert with_all.manifest["membership"]["sha256"] != BY_HAND.facts()["sha256"]


def test_the_seal_parts_members_as_it_parts_prices() -> None:
    arguments = {"assets": None, "benchmark": "M", "start": None, "max_gap": 3, "needed_bars": 2}
    sample = prepare_sample(
        raw_prices(),
        sealed_from=dt.date(2020, 1, 7),
        end=None,
        first_oos=dt.date(2020, 1, 3),
        period=2,
        membership=BY_HAND,
        **arguments,
    )
    joined = pd.concat([sample.known.prices, sample.sealed], ignore_index=True)
    pd.testing.assert_frame_equal(joined, prepare(BY_HAND).prices)


def test_intraday_bars_belong_to_their_day() -> None:
    hours = pd.date_range("2020-01-04", "2020-01-06", freq="6h")
    table = pd.DataFrame({"date": hours, "asset": "C"})
    until_noon = membership(("C", "2020-01-04 12:00", "2020-01-05 12:00"))
    whole_day = membership(("C", "2020-01-05", "2020-01-05"))
    assert hours[until_noon.mask(table)].hour.tolist() == [12, 18, 0, 6, 12]
    assert set(hours[whole_day.mask(table)].day) == {5}
    assert int(whole_day.mask(table).sum()) == 4


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([("A", "2020-01-05", "2020-01-04")], ["asset 'A'", "line 2 begins on 2020-01-05"]),
        (
            [("A", None, "2020-01-05"), ("B", None, None), ("A", "2020-01-05", None)],
            ["asset 'A'", "line 2 and line 4 overlap"],
        ),
        ([("A", None, None), ("A", None, "2019-01-01")], ["line 3 and line 2 overlap"]),
        (
            [("A", "2020-01-01", "2020-03-01"), ("A", "2020-02-01", "2020-02-02")],
            ["date 2020-02-01", "line 2 and line 3 overlap"],
        ),
    ],
)
def test_intervals_that_contradict_each_other(rows: list, words: list[str]) -> None:
    with pytest.raises(DataError) as caught:
        membership(*rows)
    for word in ("members.csv", "Remedy", *words):
        assert word in str(caught.value)


def test_neighbours_do_not_overlap() -> None:
    neighbours = membership(("A", None, "2020-01-05"), ("A", "2020-01-06", None))
    assert neighbours.mask(pd.DataFrame({"date": DAYS, "asset": "A"})).all()


def test_strangers_are_refused() -> None:
    everybody = [(name, None, None) for name in "ABC"]
    with pytest.raises(DataError, match=r"members.csv.*asset 'C2'.*line 5 .*did you mean 'C'"):
        prepare(membership(*everybody, ("C2", None, None)))
    with pytest.raises(DataError, match=r"members.csv, asset 'B': .*never a member"):
        prepare(membership(("A", None, None), ("C", None, None)))
    with pytest.raises(DataError, match=r"asset 'M'.*never a member"):
        prepare(membership(*everybody), benchmark_tradable=True)
    chosen = prepare(membership(*everybody), assets=["A", "B"])  # C is known, and not chosen
    assert sorted(chosen.quality["membership"]) == ["A", "B", "M"]


@settings(max_examples=12, deadline=None)
@given(
    bounds=st.lists(st.integers(0, 30), min_size=2, max_size=6, unique=True),
    cut=st.integers(2, 9),
)
def test_a_row_knows_only_intervals_around_its_date(bounds: list[int], cut: int) -> None:
    marks = [f"2020-01-{1 + day:02d}" for day in sorted(bounds)]
    pairs = list(zip(marks[::2], marks[1::2], strict=False))
    whole = membership(("A", None, None), ("B", None, None), *[("C", *pair) for pair in pairs])
    day = str(DAYS[cut].date())
    # All that was known then: what had begun, with no end that still lay ahead.
    begun = [(first, None if last > day else last) for first, last in pairs if first <= day]
    known = membership(
        ("A", None, None),
        ("B", None, None),
        *[("C", *pair) for pair in begun],
        *([] if begun else [("C", "2021-01-01", None)]),
    )
    found = prepare(whole).prices
    early = found[found["date"] <= DAYS[cut]].reset_index(drop=True)
    pd.testing.assert_frame_equal(prepare(known, end=DAYS[cut].date()).prices, early)


def test_an_asset_that_joins_later_moves_no_average_before() -> None:
    rows = 140
    dates = pd.date_range("2020-01-01", periods=rows)
    close = 100 * np.exp(np.cumsum(np.random.default_rng(5).normal(0, 0.01, (rows, 3)), axis=0))
    members = np.ones((rows, 3), dtype=bool)
    members[:120, 2] = False
    market = Market(dates, ("A", "B", "C"), close, np.ones(rows), members=members)
    pair = Market(dates, ("A", "B"), close[:, :2], np.ones(rows))
    for make in (lambda m: make_features(m, (1, 5)), return_features):
        with_later, of_two, of_all = map(make, (market, pair, replace(market, members=None)))
        np.testing.assert_array_equal(with_later.market[:120], of_two.market[:120])
        np.testing.assert_array_equal(with_later.market[120:], of_all.market[120:])
        # Its own past is history all the same.
        np.testing.assert_array_equal(with_later.asset, of_all.asset)
        assert np.isfinite(with_later.asset[119, 2]).all()
