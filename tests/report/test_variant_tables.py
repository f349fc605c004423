from __future__ import annotations

import pandas as pd
import pytest

from regime_nas_pipeline.report.tables import BLANK
from regime_nas_pipeline.report.variant_tables import variant_tables

MINUS = "\N{MINUS SIGN}"
MEASURES = {"sharpe": "Sharpe ratio", "error": "Error", "spread": "Spread"}
LABELS = {"a": "Variant A", "b": "Variant B"}
NAMES = ("difference", "low", "high", "p_value", "p_holm")


def row(metric: str, variant: str, effect: str, full: float | None, mean: float) -> dict:
    return {
        "metric": metric,
        "variant": variant,
        "full": full,
        "mean": mean,
        **dict.fromkeys(NAMES, 0.25),
        "effect": effect,
    }


def texts(table) -> list[list[str]]:
    return [[cell.text for cell in line.cells] for line in table.rows]


def test_a_table_for_each_measure_in_its_order_with_the_reference_in_the_caption() -> None:
    comparison = pd.DataFrame(
        [
            row("error", "a", "better", 0.5, 0.4),
            row("error", "b", "none", 0.5, 0.6),
            row("sharpe", "a", "unknown", -1.25, -1.0),
            row("sharpe", "b", "worse", -1.25, -2.0),
        ]
    )
    tables = variant_tables(
        comparison, MEASURES, LABELS, key="parts", reference="full", called="full network"
    )
    assert list(tables) == ["parts_sharpe", "parts_error"]
    assert tables["parts_sharpe"].caption == f"Sharpe ratio (full network: {MINUS}1.2500)"
    assert tables["parts_error"].caption == "Error (full network: 0.5000)"
    assert texts(tables["parts_error"]) == [
        ["Variant A", "0.4000", "0.2500", "0.2500", "0.2500", "0.250", "0.250", "better"],
        ["Variant B", "0.6000", "0.2500", "0.2500", "0.2500", "0.250", "0.250", "no difference"],
    ]
    assert texts(tables["parts_sharpe"])[0][-1] == "undefined"
    assert "variant less full" in [column.unit for column in tables["parts_error"].columns]


def test_every_forecaster_has_its_own_reference_and_a_gain_is_shown_where_there_is_one() -> None:
    rows = [
        row("spread", "a", "same", 0.5, 0.4) | {"forecaster": "gru", "gain": 0.125},
        row("spread", "b", "unjudged", 0.5, 0.4) | {"forecaster": "gru", "gain": None},
        row("spread", "a", "better", None, 0.4) | {"forecaster": "regime_nas", "gain": 0.5},
    ]
    (table,) = variant_tables(
        pd.DataFrame(rows), MEASURES, LABELS, key="parts", reference="full", called="plain"
    ).values()
    assert table.caption == f"Spread (plain: GRU 0.5000, RegimeNAS {BLANK})"
    assert texts(table)[0][:2] == ["GRU", "Variant A"]
    gains = [column.label for column in table.columns].index("Gain")
    assert [line[gains] for line in texts(table)] == ["0.1250", BLANK, "0.5000"]
    assert [line[-1] for line in texts(table)] == ["the same", "neither side is better", "better"]


@pytest.mark.parametrize("full", [None, float("nan")])
def test_an_undefined_reference_is_blank(full: float | None) -> None:
    comparison = pd.DataFrame([row("error", "a", "unknown", full, 0.4)])
    (table,) = variant_tables(
        comparison, MEASURES, LABELS, key="parts", reference="full", called="full network"
    ).values()
    assert table.caption == f"Error (full network: {BLANK})"


def test_without_a_comparison_there_is_no_table() -> None:
    nothing = pd.DataFrame([])
    assert not variant_tables(
        nothing, MEASURES, LABELS, key="parts", reference="full", called="full network"
    )
