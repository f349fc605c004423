from __future__ import annotations

from typing import Any

from regime_nas_pipeline.report.page import render_page
from regime_nas_pipeline.report.published import (
    PUBLISHED_SECTION,
    definitions_table,
    figures_table,
    published_words,
    remarks_table,
)
from regime_nas_pipeline.report.section import Section
from regime_nas_pipeline.report.tables import Table
from regime_nas_pipeline.verdict.published import QUANTITIES


def row(quantity: str, of: str, ours: float | None = 0.2, **changes: Any) -> dict[str, Any]:
    definition, *others = QUANTITIES[quantity].definitions
    return {
        "quantity": quantity,
        "of": of,
        "beside": "",
        "published": 0.1,
        "ours": ours,
        "definition": definition,
        "others": dict.fromkeys(others, -0.3),
        "difference": None if ours is None else ours - 0.1,
        "reasons": [],
        **changes,
    }


def entry(*rows: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "title": "A paper",
        "source": "Journal 1(1)",
        "figures": list(rows),
        "words": ["Ours are from other years."],
        "doubts": [],
        **changes,
    }


def texts(table: Table) -> list[list[str]]:
    return [[cell.text for cell in each.cells] for each in table.rows]


def test_percentages_are_written_as_such_and_ratios_as_they_are() -> None:
    table = figures_table([entry(row("cagr", "gru"), row("rank_ic", "gru", None))])
    assert texts(table) == [
        ["Growth, % a year", "GRU", "", "10.00", "20.00", "10.00"],
        ["Rank IC", "GRU", "", "0.10", "\u2013", "\u2013"],
    ]


def test_the_definition_is_named_where_there_are_several() -> None:
    (line,) = texts(figures_table([entry(row("volatility", "gru"))]))
    assert line[0] == "Volatility, % a year: of returns per bar"


def test_every_definition_has_a_row_and_every_strategy_a_column() -> None:
    undefined = {"volatility_monthly": None}
    rows = [
        row("volatility", "garch", 0.3, others=undefined),
        row("cagr", "gru"),
        row("volatility", "gru"),
        row("sharpe_test", "gru", beside="garch"),
    ]
    table = definitions_table([entry(*rows)])
    assert [column.label for column in table.columns] == ["Figure", "GRU", "GARCH"]
    assert texts(table) == [
        ["Volatility, % a year, published", "10.00", "10.00"],
        ["Volatility, % a year: of returns per bar", "20.00", "30.00"],
        ["Volatility, % a year: of monthly returns", "\u221230.00", "\u2013"],
        ["z of equal Sharpe ratios against GARCH, published", "0.10", "\u2013"],
        ["z of equal Sharpe ratios against GARCH: Jobson-Korkie-Memmel", "0.20", "\u2013"],
        ["z of equal Sharpe ratios against GARCH: Ledoit-Wolf", "\u22120.30", "\u2013"],
    ]
    assert definitions_table([entry(row("cagr", "gru"))]).rows == ()


def test_every_definition_of_every_quantity_has_a_name_of_its_own() -> None:
    rows = []
    for quantity, each in QUANTITIES.items():
        for definition in each.definitions:
            others = dict.fromkeys(set(each.definitions) - {definition}, 0.1)
            rows.append(row(quantity, "gru", definition=definition, others=others))
    named = {line[0] for line in texts(figures_table([entry(*rows)]))}
    assert len(named) == len(rows)
    assert not named & set(QUANTITIES)


def test_figures_of_one_quantity_stand_together_and_are_named_once() -> None:
    rows = [row("cagr", "gru"), row("calmar", "gru"), row("cagr", "garch")]
    table = figures_table([entry(*rows)])
    assert [line[1] for line in texts(table)] == ["GRU", "GARCH", "GRU"]
    assert [each.cells[0].rows for each in table.rows] == [2, 0, 1]


def test_pairs_and_groups_are_named() -> None:
    rows = [row("sharpe_test", "gru", beside="equal_weight"), row("mean_weight", "gru", beside="A")]
    assert [line[2] for line in texts(figures_table([entry(*rows)]))] == ["equal weight", "A"]


def test_the_publication_is_named_where_there_are_several() -> None:
    two = [entry(row("cagr", "gru")), entry(row("cagr", "gru"), title="Another")]
    table = figures_table(two)
    assert [line[0] for line in texts(table)] == ["A paper", "Another"]
    remarks = remarks_table([{**each, "doubts": ["It has no data."]} for each in two])
    assert [line[0] for line in texts(remarks)] == ["A paper", "Another"]
    assert published_words(two)[2] == "Another: Journal 1(1)."


def test_a_reason_is_said_once_for_all_its_figures() -> None:
    rows = [
        row("cagr", "gru", reasons=["Other years.", "A slip."]),
        row("cagr", "garch", reasons=["Other years."]),
        row("turnover", "gru", reasons=["Other years."]),
    ]
    table = remarks_table([entry(*rows, doubts=["It has no data."])])
    assert texts(table) == [
        ["Growth, % a year, Turnover, % a rebalance", "Other years."],
        ["Growth, % a year", "A slip."],
        ["Doubtful in the source", "It has no data."],
    ]
    assert remarks_table([entry(row("cagr", "gru"))]).rows == ()


def page(**filled: Any) -> str:
    return render_page(
        title="t",
        brand="b",
        question="q",
        headline="h",
        facts=[],
        sections=[PUBLISHED_SECTION, Section("data", "The data", "What it is.")],
        figures={},
        limits=[],
        **{"tables": {}, **filled},
    )


def test_the_chapter_is_there_only_if_there_is_something_to_say() -> None:
    assert PUBLISHED_SECTION.title not in page()
    assert "The data" in page()
    assert PUBLISHED_SECTION.title in page(words={"published": ["A paper."]})
    shown = page(tables={"published_figures": figures_table([entry(row("cagr", "gru"))])})
    assert PUBLISHED_SECTION.title in shown
    assert "Not part of this run" not in shown
