from __future__ import annotations

from typing import Any

import pandas as pd

from regime_nas_pipeline.market.calendars import UNION, Calendar, align, alignment_report
from regime_nas_pipeline.market.raw import RawPrices
from regime_nas_pipeline.report.bars_words import bars_words

YEAR = {"value": 8760, "rule": "Stated in universe.bars_per_year.", "counted": None}


def tidy(**days: list[str]) -> pd.DataFrame:
    rows = [(pd.Timestamp(day), asset, 1.0) for asset, own in days.items() for day in own]
    return pd.DataFrame(rows, columns=["date", "asset", "close"])


# SPY trades on Friday and Monday, BTC on every day from Thursday to Tuesday.
WEEK = tidy(
    SPY=["2024-01-05", "2024-01-08"],
    BTC=[f"2024-01-0{day}" for day in (4, 5, 6, 7, 8, 9)],
)


def calendar_of(calendar: Calendar, *late: str) -> dict[str, Any]:
    raw = RawPrices(WEEK.astype({"date": "datetime64[us]"}), "prices.csv")
    return {"calendar": alignment_report(align(raw, WEEK, calendar, late), calendar, late)}


def test_without_a_calendar_every_date_is_a_bar() -> None:
    assert bars_words({"assets": {}}, {}) == [
        "Every date on which some asset has a price is a bar, so no price was folded forward onto "
        "a later one."
    ]


def test_a_calendar_of_an_asset_counts_what_it_folded() -> None:
    # Saturday and Sunday fold into Monday and share it; Thursday is before, Tuesday waits.
    assert bars_words(calendar_of(Calendar(kind="asset", asset="SPY")), {}) == [
        "The bars are the dates on which SPY has a price. 2 prices of 1 asset lay between two of "
        "them and were folded forward onto the next; 2 of all prices share their bar with a later "
        "one.",
        "1 price before the first bar is left out.",
        "1 price after the last bar is left out until a bar comes that can show them.",
    ]


def test_late_closes_are_told_apart_from_what_was_folded() -> None:
    # All six of BTC's prices move a day on; the last one waits.
    first, late, waiting = bars_words(calendar_of(UNION, "BTC"), {})
    assert first == (
        "Every date on which some asset has a price is a bar. No price lay between two of them."
    )
    assert late.startswith("BTC closes after the others' bar of a date")
    assert waiting.startswith("1 price after the last bar")


def test_the_bars_of_a_year_and_their_rule_are_said() -> None:
    (words,) = bars_words({}, {"bars_per_year": YEAR})
    assert words == ("Yearly figures take a year for 8,760 bars. Stated in universe.bars_per_year.")


def test_an_exchange_is_named() -> None:
    accounts = {"A": {"moved": 0, "joined": 0, "before_first": 0, "after_last": 0}}
    rule = {"kind": "exchange", "name": "XNYS"}
    quality = {"calendar": {"rule": rule, "late_closes": ["B", "C", "D"], "assets": accounts}}
    first, late = bars_words(quality, {})
    assert first.startswith("The bars are the days on which the exchange XNYS is open. No price")
    assert late.startswith("B, C and D close after")


def test_nothing_is_said_of_what_is_not_known() -> None:
    assert bars_words({}, {}) == []
