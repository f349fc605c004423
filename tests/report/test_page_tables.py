from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from regime_nas_pipeline.report.page_tables import (
    accuracy,
    cells_table,
    coverage_table,
    quality_table,
    ready_tables,
    run_facts,
    seconds_table,
    training_cost,
)


def texts(table: Any) -> list[list[str]]:
    return [[cell.text for cell in row.cells] for row in table.rows]


def test_accuracy_and_cost_part_without_loss(forecasts: dict[str, dict[str, Any]]) -> None:
    forecasts = {name: {**measures, "n": 1900} for name, measures in forecasts.items()}
    parts = {
        name: {**measures, **training_cost(forecasts)[name]}
        for name, measures in accuracy(forecasts).items()
    }
    assert parts == forecasts


def test_what_is_not_trained_has_no_cost() -> None:
    assert training_cost({"no_change": {"rmse": 0.1}, "gru": {"epochs": 2}}) == {
        "gru": {"epochs": 2}
    }


@pytest.mark.parametrize(
    ("unforecast", "rank_dates", "shown"),
    [
        ((0, 0), (95, 95), set()),
        ((0, 3), (95, 95), {"n_unforecast"}),
        ((0, 0), (95, 0), set()),
        ((0, 0), (95, 90), {"n_rank_dates"}),
    ],
)
def test_counts_are_shown_where_they_say_something(
    unforecast: tuple[int, int], rank_dates: tuple[int, int], shown: set[str]
) -> None:
    forecasts = {
        name: {"mae": 0.1, "n_unforecast": unforecast[place], "n_rank_dates": rank_dates[place]}
        for place, name in enumerate(("gru", "garch"))
    }
    assert set(accuracy(forecasts)["gru"]) - {"mae"} == shown


def test_coverage_has_one_row_per_forecaster() -> None:
    rows = [
        (name, level, coverage, 1900)
        for name, coverages in {"gru": (0.55, 0.8, 0.93), "regime_nas": (0.5, 0.81, 0.94)}.items()
        for level, coverage in zip((0.5, 0.8, 0.95), coverages, strict=True)
    ]
    frame = pd.DataFrame(rows, columns=["forecaster", "level", "coverage", "n"])
    table = coverage_table(frame)
    assert [column.label for column in table.columns] == [
        "Forecaster",
        "50 %",
        "80 %",
        "95 %",
        "Forecasts",
    ]
    assert texts(table) == [
        ["RegimeNAS", "50.0", "81.0", "94.0", "1,900"],
        ["GRU", "55.0", "80.0", "93.0", "1,900"],
    ]
    assert coverage_table(frame.iloc[:0]).rows == ()
    blank = frame["forecaster"] == "gru"
    known = frame.assign(
        low=(frame["coverage"] - 0.0204).mask(blank), high=(frame["coverage"] + 0.03).mask(blank)
    )
    table = coverage_table(known)
    assert [column.label for column in table.columns][1:3] == ["50 %", "95 % interval"]
    assert texts(table)[0][:3] == ["RegimeNAS", "50.0", "48.0 to 53.0"]
    assert texts(table)[1][:3] == ["GRU", "55.0", "\u2013"]


def test_facts_about_cells_are_explained() -> None:
    cells = {"regime_nas": {"skip_share": 0.1111, "entropy": 0.6758, "my_fact": 3}}
    table = cells_table(cells)
    assert table["value"].tolist() == ["11 %", "0.68", "3"]
    assert table["measure"].tolist()[2] == "My fact"
    assert table["what_it_means"].notna().tolist() == [True, True, False]


def test_quality_shows_only_what_some_asset_has() -> None:
    assets = {
        "A": {"rows": 9, "jumps": {"count": 0, "dates": []}, "gaps": {"count": 0}},
        "B": {"rows": 9, "jumps": {"count": 1, "dates": ["2000-09-29"]}, "gaps": {"count": 0}},
    }
    table = quality_table(assets)
    assert list(table.columns) == ["asset", "rows", "jumps: count", "jumps: dates"]
    assert len(table) == 2


def test_seed_is_a_name_and_one_checksum_is_enough() -> None:
    facts = run_facts({"run": {"seed": 20240501, "data_sha256": "ab"}}, {"sha256": "ab"})
    assert facts == {"seed": "20240501", "data_sha256": "ab"}
    assert run_facts({"run": {"data_sha256": "ab"}}, {"sha256": "cd"})["sha256"] == "cd"


def test_seconds_are_summed() -> None:
    assert texts(seconds_table({"ingestion": 1.25, "reporting": 2.0})) == [
        ["ingestion", "1.2"],
        ["reporting", "2.0"],
        ["all", "3.2"],
    ]
    assert texts(seconds_table(3.0)) == [["all", "3.0"]]
    assert seconds_table({}).rows == ()


def test_failed_fits_reach_the_page(report_parts: dict[str, Any]) -> None:
    failures = pd.DataFrame(
        {"forecaster": ["garch"], "asset": ["BAC"], "reason": ["x"], "failed_fits": [16]}
    )
    parts = {
        key: report_parts[key]
        for key in ("summary", "quality", "manifest", "architecture", "search")
    }
    table = ready_tables(tables={"fit_failures": failures}, **parts)["fit_failures"]
    assert texts(table) == [["GARCH", "BAC", "x", "16"]]
