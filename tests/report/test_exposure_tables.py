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
        ("Calm only", ""),
        ("Buy and hold", ""),
    ]
    assert texts(table) == [
        ["jump", "Own bar", "20.0", "5.0"],
        ["jump", "Known on the day", "4.0", "5.0"],
    ]
    assert [row.cells[0].rows for row in table.rows] == [2, 0]  # its name is written once
    assert table.caption.endswith("growth in % a year")


def test_worth_leaves_out_the_rung_that_takes_nothing_away(ladder: pd.DataFrame) -> None:
    table = exposure_tables.worth_table(ladder, REMOVES, "sharpe")
    assert texts(table) == [["jump", "Labels from the whole sample", "1.60", "0.00"]]


def test_published_figures_stand_beside_ours_in_their_unit(ladder: pd.DataFrame) -> None:
    published = [Figures("calm_only", 2.0501, 0.66, 0.000242, 0.005824)]
    table = exposure_tables.published_exposures(ladder, published, LABELS)
    assert texts(table) == [
        ["Sharpe ratio above nothing", "Published", "0.66"],
        ["Sharpe ratio above nothing", "Own bar", "2.10"],
        ["Sharpe ratio above nothing", "Known on the day", "0.50"],
        ["Total return, %", "Published", "205.01"],
        ["Total return, %", "Own bar", "250.00"],
        ["Total return, %", "Known on the day", "250.00"],
        ["Mean return per bar, basis points", "Published", "2.42"],
        ["Mean return per bar, basis points", "Own bar", "3.21"],
        ["Mean return per bar, basis points", "Known on the day", "3.21"],
        ["Volatility per bar, basis points", "Published", "58.24"],
        ["Volatility per bar, basis points", "Own bar", "123.00"],
        ["Volatility per bar, basis points", "Known on the day", "123.00"],
    ]


@pytest.fixture
def figures() -> pd.DataFrame:
    kept = {*exposure_tables._STRATEGIES, *exposure_tables._ACCOUNTS} - {"labels", "strategy"}
    rows = [
        {"labels": source, "strategy": name, **dict.fromkeys(kept, value), "n_capped": capped}
        for source, name, value, capped in (
            ("no labels", "volatility_target", 0.1, 7),
            ("Jump model", "calm_only", 0.2, 0),
            ("Jump model", "levered", 0.3, 0),
        )
    ]
    return pd.DataFrame(rows)


def test_sources_are_written_once_and_the_best_is_marked(figures: pd.DataFrame) -> None:
    table = exposure_tables.exposure_strategies(figures)
    assert [row.cells[0].rows for row in table.rows] == [1, 2, 0]
    assert texts(table)[2] == ["Jump model", "Levered", *["30.0"] * 3, "0.30", "0.30", "0.300"]
    places = {head: place for place, head in enumerate(heads(table))}
    sharpe = [row.cells[places["Sharpe", "ratio"]].best for row in table.rows]
    assert sharpe == [False, False, True]
    calm = [row.cells[places["Volatility", "% a year"]].best for row in table.rows]
    assert calm == [True, False, False]


def test_bars_at_the_cap_are_shown_where_there_are_any(figures: pd.DataFrame) -> None:
    table = exposure_tables.exposure_accounts(figures)
    assert [row[-1] for row in texts(table)] == ["7", "0", "0"]
    without = exposure_tables.exposure_accounts(figures.assign(n_capped=0))
    assert ("At the cap", "bars") not in heads(without)


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
