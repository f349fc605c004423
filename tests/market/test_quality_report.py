from __future__ import annotations

import json

import numpy as np
import pandas as pd

from regime_nas_pipeline.market.quality import CarryForward
from regime_nas_pipeline.market.quality_report import quality_report
from regime_nas_pipeline.market.raw import RawPrices, make_note


def report_of(notes=(), **columns):
    size = len(columns["close"])
    table = pd.DataFrame(
        {"date": pd.date_range("2020-01-01", periods=size), "asset": "A"}
        | {name: np.array(values, dtype=float) for name, values in columns.items()}
    )
    raw = RawPrices(
        table=table,
        source="source",
        places={"A": "A.csv"},
        columns={"A": {"open": "Open"}},
        notes=[make_note("newest_first", "Turned round.")],
    )
    shuffled = table.sample(frac=1, random_state=3)
    account = CarryForward(gaps=1, longest=2, bars=2, after_last=3)
    report = quality_report(raw, shuffled, {"A": account}, notes)
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    return report


def test_rows_dates_and_what_was_filled():
    report = report_of(close=[1, 1.1, 1.2])
    described = report["assets"]["A"]
    assert (described["rows"], described["first"], described["last"]) == (
        3,
        "2020-01-01",
        "2020-01-03",
    )
    assert described["filled_gaps"] == {
        "count": 1,
        "longest": 2,
        "bars": 2,
        "bars_after_last_close": 3,
    }
    assert described["zero_volume_bars"] is None
    assert report["totals"] == {
        "assets": 1,
        "rows": 3,
        "dates": 3,
        "first": "2020-01-01",
        "last": "2020-01-03",
        "filled_gaps": 1,
        "filled_bars": 2,
        "filled_bars_after_last_close": 3,
        "stale_runs": 0,
        "jumps": 0,
        "zero_volume_bars": 0,
        "close_outside_range": 0,
    }


def test_five_equal_closes_are_stale_and_four_are_not():
    report = report_of(close=[1, 1, 1, 1, 2, 2, 2, 2, 2, 3, 4, 4, 4, 4, 4, 4])
    assert report["assets"]["A"]["stale_runs"] == {
        "count": 2,
        "longest": 6,
        "first_date": "2020-01-05",
    }
    none = report_of(close=[1, 1, 1, 1, 2])["assets"]["A"]["stale_runs"]
    assert none == {"count": 0, "longest": 0, "first_date": None}


def test_moves_beyond_half_are_jumps_in_both_directions():
    report = report_of(close=[10, 15, 22.6, 11.3, 5.6, 5.5])
    assert report["assets"]["A"]["jumps"] == {"count": 2, "dates": ["2020-01-03", "2020-01-05"]}


def test_at_most_ten_dates_of_jumps_are_listed():
    jumps = report_of(close=[1, 2] * 10)["assets"]["A"]["jumps"]
    assert (jumps["count"], len(jumps["dates"]), jumps["dates"][0]) == (10, 10, "2020-01-02")
    jumps = report_of(close=[1, 3] * 10 + [1])["assets"]["A"]["jumps"]
    assert (jumps["count"], len(jumps["dates"])) == (20, 10)


def test_bars_without_volume_are_counted():
    report = report_of(close=[1, 2, 3], volume=[0, 5, 0])
    assert report["assets"]["A"]["zero_volume_bars"] == 2


def test_a_close_outside_the_range_is_noted_beyond_rounding():
    report = report_of(
        close=[10, 10, 10, 10], high=[10 - 1e-8, 9, 11, 11], low=[9, 8, 10 + 1e-8, 10.5]
    )
    assert report["assets"]["A"]["close_outside_range"] == {"count": 2, "first_date": "2020-01-02"}
    note = report["notes"][-1]
    assert (note["kind"], note["asset"], note["file"], note["count"], note["first_date"]) == (
        "close_outside_range",
        "A",
        "A.csv",
        2,
        "2020-01-02",
    )


def test_blanks_in_an_optional_column_are_noted_unless_it_is_all_blank():
    report = report_of(close=[1, 2, 3], open=[1, np.nan, np.nan], volume=[np.nan] * 3)
    blanks = [note for note in report["notes"] if note["kind"] == "blank_field"]
    assert [(note["count"], note["first_date"]) for note in blanks] == [(2, "2020-01-02")]
    assert "column 'Open'" in blanks[0]["detail"]


def test_notes_of_the_source_come_first():
    extra = make_note("no_bar_in_sample", "Left out.", asset="B")
    kinds = [note["kind"] for note in report_of(notes=[extra], close=[1, 2])["notes"]]
    assert kinds == ["newest_first", "no_bar_in_sample"]
