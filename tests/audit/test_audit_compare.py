from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from regime_nas_pipeline.audit.compare import (
    Window,
    compare,
    dated_units,
)
from regime_nas_pipeline.audit.job import PRESENCE, Comparison, Output
from regime_nas_pipeline.audit.rules import EARNED, AsOf, Pieces, Records, Rows, Rule
from regime_nas_pipeline.core.bundle import Bundle
from regime_nas_pipeline.core.errors import DataError, ParameterError

BARS = pd.bdate_range("2021-01-04", periods=10).astype("datetime64[us]")
ROW = 5
T = BARS[ROW]


def compared(
    before: Any,
    after: Any,
    rule: Rule | None = None,
    *,
    shortened: bool = False,
    tolerance: float | None = None,
) -> Comparison:
    rules = {} if rule is None else {"data": rule}
    original = dated_units([Output("node", "data", before)], rules=rules, exempt=())
    other = dated_units([Output("node", "data", after)], rules=rules, exempt=(), original=original)
    return compare(original, other, Window(BARS, ROW, shortened), tolerance=tolerance)


def table(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame({"date": BARS, "value": np.arange(10.0), **columns})


def changed(frame: pd.DataFrame, rows: int | slice, column: str, value: Any) -> pd.DataFrame:
    copy = frame.copy()
    copy.loc[frame.index[rows], column] = value
    return copy


@pytest.mark.parametrize(("row", "found"), [(0, True), (ROW, True), (ROW + 1, False)])
def test_a_row_counts_up_to_its_date(row: int, found: bool) -> None:
    result = compared(table(), changed(table(), row, "value", 99.0))
    assert bool(result.differences) == found
    if found:
        (only,) = result.differences
        assert (only.node, only.dataset, only.column, only.asset) == ("node", "data", "value", None)
        assert (only.date, only.before, only.after, only.count) == (BARS[row], float(row), 99.0, 1)


@pytest.mark.parametrize(("lead", "last"), [(1, ROW + 1), (0, ROW), (-2, ROW - 2), (9, 9)])
def test_a_lead_moves_the_last_row_that_counts(lead: int, last: int) -> None:
    rule = Rows(lead=lead)
    for row in range(10):
        result = compared(table(), changed(table(), row, "value", -1.0), rule)
        assert bool(result.differences) == (row <= last), row


def test_a_lead_before_the_first_bar_settles_nothing() -> None:
    result = compared(table(), table().assign(value=-1.0), Rows(lead=-(ROW + 1)))
    assert result.differences == ()
    assert result.compared == {"data": 0}


def test_weights_of_the_next_bar_are_settled() -> None:
    assert EARNED.lead == 1


def test_a_column_may_be_known_later_than_its_row() -> None:
    rule = Rows(column_leads={"realised": -3})
    frame = table(realised=1.0)
    assert not compared(frame, changed(frame, ROW - 2, "realised", 0.0), rule).differences
    (early,) = compared(frame, changed(frame, ROW - 3, "realised", 0.0), rule).differences
    assert (early.column, early.date) == ("realised", BARS[ROW - 3])


def test_dates_may_be_in_the_index_of_a_table_or_a_series() -> None:
    wide = table().set_index("date")
    for before in (wide, wide["value"], wide.rename_axis(index=None), wide.rename_axis("Date")):
        after = before.copy()
        after.iloc[2] = 50.0
        (only,) = compared(before, after).differences
        assert (only.column, only.date) == ("value", BARS[2])


def test_rows_are_found_by_their_keys_in_any_order() -> None:
    frame = pd.DataFrame(
        {"date": BARS.repeat(2), "asset": ["A", "B"] * 10, "value": np.arange(20.0)}
    )
    assert not compared(frame, frame.sample(frac=1.0, random_state=0)).differences
    (only,) = compared(frame, changed(frame, 7, "value", 0.5)).differences
    assert (only.asset, only.date, only.before) == ("B", BARS[3], 7.0)


def test_rows_alike_in_all_keys_keep_their_order() -> None:
    frame = pd.DataFrame({"date": [BARS[0]] * 3, "value": [1.0, 2.0, 3.0]})
    (only,) = compared(frame, frame.iloc[[0, 2, 1]]).differences
    assert (only.before, only.after, only.count) == (2.0, 3.0, 2)


def test_keys_may_be_named() -> None:
    frame = pd.DataFrame({"date": [BARS[0]] * 2, "seed": [7, 8], "value": [1.0, 2.0]})
    turned = frame.iloc[::-1]
    assert compared(frame, turned).differences
    assert not compared(frame, turned, Rows(keys=("seed",))).differences


def test_rows_that_come_or_go_are_differences_up_to_the_date() -> None:
    gone = compared(table(), table().drop(index=[2, 4, 8])).differences
    assert [(d.column, d.date, d.before, d.after, d.count) for d in gone] == [
        (PRESENCE, BARS[2], "present", "absent", 2)
    ]
    (extra,) = compared(table().drop(index=[3]), table()).differences
    assert (extra.column, extra.date, extra.before) == (PRESENCE, BARS[3], "absent")


def test_where_the_data_ends_rows_that_need_later_bars_may_be_missing() -> None:
    rule = Rows(needs_after=2)
    until = {row: table().iloc[: row + 1] for row in (ROW - 3, ROW - 2)}
    assert not compared(table(), until[ROW - 2], rule, shortened=True).differences
    assert compared(table(), until[ROW - 3], rule, shortened=True).differences
    # Without a reason to be missing, they may not.
    assert compared(table(), until[ROW - 2], shortened=True).differences
    assert compared(table(), until[ROW - 2], rule).differences


def test_columns_that_come_or_go_are_blank_elsewhere() -> None:
    frame = table(late=[np.nan] * 7 + [1.0] * 3)
    assert not compared(frame, table()).differences
    for before, after in ((table(late=1.0), table()), (table(), table(late=1.0))):
        (only,) = compared(before, after).differences
        assert only.column == "late"


def test_columns_can_be_ignored() -> None:
    frame = table(seconds=0.1)
    other = frame.assign(seconds=0.2)
    assert compared(frame, other).differences
    assert not compared(frame, other, Rows(ignore=frozenset({"seconds"}))).differences


def test_dates_as_text_are_dates() -> None:
    text = table().assign(date=BARS.strftime("%Y-%m-%d"))
    (only,) = compared(text, changed(text, 1, "value", 0.0)).differences
    assert only.date == BARS[1]


@pytest.mark.parametrize(
    "dates", [range(10), ["soon"] * 10, BARS.tz_localize("UTC"), [*BARS[:9], pd.NaT]]
)
def test_what_is_no_plain_date_is_refused(dates: Any) -> None:
    with pytest.raises(DataError, match=r"data, column 'date': not every entry is a date"):
        compared(table().assign(date=dates), table())


def test_differences_are_in_execution_order_then_by_date() -> None:
    names = ("second", "first", "third")
    before = [Output(f"make_{name}", name, table(other=0.0)) for name in names]
    other = changed(changed(table(other=0.0), 4, "value", -1.0), 1, "other", 1.0)
    after = [
        Output("make_second", "second", table(other=0.0)),
        Output("make_third", "third", other),
        Output("make_first", "first", other),
    ]
    units = [dated_units(outputs, rules={}, exempt=()) for outputs in (before, after)]
    result = compare(*units, Window(BARS, ROW))
    assert [(d.node, d.column) for d in result.differences] == [
        ("make_first", "other"),
        ("make_first", "value"),
        ("make_third", "other"),
        ("make_third", "value"),
    ]


def test_a_dataset_that_disappears_is_a_difference() -> None:
    before = dated_units([Output("node", "data", table())], rules={}, exempt=())
    after = dated_units([], rules={}, exempt=(), original=before)
    (only,) = compare(before, after, Window(BARS, ROW)).differences
    assert (only.column, only.after, only.count) == (PRESENCE, "absent", ROW + 1)


def log(last: float = 3.0) -> list[dict[str, Any]]:
    return [
        {"train_end": BARS[row].isoformat(), "seconds": row / 7, "curves": [[{"loss": 1.0 / row}]]}
        for row in (2, ROW)
    ] + [{"train_end": BARS[8].isoformat(), "seconds": 1.0, "curves": [[{"loss": last}]]}]


def test_records_that_are_dated_later_do_not_count() -> None:
    assert not compared(log(), log(4.0)).differences
    other = log()
    other[1]["curves"][0][0]["loss"] = 9.0
    (only,) = compared(log(), other).differences
    assert (only.column, only.date) == ("curves.[0].[0].loss", T)


def test_records_may_be_missing_only_where_the_data_ends() -> None:
    rule = Records(date="train_end", needs_after=1)
    assert not compared(log(), log()[:1], rule, shortened=True).differences
    (only,) = compared(log(), log()[:1], rule).differences
    assert (only.column, only.date, only.after) == (PRESENCE, T, "absent")
    assert compared(log(), log()[1:2], rule, shortened=True).differences


def test_a_record_is_dated_by_a_dotted_path() -> None:
    def found(width: int, row: int) -> dict[str, Any]:
        return {"width": width, "search": {"last": str(BARS[row].date()), "seconds": row * 1.5}}

    rule = Records(date="search.last", ignore=frozenset({"seconds"}))
    assert not compared(found(8, ROW + 1), found(9, ROW + 2), rule).differences
    (only,) = compared(found(8, 1), found(9, 1), rule).differences
    assert (only.column, only.before, only.after) == ("width", 8, 9)
    # A date that moves out of reach has changed as well.
    for before, after in ((1, 9), (9, 1)):
        (moved,) = compared(found(8, before), found(8, after), rule).differences
        assert (moved.column, moved.date) == ("search.last", BARS[1])
    with pytest.raises(DataError, match=r"column 'search.end': not every entry is a date"):
        compared(found(8, 1), found(8, 1), Records(date="search.end"))


def checkpoints(rows: tuple[int, ...] = (2, 4, 8), **slopes: float) -> Bundle:
    arrays = {f"fold{i:02d}/slope": np.array([float(i), 1.0]) for i in range(len(rows))}
    arrays |= {f"{name}/slope": np.array([value, 1.0]) for name, value in slopes.items()}
    return Bundle(
        arrays,
        {
            "class": "Slope",
            "folds": [{"depth": i} for i in range(len(rows))],
            "train_ends": [BARS[row].isoformat() for row in rows],
        },
    )


def test_pieces_of_a_bundle_count_once_their_training_has_ended() -> None:
    assert not compared(checkpoints(), checkpoints(fold02=7.0)).differences
    (only,) = compared(checkpoints(), checkpoints(fold01=7.0)).differences
    assert (only.column, only.date, only.before, only.after) == (
        "fold01/slope",
        BARS[4],
        1.0,
        7.0,
    )
    (moved,) = compared(checkpoints(), checkpoints((2, 7, 8))).differences
    assert (moved.column, moved.date) == ("train_ends", BARS[4])


def test_the_last_pieces_may_be_missing_where_the_data_ends() -> None:
    rule = Pieces(needs_after=2)
    assert not compared(checkpoints(), checkpoints((2,)), rule, shortened=True).differences
    assert compared(checkpoints(), checkpoints((2,)), rule).differences
    assert compared(checkpoints(), checkpoints(()), rule, shortened=True).differences


def test_what_belongs_to_no_piece_is_compared_too() -> None:
    other = checkpoints()
    other.facts["class"] = "Curve"
    other.arrays["scale"] = np.array([1.0])
    columns = {d.column for d in compared(checkpoints(), other).differences}
    assert columns == {"class", "scale"}


def test_a_dataset_as_of_a_date_counts_as_a_whole() -> None:
    frame = pd.DataFrame({"trial": ["a", "b"], "returns": [np.zeros(3), np.ones(3)]})
    other = frame.assign(returns=[np.zeros(3), np.array([1.0, 1.0, 2.0])])
    (only,) = compared(frame, other, AsOf(T)).differences
    assert (only.column, only.date) == ("returns", T)
    assert not compared(frame, other, AsOf(BARS[ROW + 1])).differences
    (longer,) = compared(frame, frame.iloc[:1], AsOf(T)).differences[1:2]
    assert (longer.before, longer.after) == ("shape (2,)", "shape (1,)")


def test_partitions_are_dated_by_their_rows_or_by_their_names() -> None:
    by_rows = {"momentum": table(), "garch": table()}
    result = compared(by_rows, {**by_rows, "garch": changed(table(), 2, "value", 0.0)})
    assert [d.dataset for d in result.differences] == ["data[garch]"]
    days = {str(day.date()): {"weights": [float(i), 1.0]} for i, day in enumerate(BARS)}
    late, early = str(BARS[8].date()), str(BARS[3].date())
    assert not compared(days, {**days, late: {"weights": [0.0, 0.0]}}).differences
    (only,) = compared(days, {**days, early: {"weights": [3.0, 0.0]}}).differences
    assert (only.dataset, only.column, only.date) == (f"data[{early}]", "weights", BARS[3])
    (gone,) = compared(days, {k: v for k, v in days.items() if k != early}).differences
    assert (gone.column, gone.after) == (PRESENCE, "absent")


@pytest.mark.parametrize(
    "data",
    [
        {"sharpe": 1.0},
        {"2021-13-45": {"sharpe": 1.0}},
        {},
        [],
        "<html>",
        None,
        [{"date": "2021-01-04"}, {"sharpe": 1.0}],
        pd.DataFrame({"sharpe": [1.0]}),
        pd.Series([1.0]),
        Bundle({"slope": np.zeros(2)}),
    ],
)
def test_what_has_no_dates_must_be_declared(data: Any) -> None:
    outputs = [Output("make", "data", data)]
    with pytest.raises(DataError, match=r"no dates in 'data' of node 'make'.*declare it exempt"):
        dated_units(outputs, rules={}, exempt=())
    assert dated_units(outputs, rules={}, exempt=("data",)).nodes == {}


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (table(), Pieces()),
        (checkpoints(), Rows()),
        ("text", Records()),
        (np.zeros(3), Rows()),
    ],
)
def test_a_rule_of_the_wrong_kind_is_refused(data: Any, rule: Rule) -> None:
    with pytest.raises(DataError, match=r"rule \w+ does not fit"):
        compared(data, data, rule)


def test_rules_that_name_what_is_not_there_are_refused() -> None:
    for rule in (Rows(date="day"), Rows(keys=("seed",)), Rows(column_leads={"cost": -1})):
        with pytest.raises(DataError, match="names a column that is not there"):
            compared(table(), table(), rule)
    with pytest.raises(DataError, match="'fits' has no entry for each of 3 pieces"):
        compared(checkpoints(), checkpoints(), Pieces(facts=("fits",)))


def test_rules_that_contradict_themselves_are_refused() -> None:
    with pytest.raises(ParameterError, match="above the rows' lead 0"):
        Rows(column_leads={"weight": 1})
    for kind in (Rows, Records, Pieces):
        with pytest.raises(ParameterError, match="needs_after must not be negative"):
            kind(needs_after=-1)


def test_a_dataset_made_twice_is_refused() -> None:
    outputs = [Output("one", "data", table()), Output("two", "data", table())]
    with pytest.raises(ParameterError, match="'data' is made by 'one' and by 'two'"):
        dated_units(outputs, rules={}, exempt=())
