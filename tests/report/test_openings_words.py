"""What is said of the sealed part, and the page of an opening."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

from regime_nas_pipeline.report.figures import drawdowns, equity_curves
from regime_nas_pipeline.report.holdout_page import render_holdout
from regime_nas_pipeline.report.openings import (
    history,
    opening_words,
    openings_of,
    openings_table,
)

SEAL = {"from": "2021-01-01", "n_dates": 1502}
FIRST = {
    "number": 1,
    "opened_at": "2026-03-01T10:00:00+00:00",
    "sealed_from": "2021-01-01",
    "last_date": "2022-12-28",
    "n_bars": 1502,
    "data_sha256": "d" * 64,
    "sealed_sha256": "s" * 64,
    "parameters_sha256": "p" * 64,
    "git_sha": "abc",
}


def ledger(*changes: dict[str, Any]) -> pd.DataFrame:
    """The first opening, and one more for each change."""
    rows = [
        {**FIRST, "number": number, "opened_at": f"2026-0{number + 2}-01T10:00:00+00:00", **change}
        for number, change in enumerate(({}, *changes), start=1)
    ]
    return pd.DataFrame(rows)


NONE = ledger().iloc[:0]


def test_nothing_is_said_where_there_never_was_a_seal() -> None:
    assert opening_words(NONE, None) == []


def test_a_seal_that_was_never_opened_is_named() -> None:
    (sentence,) = opening_words(NONE, SEAL)
    assert sentence == (
        "The last 1,502 bars, from 2021-01-01 on, are sealed and nothing on this page has read "
        "them; they have not been opened yet."
    )


def test_one_opening_is_dated_and_two_are_held_against_each_other() -> None:
    (one,) = opening_words(ledger(), SEAL)
    assert one.endswith("; they were opened once, on 2026-03-01.")
    (two,) = opening_words(ledger({"parameters_sha256": "q" * 64, "git_sha": "def"}), SEAL)
    assert "opened twice, first on 2026-03-01: opening 2 on 2026-04-01 with other " in two
    assert "other parameters and other code" in two
    assert "Only the first opening" in two
    (three,) = opening_words(ledger({}, {"sealed_sha256": "t" * 64}), SEAL)
    assert "opened 3 times" in three
    assert "opening 2 on 2026-04-01 with nothing changed" in three
    assert "opening 3 on 2026-05-01 with other sealed prices" in three


def test_a_seal_that_was_taken_away_is_not_forgotten() -> None:
    (sentence,) = opening_words(ledger(), None)
    assert "from 2021-01-01 on were sealed before and opened once" in sentence
    assert "reads them as well" in sentence


def test_openings_of_other_bars_do_not_count() -> None:
    earlier = {"sealed_from": "2019-01-01", "last_date": "2020-12-31"}
    table = ledger(earlier)
    assert [row["number"] for row in openings_of(table, "2021-01-01")] == [1]
    # An earlier seal that reached as far saw the same bars.
    further = ledger({"sealed_from": "2019-01-01"})
    assert [row["number"] for row in openings_of(further, "2021-01-01")] == [1, 2]
    assert openings_of(further, "2023-01-01") == []


def test_the_table_shows_what_changed() -> None:
    found = openings_of(ledger({"parameters_sha256": "q" * 64, "git_sha": None}), "2021-01-01")
    table = openings_table(found)
    texts = [[cell.text for cell in row.cells] for row in table.rows]
    assert [row[0] for row in texts] == ["1", "2"]
    assert "parameters, code" in texts[1]
    assert "q" * 12 in texts[1]


@pytest.mark.parametrize("n_openings", [1, 2])
def test_the_page_says_what_happened_and_how_often_it_was_looked_at(n_openings: int) -> None:
    generator = np.random.default_rng(4)
    names = ["regime_nas", "equal_weight"]
    returns = pd.DataFrame(
        generator.normal(0.0, 0.01, (40, 2)),
        index=pd.bdate_range("2021-01-04", periods=40),
        columns=names,
    )
    found = openings_of(ledger(*[{"git_sha": "def"}] * (n_openings - 1)), "2021-01-01")
    summary = {
        "run": {"env": "test", "seed": 20240501, "seconds": {"a": 1.0}, "versions": {"b": "1"}},
        "sample": {
            "first_oos": "2021-01-04",
            "last_oos": "2021-02-26",
            "n_rebalances": 3,
            "n_refits": 1,
        },
        "strategies": {name: {"sharpe": 0.5 + place} for place, name in enumerate(names)},
        "forecasts": {"regime_nas": {"theil_u": 1.0123, "epochs": 3.0}},
        "headline": "RegimeNAS came <second>.",
        "openings": found,
    }
    words = ["The sealed bars cannot tell them apart."]
    results = {
        "comparison_tests": pd.DataFrame(),
        "superior_strategies": pd.DataFrame(),
        "comparison_words": words,
    }
    page = render_holdout(
        summary,
        results,
        {"equity_curves": equity_curves(returns), "drawdowns": drawdowns(returns)},
        limits=["Only survivors."],
    )
    said = re.sub(r"<(script|style).*?</\1>", "", page, flags=re.DOTALL)
    for text in ("RegimeNAS came &lt;second&gt;.", *words, "1.012", "20240501", "Only survivors."):
        assert text in said
    assert history(found) in said
    assert ("it was unseen at the first opening alone" in said) == (n_openings == 2)
    assert "Not part of this run" not in said
