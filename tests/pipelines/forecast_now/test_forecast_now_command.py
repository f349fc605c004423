"""On the command line, in a real environment: the same numbers as the walk-forward had."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from found_architecture import case_with_findings
from project_runs import Case, make_case

FORECASTERS = ("regime_nas", "gru", "transformer", "garch", "momentum")
WRITTEN = {"latest_forecasts", "target_weights", "trades", "forecast_now"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """The tiny environment with one fit of every forecaster and an evaluation."""
    case = case_with_findings(
        tmp_path_factory.mktemp("now"), {"walk_forward": {"first_oos": "2016-08-01"}}
    )
    small = {"width": 8, "lookback": 21, "attention_heads": 2}
    case.catalog().save("transformer.tuned", {"parameters": small})
    case.run(node_names=[*(f"{name}.train" for name in FORECASTERS), "trade_strategies"])
    return case


@pytest.mark.slow
def test_the_last_decision_is_made_again(trained: Case, caplog: pytest.LogCaptureFixture) -> None:
    catalog = trained.catalog()
    stored = {name: catalog.load(f"{name}.forecasts") for name in FORECASTERS}
    decisions, weights = catalog.load("decisions"), catalog.load("weights")
    day = stored["momentum"]["date"].max()
    before = {path for path in trained.written if path.name != "run_facts.jsonl"}
    contents = {path: path.read_bytes() for path in before}

    result = trained.command("--pipelines=forecast_now", f"--params=forecast_now.as_of={day:%F}")
    assert result.exit_code == 0, result.output

    made = trained.catalog()
    forecasts = made.load("latest_forecasts").set_index("forecaster")
    for name, table in stored.items():
        wanted = table[table["date"] == day].set_index("asset")
        now = forecasts.loc[name].set_index("asset")
        assert set(now.index[now["mean"].notna()]) == set(wanted.index)
        for column in ("mean", "volatility", "seed_spread"):
            np.testing.assert_array_equal(now.loc[wanted.index, column], wanted[column], name)

    log = decisions[decisions["date"] == day].set_index("strategy")
    for name, wanted in made.load("target_weights").groupby("strategy"):
        own = weights[
            (weights["strategy"] == name) & (weights["date"] == log["first_earned"][name])
        ]
        held = own.set_index("asset")["weight"]
        now = wanted.set_index("asset")["weight"]
        pd.testing.assert_series_equal(
            now[now > 0].sort_index(), held.sort_index(), check_exact=True
        )
        assert set(wanted["fallback"]) == {log["fallback"][name]}

    said = caplog.messages[-1]
    assert said.startswith(f"Rebalance due now: decided on the close of {day:%F}")
    assert Path(said.partition("Report: ")[2]).is_file()
    facts = made.load("forecast_now")
    assert facts["rebalance"]["due"]
    assert facts["last_bar"] == f"{day:%F}"
    # Nothing of the experiment itself was written again.
    assert {path: path.read_bytes() for path in before} == contents
    new = {path.parent.parent.stem for path in set(trained.written) - before}
    manifests = list((trained.output / "08_reporting" / "run_manifests").glob("*.json"))
    assert new >= WRITTEN
    latest = max(manifests, key=lambda path: path.name)
    assert json.loads(latest.read_text())["asked"]["pipeline_names"] == ["forecast_now"]


@pytest.mark.slow
def test_stale_data_stop_the_command_before_anything_is_written(trained: Case) -> None:
    before = {path for path in trained.written if path.name != ".lock"}
    result = trained.command("--pipelines=forecast_now")
    assert result.exit_code != 0
    assert "the data are stale" in result.output
    assert "--params=forecast_now.as_of=2016-12-30" in result.output
    assert "Traceback" not in result.output
    assert {path for path in trained.written if path.name != ".lock"} == before


def test_without_models_there_is_nothing_to_forecast_with(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    result = case.command("--pipelines=forecast_now")
    assert result.exit_code != 0
    assert "there is nothing yet to forecast with" in result.output
    assert "run `kedro run`" in result.output
    assert "Traceback" not in result.output
    assert not case.output.exists()
