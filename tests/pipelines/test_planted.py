"""The planted experiment from the command line, tiny."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from kedro.framework.project import pipelines
from project_runs import Case, make_case

from regime_nas_pipeline.pipelines.planted.pipeline import FIGURES

pytestmark = pytest.mark.slow

NAMES = {
    "regime_nas",
    "uniform_gate",
    "random_search",
    "gru",
    "transformer",
    "mlp",
    "linear",
    "oracle",
}


@pytest.fixture(scope="module")
def planted_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Case, str]:
    case = make_case(tmp_path_factory.mktemp("planted"))
    return case, case.process("--pipelines=planted")


@pytest.fixture(scope="module")
def summary(planted_run: tuple[Case, str]) -> dict[str, Any]:
    found: dict[str, Any] = planted_run[0].load("planted_summary")
    return found


def test_the_summary_has_its_keys(summary: dict[str, Any]) -> None:
    assert set(summary) == {
        "run",
        "sample",
        "forecasts",
        "oracle_efficiency",
        "paired_margins",
        "regime_recovery",
        "no_regime",
        "martingale",
    }
    assert set(summary["run"]) == {
        "env",
        "git_sha",
        "data_sha256",
        "seed",
        "started",
        "seconds",
        "versions",
    }
    assert summary["run"]["seconds"]["planted"] > 0
    for track in ("engineered", "raw"):
        assert set(summary["forecasts"][track]) == NAMES | {"no_change"}
        assert set(summary["oracle_efficiency"][track]) == NAMES
        assert set(summary["paired_margins"][track]) == NAMES - {"regime_nas", "oracle"}
        assert set(summary["forecasts"][track]["gru"]) >= {
            "mae",
            "rmse",
            "r2",
            "theil_u",
            "rank_ic",
            "spread_ratio",
            "epochs",
            "seconds",
            "parameters",
        }
    assert set(summary["martingale"]["raw"]) == {"regime_nas", "linear"}


def test_the_oracle_reaches_itself_and_explains_something(summary: dict[str, Any]) -> None:
    for track, table in summary["oracle_efficiency"].items():
        assert table["oracle"] == {"median": 1.0, "seeds": [1.0, 1.0]}
        assert summary["forecasts"][track]["oracle"]["r2"] > 0.03
        for entry in table.values():
            assert len(entry["seeds"]) == 2


def test_the_summary_follows_from_the_cells(
    planted_run: tuple[Case, str], summary: dict[str, Any]
) -> None:
    cells: pd.DataFrame = planted_run[0].load("planted_cells")
    planted = cells[cells["market"] == "planted"]
    r2 = planted.pivot_table(index=["track", "seed"], columns="forecaster", values="r2")
    efficiency = r2.div(r2["oracle"], axis=0)
    for track, table in summary["oracle_efficiency"].items():
        for name, entry in table.items():
            assert entry["seeds"] == pytest.approx(efficiency.loc[track, name].tolist())
            assert entry["median"] == pytest.approx(float(np.median(entry["seeds"])))


def test_every_network_had_the_same_budget(planted_run: tuple[Case, str]) -> None:
    case, _ = planted_run
    trials = case.load("search_trials")
    cells = case.load("planted_cells")
    searched = cells[cells["search_id"].notna()]
    assert set(trials["search_id"]) == set(searched["search_id"])
    assert (trials.groupby("search_id").size() == 2).all()
    assert (trials.groupby("search_id")["budget_spent"].sum() <= 1600).all()
    strategies = trials.groupby("forecaster")["strategy"].unique()
    assert list(strategies["random_search"]) == ["random"]
    assert list(strategies["uniform_gate"]) == ["bayesian"]


def test_figures_and_report_are_there_and_the_run_ends_with_its_finding(
    planted_run: tuple[Case, str],
) -> None:
    case, printed = planted_run
    for name in FIGURES:
        assert len(case.load(f"{name}_figure").data), name
    report = case.load("planted_report")
    assert all(f'id="figure-{name}"' in report for name in FIGURES)
    assert str(case.folder) not in report
    last = printed.strip().splitlines()[-1]
    assert "of the best possible R²" in last
    assert last.endswith("planted_report.html")
    assert "planted 1, raw, regime_nas" in printed


def test_a_second_run_takes_every_cell_from_the_cache(
    planted_run: tuple[Case, str], summary: dict[str, Any]
) -> None:
    case, _ = planted_run
    pieces = sorted((case.output / "cache").rglob("*.safetensors"))
    case.run(pipelines=["planted"])
    assert sorted((case.output / "cache").rglob("*.safetensors")) == pieces
    again = case.load("planted_summary")
    assert json.dumps({**again, "run": 0}) == json.dumps({**summary, "run": 0})


def test_a_whole_run_leaves_the_experiment_out() -> None:
    named = {node.name for node in pipelines["__default__"].nodes}
    assert not named & {node.name for node in pipelines["planted"].nodes}


def test_the_environment_planted_names_its_summary_like_every_other(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    case = make_case(tmp_path_factory.mktemp("env"), env="planted")
    catalog = case.catalog()
    described = str(catalog["planted_summary"]), str(catalog["planted_report"])
    assert "08_reporting/summary.json" in described[0]
    assert "08_reporting/report.html" in described[1]
