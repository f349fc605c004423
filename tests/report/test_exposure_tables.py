from __future__ import annotations

from typing import NamedTuple

import pandas as pd
import pytest

from regime_nas_pipeline.report import exposure_tables
from regime_nas_pipeline.report.tables import Table

LABELS = {"same_bar": "Own bar", "online": "Known on the day"}
REMOVES = {"same_bar": "", "online": "labels from the whole sample"}


class Figures(NamedTuple):
    strategy: str
    total_return: float
    sharpe: float
    mean_per_bar: float
    volatility_per_bar: float


@pytest.fixture
def ladder() -> pd.DataFrame:
    rows = [
        {
            "labeller": "jump",
            "rung": rung,
            "strategy": strategy,
            "sharpe": sharpe,
            "sharpe_zero": sharpe + 0.1,
            "cagr": sharpe / 10,
            "total_return": 2.5,
            "mean_per_bar": 0.000321,
            "volatility_per_bar": 0.0123,
            "worth_sharpe": worth,
        }
        for strategy, sharpes, fall in (
            ("buy_and_hold", (0.5, 0.5), 0.0),
            ("calm_only", (2.0, 0.4), 1.6),
        )
        for rung, sharpe, worth in zip(LABELS, sharpes, (float("nan"), fall), strict=True)
    ]
    return pd.DataFrame(rows)


def texts(table: Table) -> list[list[str]]:
    return [[cell.text for cell in row.cells] for row in table.rows]


def heads(table: Table) -> list[tuple[str, str]]:
    return [(column.label, column.unit) for column in table.columns]


def test_the_ladder_has_a_row_per_rung_and_a_column_per_strategy(ladder: pd.DataFrame) -> None:
    table = exposure_tables.ladder_table(ladder, LABELS, "cagr")
    assert heads(table)[1:] == [
        ("What is done", ""),
        ("Calm only", "% a year"),
        ("Buy and hold", "% a year"),
    ]
    assert texts(table) == [
        ["jump", "Own bar", "20.0", "5.0"],
        ["jump", "Known on the day", "4.0", "5.0"],
    ]


def test_worth_leaves_out_the_rung_that_takes_nothing_away(ladder: pd.DataFrame) -> None:
    table = exposure_tables.worth_table(ladder, REMOVES, "sharpe")
    assert texts(table) == [["jump", "Labels from the whole sample", "1.60", "0.00"]]


def test_published_figures_stand_beside_ours_in_their_unit(ladder: pd.DataFrame) -> None:
    published = [Figures("calm_only", 2.0501, 0.66, 0.000242, 0.005824)]
    table = exposure_tables.published_exposures(ladder, published, LABELS)
    assert texts(table) == [
        ["jump", "Total return, %", "Calm only", "205.0100", "250.0000", "250.0000"],
        ["jump", "Sharpe above nothing", "Calm only", "0.6600", "2.1000", "0.5000"],
        ["jump", "Mean return per bar, %", "Calm only", "0.0242", "0.0321", "0.0321"],
        ["jump", "Volatility per bar, %", "Calm only", "0.5824", "1.2300", "1.2300"],
    ]


def test_figures_are_in_the_reports_order_and_caps_shown_where_there_are_any() -> None:
    figures = pd.DataFrame(
        [
            {"strategy": name, **dict.fromkeys(keys, 0.1), "n_capped": capped, "n_bars": 1200}
            for name, capped in (("buy_and_hold", 0), ("volatility_target", 7))
            for keys in [list(exposure_tables._FIGURES)[1:-2]]
        ]
    )
    table = exposure_tables.exposure_figures(figures)
    assert [row[0] for row in texts(table)] == ["Volatility target", "Buy and hold"]
    assert ("At the cap", "bars") in heads(table)
    without = exposure_tables.exposure_figures(figures.assign(n_capped=0))
    assert ("At the cap", "bars") not in heads(without)


def test_only_the_robust_tests_are_shown() -> None:
    tests = pd.DataFrame(
        {
            "test": ["jobson_korkie_memmel", "ledoit_wolf"],
            "subject": "levered",
            "against": "buy_and_hold",
            "difference": [0.1, 0.2],
            "standard_error": 0.3,
            "p_two_sided": [0.5, 0.0001],
            "p_holm": [0.9, 0.04],
        }
    )
    (row,) = texts(exposure_tables.exposure_tests(tests))
    assert row[2:] == ["0.20", "0.30", "<0.001", "0.040"]


def test_distances_name_their_rungs() -> None:
    distances = pd.DataFrame(
        {
            "labeller": "jump",
            "rung": ["same_bar", "online"],
            "distance": [6.2, 2.6],
            "p_value": [0.0001, 0.2],
            "sharpe_distance": [7.0, 0.3],
            "sharpe_p_value": [0.0001, 0.9],
        }
    )
    table = exposure_tables.resemblance_table(distances, LABELS)
    assert texts(table)[1] == ["jump", "Known on the day", "2.60", "0.200", "0.30", "0.900"]
    assert [row.cells[2].best for row in table.rows] == [False, True]
