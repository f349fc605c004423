"""The audit of pipelines that a user changed: a leak is caught and named, a clean one passes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kedro.pipeline import node
from small_pipelines import (
    BARS,
    EXEMPT,
    FIRST_OOS_ROW,
    N_BARS,
    RULES,
    Window,
    centred,
    raw_prices,
    registry,
    returns_of,
    run_audit,
    trailing,
)

from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.pipelines.audit.facts import closing_line

LAST_DECISION_ROW = N_BARS - 1 - 2  # a lag of one bar, and one bar to earn
DECISIONS = np.arange(FIRST_OOS_ROW, LAST_DECISION_ROW + 1, 10)


def test_a_clean_registry_passes_on_scrambled_and_on_cut_prices(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found, manifest = run_audit(monkeypatch, registry())
    assert found["passed"]
    assert found["first_leak"] is None
    assert found["uncompared"] == []
    assert found["exempt"] == EXEMPT
    assert found["left_out"] == ["reporting"]
    assert found["nodes"] == {"features": "own_features", "own.forecasts": "forecast"}
    date = BARS[DECISIONS[len(DECISIONS) // 2]]
    checks = [(each["date"], each["alteration"]) for each in found["checks"]]
    assert checks == [(date.isoformat(), "scrambled"), (date.isoformat(), "cut")]
    # Every bar up to the date: that it is there, and its three values.
    n_bars = DECISIONS[len(DECISIONS) // 2] + 1
    assert found["checks"][0]["compared"]["features"] == n_bars * 4
    assert json.loads(json.dumps(found)) == found
    assert manifest.empty  # no forecaster of the project was trained
    assert closing_line(found).startswith("Causality audit passed")


def test_a_leaky_node_that_the_user_added_is_caught_and_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found, _ = run_audit(monkeypatch, registry(centred))
    assert not found["passed"]
    assert (found["first_leak"]["node"], found["first_leak"]["dataset"]) == (
        "own_features",
        "features",
    )
    # Two bars on either side: the bar before the audit date is the first that looks past it.
    row = DECISIONS[len(DECISIONS) // 2]
    assert found["first_leak"]["date"] == BARS[row - 1].isoformat()
    assert "node 'own_features' makes 'features'" in closing_line(found)
    assert f"{BARS[row - 1]:%Y-%m-%d}" in closing_line(found)


def test_a_leak_behind_a_cache_that_knows_the_answer_is_caught(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cache = PieceCache(str(tmp_path))
    run_audit(monkeypatch, registry(trailing), cache)
    found, _ = run_audit(monkeypatch, registry(centred), cache)
    changed = {each["dataset"] for check in found["checks"] for each in check["differences"]}
    assert changed == {"features", "own.forecasts"}
    assert list(tmp_path.iterdir()) == []  # nothing of the audit is kept


def test_an_added_dataset_is_compared_by_its_own_dates(monkeypatch: pytest.MonkeyPatch) -> None:
    def ranked(prices: pd.DataFrame) -> pd.DataFrame:
        return returns_of(prices).rank()  # over the whole sample

    added = node(ranked, "prices", "ranks", name="own_ranks")
    found, _ = run_audit(monkeypatch, registry(trailing, added))
    assert found["first_leak"]["node"] == "own_ranks"


def test_an_added_dataset_without_dates_needs_an_exemption(monkeypatch: pytest.MonkeyPatch) -> None:
    def count(prices: pd.DataFrame) -> dict[str, int]:
        return {"rows": len(prices)}

    pipelines = registry(trailing, node(count, "prices", "counts", name="count"))
    with pytest.raises(DataError, match=r"'counts' of node 'count'.*declare it exempt"):
        run_audit(monkeypatch, pipelines)
    exempt = {**EXEMPT, "counts": "the number of rows of the whole sample"}
    found, _ = run_audit(monkeypatch, pipelines, exempt=exempt)
    assert found["passed"]


def test_the_sample_before_the_first_decision_is_audited_by_scrambling_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found, _ = run_audit(monkeypatch, registry(), dates=["search_end", BARS[60].date()])
    checks = [(each["date"], each["alteration"]) for each in found["checks"]]
    ends = [BARS[60], BARS[FIRST_OOS_ROW - 1]]
    assert checks == [(date.isoformat(), "scrambled") for date in ends]
    assert found["uncompared"] == ["own.forecasts"]
    assert "Nothing was compared of: own.forecasts." in closing_line(found)


def test_a_search_that_sees_one_bar_too_many_is_caught_at_the_search_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def search(prices: pd.DataFrame) -> dict[str, float]:
        return {"width": float(returns_of(prices).iloc[: FIRST_OOS_ROW + 1].to_numpy().std())}

    pipelines = registry(trailing, node(search, "prices", "found", name="own_search"))
    rules = {**RULES, "found": {"kind": "as_of", "date": "search_end"}}
    missed, _ = run_audit(monkeypatch, pipelines, rules=rules, dates=[0.5])
    caught, _ = run_audit(monkeypatch, pipelines, rules=rules, dates=["search_end"])
    assert missed["passed"]
    assert caught["first_leak"]["node"] == "own_search"


@pytest.mark.parametrize(
    ("date", "message"),
    [
        (BARS[-1].date(), "no bar after this audit date"),
        ("2019-06-03", "no bar on this audit date"),
        (BARS[10].date(), "too little history"),
    ],
)
def test_an_audit_date_that_cannot_be_used_stops_before_any_run(
    date: object, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(prices: pd.DataFrame, window: Window) -> pd.DataFrame:
        raise AssertionError("a node ran")

    with pytest.raises(DataError, match=message):
        run_audit(monkeypatch, registry(never), dates=[date])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"exempt": {"sumary": "x"}}, r"audit\.exempt: .*'sumary'; did you mean 'summary'"),
        ({"rules": {"wieghts": {"kind": "rows"}}}, r"audit\.rules: .*'wieghts'"),
        ({"exempt": {"prices.": "x"}}, r"no registered node makes a dataset 'prices\.'"),
        ({"leave_out": ["report"]}, r"audit\.leave_out: no pipeline 'report'; there are: main"),
        ({"leave_out": ["main", "reporting"]}, "leaves no node"),
        ({"leave_out": ["main"]}, r"'draw' reads 'summary', which only a pipeline"),
        (
            {"rules": {"features": {"kind": "rows", "column_leads": {"AAA": "lag"}}}},
            r"audit\.rules\.features: column 'AAA' has the lead 1",
        ),
    ],
)
def test_what_does_not_fit_the_registry_stops_before_any_run(
    changes: dict[str, object], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(prices: pd.DataFrame, window: Window) -> pd.DataFrame:
        raise AssertionError("a node ran")

    with pytest.raises(ParameterError, match=message):
        run_audit(monkeypatch, registry(never), **changes)


def test_the_given_prices_are_not_altered(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[pd.DataFrame] = []

    def spying(prices: pd.DataFrame, window: Window) -> pd.DataFrame:
        seen.append(prices.copy())
        prices["close"] = 0.0  # a node that writes into its input harms nobody else
        return trailing(seen[-1], window)

    found, _ = run_audit(monkeypatch, registry(spying))
    assert found["passed"]
    original, scrambled, cut = seen
    pd.testing.assert_frame_equal(original, raw_prices())
    date = pd.Timestamp(found["checks"][0]["date"])
    assert scrambled.loc[scrambled["date"] > date, "close"].ne(original["close"]).any()
    assert cut["date"].max() == date
