from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from regime_nas_pipeline.report.columns import Column
from regime_nas_pipeline.report.tables import facts_table, make_table, measures_table, value_text


def column_texts(table: object, label: str) -> list[str]:
    labels = [column.label for column in table.columns]  # type: ignore[attr-defined]
    place = labels.index(label)
    return [row.cells[place].text for row in table.rows]  # type: ignore[attr-defined]


def test_known_columns_get_unit_and_format() -> None:
    frame = pd.DataFrame(
        {
            "cagr": [0.0312, -0.2],
            "sharpe": [0.5, -0.126],
            "n_fallbacks": [0, 12],
            "p_value": [0.0004, 0.05],
        }
    )
    table = make_table("t", "T", frame)
    assert [column.unit for column in table.columns] == [
        "% a year",
        "annualised",
        "rebalances",
        "raw",
    ]
    assert column_texts(table, "Growth") == ["3.1", "\u221220.0"]
    assert column_texts(table, "Sharpe") == ["0.50", "\u22120.13"]
    assert column_texts(table, "Fallbacks") == ["0", "12"]
    assert column_texts(table, "p") == ["<0.001", "0.050"]
    assert all(column.numeric for column in table.columns)


def test_dates_of_a_column_are_written_alike() -> None:
    hours = pd.Series(pd.to_datetime(["2020-01-01 00:00", None, "2020-01-01 05:00"]))
    table = make_table("t", "T", pd.DataFrame({"first": hours, "day": hours.dt.normalize()}))
    assert column_texts(table, "First") == ["2020-01-01 00:00:00", "\u2013", "2020-01-01 05:00:00"]
    assert column_texts(table, "Day") == ["2020-01-01", "\u2013", "2020-01-01"]


def test_years_have_no_thousands() -> None:
    frame = pd.DataFrame({"year": [2024, 2025], "strategy": ["gru", "gru"], "bars": [8760, 8782]})
    table = make_table("t", "T", frame)
    assert column_texts(table, "Year") == ["2024", "2025"]
    assert column_texts(table, "Bars") == ["8,760", "8,782"]


def test_unknown_columns_are_named_and_formatted_by_content() -> None:
    frame = pd.DataFrame(
        {
            "some_ratio": [0.01234, 0.05678],
            "trades": [12345, 7],
            "day": pd.to_datetime(["2020-01-01", "2020-01-02"]),
            "why": ["a", None],
        }
    )
    table = make_table("t", "T", frame)
    assert column_texts(table, "Some ratio") == ["0.0123", "0.0568"]
    assert column_texts(table, "Trades") == ["12,345", "7"]
    assert column_texts(table, "Day") == ["2020-01-01", "2020-01-02"]
    assert column_texts(table, "Why") == ["a", "\u2013"]


def test_blanks_and_infinities_are_shown() -> None:
    table = make_table("t", "T", pd.DataFrame({"calmar": [np.nan, np.inf, -0.0]}))
    assert column_texts(table, "Calmar") == ["\u2013", "∞", "0.00"]


def test_text_in_a_numeric_column_is_kept() -> None:
    table = make_table("t", "T", pd.DataFrame({"sharpe": ["0.5 to 0.7", "none given"]}))
    assert column_texts(table, "Sharpe") == ["0.5 to 0.7", "none given"]


@pytest.mark.parametrize("index", [["2015", "2016"], pd.Index([3, 4], name="fold")])
def test_index_becomes_the_first_column(index: object) -> None:
    table = make_table("t", "T", pd.DataFrame({"sharpe": [1.0, 2.0]}, index=pd.Index(index)))
    assert len(table.columns) == 2
    assert [row.cells[1].text for row in table.rows] == ["1.00", "2.00"]


def test_best_is_marked_on_the_better_side() -> None:
    measures = {
        "buy_and_hold": {"cagr": 0.1, "volatility": 0.2, "max_drawdown": -0.3, "n_fallbacks": 1},
        "regime_nas": {"cagr": 0.2, "volatility": 0.3, "max_drawdown": -0.5, "n_fallbacks": 2},
        "gru": {"cagr": 0.2, "volatility": np.nan, "max_drawdown": -0.4, "n_fallbacks": 3},
    }
    table = measures_table("t", "T", measures)
    assert [row.cells[0].text for row in table.rows] == ["RegimeNAS", "GRU", "Buy and hold"]
    best = [[cell.best for cell in row.cells] for row in table.rows]
    assert best == [
        [False, True, False, False, False],
        [False, True, False, False, False],
        [False, False, True, True, False],
    ]
    assert table.rows[0].leading
    assert table.rows[2].reference


def test_periods_are_written_once_per_group() -> None:
    frame = pd.DataFrame(
        {
            "period": ["a", "a", "b"],
            "strategy": ["regime_nas", "gru", "gru"],
            "cagr": [0.1, 0.2, 0.3],
        }
    )
    rows = make_table("t", "T", frame).rows
    assert [row.cells[0].rows for row in rows] == [2, 0, 1]
    assert [row.starts_group for row in rows] == [True, False, True]
    assert rows[0].cells[1].colour is not None
    assert rows[0].cells[0].colour is None


def test_facts_are_flattened() -> None:
    table = facts_table(
        "t",
        "T",
        {"seed": 3, "git_sha": "3f1c", "rows": 166260, "source": {"file": "x", "ok": True}},
    )
    assert [[cell.text for cell in row.cells] for row in table.rows] == [
        ["Seed", "3"],
        ["Git commit", "3f1c"],
        ["Rows", "166,260"],
        ["Source: file", "x"],
        ["Source: ok", "yes"],
    ]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "\u2013"),
        ([], "\u2013"),
        ([1, 5, 21], "1, 5, 21"),
        (0.00123456, "0.001235"),
        (8313, "8,313"),
        (float("nan"), "\u2013"),
        (pd.Timestamp("2020-03-01"), "2020-03-01"),
        (pd.Timestamp("2020-03-01 04:00"), "2020-03-01 04:00:00"),
    ],
)
def test_value_text(value: object, expected: str) -> None:
    assert value_text(value) == expected


def test_a_table_may_write_a_column_in_its_own_way() -> None:
    frame = pd.DataFrame({"seconds": [1.25], "0.5": [0.552]})
    own = {"seconds": Column("Time", digits=2), "0.5": Column("50 %", "percent", 1)}
    table = make_table("t", "T", frame, columns=own)
    assert column_texts(table, "Time") == ["1.25"]
    assert column_texts(table, "50 %") == ["55.2"]


def test_columns_of_the_results_have_headings_and_units() -> None:
    names = ["sharpe", "sharpe_cagr", "sharpe_against", "difference", "z", "r2_zero", "n"]
    table = make_table("t", "T", pd.DataFrame({name: [0.5] for name in names}))
    assert [(column.label, column.unit) for column in table.columns] == [
        ("Sharpe", "annualised"),
        ("Sharpe", "(CAGR \u2212 rf) ÷ vol"),
        ("The other's Sharpe", "annualised"),
        ("Difference", "a year"),
        ("z", "statistic"),
        ("R² vs zero", "%"),
        ("Forecasts", "date x asset"),
    ]
