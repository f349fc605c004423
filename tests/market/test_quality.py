from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.market.quality import CarryForward, carry_forward, check_prices
from regime_nas_pipeline.market.raw import RawPrices


def raw_of(**closes: list[float | None]) -> RawPrices:
    """One bar a day from 2020-01-01; None is a date without a row."""
    rows = [
        (pd.Timestamp("2020-01-01") + pd.Timedelta(days=day), asset, float(close))
        for asset, series in closes.items()
        for day, close in enumerate(series)
        if close is not None
    ]
    table = pd.DataFrame(rows, columns=["date", "asset", "close"])
    return RawPrices(table=table, source="source", places={name: f"{name}.csv" for name in closes})


def closes_of(table: pd.DataFrame, asset: str) -> list[float | None]:
    wide = table.pivot(index="date", columns="asset", values="close")
    return [None if pd.isna(value) else value for value in wide[asset]]


def message_of(raw: RawPrices, table: pd.DataFrame | None = None) -> str:
    with pytest.raises(DataError) as caught:
        check_prices(raw, raw.table if table is None else table, raw.assets)
    return str(caught.value)


def test_sound_prices_pass_in_any_order():
    raw = raw_of(A=[1, 2, None, 3], B=[None, 5, 6, 7])
    assert check_prices(raw, raw.table.iloc[::-1], raw.assets) is None


def test_the_earliest_fault_is_reported_whatever_the_order():
    raw = raw_of(A=[1, 2, -3, -4], B=[1, -2, 3, 4])
    for table in (raw.table, raw.table.iloc[::-1]):
        assert message_of(raw, table).startswith(
            "B.csv, column 'close', asset 'B', date 2020-01-02: the price is not positive: -2."
        )


@pytest.mark.parametrize(
    ("column", "value", "shown"),
    [
        ("close", np.nan, "the price is blank."),
        ("close", np.inf, "the value is infinite: inf."),
        ("close", 0.0, "the price is not positive: 0."),
        ("open", -1.0, "the price is not positive: -1."),
        ("low", -np.inf, "the value is infinite: -inf."),
        ("volume", -1.0, "the volume is negative: -1."),
    ],
)
def test_a_value_that_cannot_be(column, value, shown):
    raw = raw_of(A=[1, 2, 3], B=[1, 2, 3])
    table = raw.table.assign(open=1.0, low=0.5, volume=10.0)
    table.loc[1, column] = value
    message = message_of(raw, table)
    assert f"A.csv, column '{column}', asset 'A', date 2020-01-02: {shown}" in message
    assert "Remedy: " in message


def test_blank_optional_values_are_allowed():
    raw = raw_of(A=[1, 2], B=[1, 2])
    table = raw.table.assign(open=np.nan, high=np.nan, low=1.0, volume=np.nan)
    assert check_prices(raw, table, raw.assets) is None


def test_a_high_below_the_low_is_a_fault_and_equality_is_not():
    raw = raw_of(A=[1, 2], B=[1, 2])
    assert check_prices(raw, raw.table.assign(high=1.0, low=1.0), raw.assets) is None
    message = message_of(raw, raw.table.assign(high=[1, 0.5, 1, 1.0], low=1.0))
    assert "column 'high', asset 'A', date 2020-01-02: the high 0.5 is below the low 1" in message


def test_a_date_twice_is_a_fault():
    raw = raw_of(A=[1, 2], B=[1, 2])
    message = message_of(raw, pd.concat([raw.table, raw.table.iloc[[1]]]))
    assert message.startswith("A.csv, column 'date', asset 'A', date 2020-01-02: the date occurs")


def test_no_rows_no_price_and_no_date_are_faults():
    raw = raw_of(A=[1, 2], B=[])
    assert "column 'close', asset 'B': there is no price at all" in message_of(raw)
    assert message_of(raw, raw.table[:0]).startswith("source: there are no prices.")
    undated = raw_of(A=[1, 2])
    table = undated.table.assign(date=[pd.Timestamp("2020-01-01"), pd.NaT])
    assert "column 'date', asset 'A': 1 rows have no date" in message_of(undated, table)


def test_short_gaps_and_the_end_are_carried_forward():
    raw = raw_of(
        A=[None, 1, None, None, 2, 3, None, 4, 5, 6],
        B=[5, 5, 5, 5, 5, None, None, None, None, None],
        M=[1] * 10,
    )
    filled, accounts = carry_forward(raw, raw.table, max_gap=2)
    assert closes_of(filled, "A") == [None, 1, 1, 1, 2, 3, 3, 4, 5, 6]
    assert closes_of(filled, "B") == [5, 5, 5, 5, 5, 5, 5, None, None, None]
    assert accounts == {
        "A": CarryForward(gaps=2, longest=2, bars=3, after_last=0),
        "B": CarryForward(gaps=0, longest=0, bars=0, after_last=2),
        "M": CarryForward(gaps=0, longest=0, bars=0, after_last=0),
    }


def test_a_filled_bar_has_no_range_and_no_volume():
    raw = raw_of(A=[10, None, 12], B=[1, None, 1], M=[1, 1, 1])
    table = raw.table.assign(open=9.0, high=20.0, low=0.5, volume=7.0)
    table.loc[table["asset"] == "B", ["open", "volume"]] = np.nan
    filled, _ = carry_forward(raw, table, max_gap=1)
    bars = filled[filled["date"] == "2020-01-02"].set_index("asset")
    values = bars.drop(columns="date")
    assert values.loc["A"].to_dict() == {
        "close": 10,
        "open": 10,
        "high": 10,
        "low": 10,
        "volume": 0,
    }
    assert bars.loc["B", ["open", "volume"]].isna().all()
    assert bars.loc["B", ["high", "low"]].tolist() == [1, 1]


def test_a_longer_gap_is_a_fault_at_its_first_missing_bar():
    raw = raw_of(A=[1, None, 1, None, None, 1], M=[1] * 6)
    with pytest.raises(DataError) as caught:
        carry_forward(raw, raw.table, max_gap=1)
    message = str(caught.value)
    assert "A.csv, column 'close', asset 'A', date 2020-01-04: 2 bars in a row" in message
    assert "raise max_gap" in message


def test_nothing_is_filled_with_a_max_gap_of_zero():
    raw = raw_of(A=[None, 1, 1, None], M=[1] * 4)
    filled, _ = carry_forward(raw, raw.table, max_gap=0)
    assert closes_of(filled, "A") == [None, 1, 1, None]


def slow_carry(series: list[float | None], max_gap: int) -> list[float | None]:
    """The rule said plainly: walk through the bars and remember the last close."""
    result: list[float | None] = []
    last, waited = None, 0
    for close in series:
        waited = 0 if close is not None else waited + 1
        last = close if close is not None else last
        result.append(last if waited <= max_gap else None)
    return result


cells = st.one_of(st.none(), st.integers(1, 9).map(float))


@settings(max_examples=60, deadline=None)
@given(st.lists(cells, min_size=3, max_size=12).filter(any), st.integers(0, 3))
def test_carrying_forward_agrees_with_the_plain_rule(series, max_gap):
    raw = raw_of(A=series, M=[1.0] * len(series))
    listed = next(day for day, close in enumerate(series) if close is not None)
    ended = max(day for day, close in enumerate(series) if close is not None)
    expected = slow_carry(series, max_gap)
    if None in expected[listed : ended + 1]:
        with pytest.raises(DataError, match="bars in a row are missing"):
            carry_forward(raw, raw.table, max_gap)
    else:
        filled, _ = carry_forward(raw, raw.table, max_gap)
        assert closes_of(filled, "A") == expected
