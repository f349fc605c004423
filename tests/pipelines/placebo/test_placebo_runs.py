"""The placebo and the power experiment of the project's own pipelines, on a few tiny panels."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from kedro.framework.project import pipelines
from kedro.framework.startup import bootstrap_project
from project_runs import PROJECT, make_case

from regime_nas_pipeline.audit.panel_runs import P_VALUE_COLUMNS
from regime_nas_pipeline.pipeline_registry import FORECASTERS, SEARCHED
from regime_nas_pipeline.pipelines.placebo.job import cheap_job, whole_job
from regime_nas_pipeline.pipelines.placebo.parameters import Placebo, Power

TINY = {
    "compute": {"n_jobs": 2, "device": "cpu"},
    "universe": {"assets": ["AAPL", "GE", "JPM", "KO", "UNH", "XOM"], "end": "2016-12-15"},
    "portfolio": {"cost_bps": 0.0, "risk_free": 0.0},
    "walk_forward": {"refit_every": 63},
    "training": {"n_seeds": 1, "max_samples": 150},
    "search": {"budget": 800, "trials": 2, "start_up": 1, "batch": 1},
    "regime_nas": {"space": {"nodes": {"kind": "options", "options": [1]}}},
    "verdict": {"resamples": 99},
    "placebo": {
        "sets": {"bootstrap": {"n_panels": 2}, "garch": {"n_panels": 1}},
        "n_bars": 560,
        "oos_share": 0.2,
    },
    "power": {
        "panels": {"n_panels": 1},
        "n_bars": [560],
        "oos_share": 0.2,
        "edges": {"momentum": [0.2], "regime_drift": [0.2]},
        "full": None,
    },
}


def test_what_is_run_on_a_panel_is_the_job_and_nothing_else() -> None:
    bootstrap_project(PROJECT)
    stages = whole_job(pipelines["__default__"])
    nodes = {node.name for node in stages.job.nodes}
    assert nodes == {
        "label_regimes",
        "collect_trials",
        "trade_strategies",
        "record_evaluations",
        "compare_all",
        "count_trials",
        *(f"{name}.search" for name in SEARCHED),
        *(f"{name}.train" for name in FORECASTERS),
    }
    assert {node.name for node in stages.before.nodes} == {"validate_prices"}
    cheap = {node.name for node in cheap_job(["momentum", "linear"]).nodes}
    assert cheap == {
        "label_regimes",
        "momentum.train",
        "linear.train",
        "trade_strategies",
        "compare_all",
    }


def test_the_configured_experiments_fit_their_types_and_the_environment_has_no_costs() -> None:
    base = yaml.safe_load((PROJECT / "conf" / "base" / "parameters_placebo.yml").read_text())
    placebo = Placebo.model_validate(base["placebo"])
    assert placebo.sets["bootstrap"].n_panels == 200
    power = Power.model_validate(base["power"])
    seeds = {panels.seed for panels in (*placebo.sets.values(), power.panels)}
    assert len(seeds) == len(placebo.sets) + 1
    own = yaml.safe_load((PROJECT / "conf" / "placebo" / "parameters.yml").read_text())
    assert own["portfolio"] == {"cost_bps": 0.0, "risk_free": 0.0}


@pytest.mark.slow
def test_the_projects_own_job_runs_on_panels_and_every_test_is_counted(tmp_path: Path) -> None:
    case = make_case(tmp_path / "case", parameters=TINY)
    printed = case.process("--pipelines=placebo")
    last = printed.splitlines()[-1]
    assert "Placebo: too few panels to judge any of 13 tests. Report:" in last
    assert last.endswith("placebo_report.html")
    assert "search RegimeNas" not in printed  # bars of inner nodes
    table = case.load("placebo_p_values")
    assert list(table.columns) == ["set", *P_VALUE_COLUMNS]
    assert table.groupby("set")["panel"].nunique().to_dict() == {"bootstrap": 2, "garch": 1}
    known = table[table["p_beats"].notna()]
    assert {"regime_nas", "gru", "transformer"} <= set(
        known.loc[known["test"] == "deflated_sharpe_search", "subject"]
    )
    assert set(FORECASTERS) < set(known.loc[known["test"] == "ledoit_wolf", "subject"])
    accuracy = table[table["test"] == "diebold_mariano"]
    assert set(accuracy["against"]) == {"no_change"}
    assert known["p_beats"].between(0.0, 1.0).all()
    verdicts = case.load("placebo_verdicts")
    assert {found["verdict"] for found in verdicts["tests"].values()} == {"not judged"}
    assert verdicts["run"]["env"] == "case"
    assert verdicts["sample"]["oos_bars"] == 112
    written = {path.relative_to(case.output).parts[0] for path in case.written}
    assert written == {"08_reporting", "cache", "run_facts.jsonl"}


@pytest.mark.slow
def test_cheap_forecasters_go_through_the_grid_of_edges(tmp_path: Path) -> None:
    case = make_case(tmp_path / "case", parameters={**TINY, "compute": {"n_jobs": 1}})
    case.run(pipelines=["power"])
    rates = case.load("power_rates")
    assert set(rates["job"]) == {"cheap"}
    assert set(zip(rates["edge"], rates["edge_size"], strict=True)) == {
        ("none", 0.0),
        ("momentum", 0.2),
        ("regime_drift", 0.2),
    }
    subjects = rates.loc[rates["test"] == "ledoit_wolf", "subject"]
    assert {"garch", "momentum", "linear"} <= set(subjects)
    smallest = case.load("smallest_edges")
    assert set(smallest["edge"]) == {"momentum", "regime_drift"}
    assert "<html" in case.load("power_report")


def test_costs_are_refused_in_one_message(tmp_path: Path) -> None:
    case = make_case(tmp_path / "case")
    result = case.command("--pipelines=placebo")
    assert result.exit_code == 1
    assert "Error: portfolio.cost_bps is 5 and must be 0 on simulated panels" in result.output
