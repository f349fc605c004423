"""A seal in a real environment, opened on the command line, twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from found_architecture import architecture, tuned_gru
from project_runs import make_case

LAST_SEEN = {"last_date_seen": "2015-06-30"}


def seen(found: dict[str, Any]) -> dict[str, Any]:
    return {**found, "search": {**found["search"], **LAST_SEEN}}


@pytest.mark.slow
def test_a_seal_is_opened_and_opened_again(tmp_path: Path) -> None:
    case = make_case(
        tmp_path,
        parameters={
            "universe": {"sealed_from": "2016-07-01"},
            "training": {"n_seeds": 1, "max_samples": 300},
        },
    )
    case.run(pipelines=["ingestion"])
    assert case.load("prices")["date"].max() == pd.Timestamp("2016-06-30")
    assert case.load("sealed_prices")["date"].min() == pd.Timestamp("2016-07-01")
    catalog = case.catalog()
    catalog.save("architecture", seen(architecture()))
    catalog.save("gru.tuned", seen(tuned_gru()))
    tuned = {"parameters": {"width": 8, "lookback": 21, "attention_heads": 2}}
    catalog.save("transformer.tuned", seen({**tuned_gru(), **tuned}))

    for arguments in ((), ("--params=portfolio.cost_bps=20",)):
        result = case.command("--pipelines=open_holdout", *arguments)
        assert result.exit_code == 0, result.output
    openings = case.load("holdout_openings")
    assert list(openings["number"]) == [1, 2]
    assert len(set(openings["parameters_sha256"])) == 2
    assert len(set(openings["sealed_sha256"])) == 1
    summary = case.load("holdout_summary")
    assert summary["opening"]["changed"] == ["parameters"]
    returns = case.load("holdout_returns")
    assert returns.index[0] > pd.Timestamp("2016-07-01")
    assert returns.index[-1].date().isoformat() == summary["sample"]["last_oos"]
    assert "opening 2 on" in case.load("holdout_report")
    # Beside the source and the sealed part itself, no table of prices reaches past the seal.
    assert case.load("prices")["date"].max() == pd.Timestamp("2016-06-30")
    assert not list(case.output.rglob("*holdout_prices*"))
