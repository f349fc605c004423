"""The page on results names every key and column, and its code gives the same figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from documents import block, code_spans
from finished_run import FinishedRun

from regime_nas_pipeline.datasets.ledger import LedgerDataset

PAGE = "docs/summary.md"
TABLES = {
    "weights": "weights",
    "decisions": "decisions",
    "significance": "significance",
    "sub_periods": "sub_periods",
    "per_regime": "per_regime",
    "gru.forecasts": "gru_forecasts",
    "pareto_front": "pareto_front",
    "seed_returns": "seed_returns",
    "seed_figures": "seed_figures",
}

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("docs")]


def keys_of(summary: Mapping[str, Any]) -> set[str]:
    keys = {*summary, *summary["run"], *summary["sample"]}
    for part in ("strategies", "forecasts"):
        keys |= set(summary[part])
        for figures in summary[part].values():
            keys |= set(figures)
    return keys


def test_every_key_of_the_summary_is_documented(trend_run: FinishedRun) -> None:
    undocumented = keys_of(trend_run.summary) - set(code_spans(PAGE)) - {"trend"}
    assert not undocumented


@pytest.mark.parametrize("dataset", TABLES)
def test_every_column_is_documented(dataset: str, trend_run: FinishedRun) -> None:
    spans = set(code_spans(PAGE))
    assert dataset in spans
    assert set(trend_run.table(TABLES[dataset]).columns) <= spans


@pytest.mark.parametrize(
    ("dataset", "key"), [("search_trials", "trial_id"), ("evaluations", "evaluation_id")]
)
def test_every_column_of_a_ledger_is_documented(
    dataset: str, key: str, trend_run: FinishedRun
) -> None:
    ledger = LedgerDataset(filepath=trend_run.folder / "07_model_output" / dataset, key=key)
    assert set(ledger.load().columns) <= set(code_spans(PAGE))


def test_the_printed_code_gives_the_summary_to_nine_digits(trend_run: FinishedRun) -> None:
    example: dict[str, Any] = {"__name__": "check_summary"}
    exec(block(PAGE, "check_summary.py").code, example)  # noqa: S102
    figures = example["strategy_figures"](trend_run.folder)
    stated = trend_run.summary["strategies"]
    assert set(figures) == set(stated)
    for name, own in figures.items():
        assert set(stated[name]) - set(own) == {"n_fallbacks"}
        for key, value in own.items():
            if stated[name][key] is None:
                assert value is None, (name, key)
            else:
                assert value == pytest.approx(stated[name][key], abs=1e-9), (name, key)
