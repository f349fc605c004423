"""Pipelines as users select them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from kedro.framework.project import pipelines
from kedro.framework.startup import bootstrap_project
from kedro.runner import SequentialRunner
from project_runs import PROJECT, STAGES, Case, make_case, stock_case

EXPERIMENTS = (
    "ablation",
    "attention_guide",
    "audit",
    "calibration",
    "claims",
    "forecast_now",
    "open_holdout",
    "placebo",
    "planted",
    "power",
    "regime_uses",
    "search_comparison",
    "spx_vix",
)


def test_the_default_pipeline_is_the_sum_of_the_stages() -> None:
    bootstrap_project(PROJECT)
    assert set(pipelines) == {*STAGES, *EXPERIMENTS, "__default__"}
    nodes = {node.name for name in STAGES for node in pipelines[name].nodes}
    whole = {node.name for node in pipelines["__default__"].nodes}
    assert nodes == whole
    for name in EXPERIMENTS:
        assert not whole & {node.name for node in pipelines[name].nodes}, name


@pytest.mark.xdist_group("finished")
def test_everything_that_crosses_a_pipeline_boundary_is_persisted(finished: Case) -> None:
    catalog = finished.catalog()
    for name in STAGES:
        for dataset in pipelines[name].outputs() | pipelines[name].inputs():
            if not dataset.startswith("params:"):
                described = type(catalog[dataset]).__name__
                assert described != "MemoryDataset", dataset


@pytest.mark.slow
@pytest.mark.xdist_group("finished")
def test_every_run_writes_its_manifest(finished: Case) -> None:
    files = list((finished.output / "08_reporting" / "run_manifests").glob("*.json"))
    manifest = json.loads(files[0].read_text())
    assert manifest["outcome"] == "finished"
    assert manifest["data_sha256"] == finished.load("data_manifest")["sha256"]
    assert manifest["seed"] == manifest["parameters"]["compute"]["seed"]
    assert manifest["parameters"]["walk_forward"]["first_oos"] == "2015-07-01"
    assert set(manifest["seconds"]) == {node.name for node in pipelines["__default__"].nodes}
    assert "torch" in manifest["versions"]


class InterruptedRunner(SequentialRunner):
    """Ctrl-C after the last node."""

    def _run(self, *args: Any, **kwargs: Any) -> None:
        super()._run(*args, **kwargs)
        raise KeyboardInterrupt


def test_an_interrupted_run_leaves_a_manifest_and_lets_the_next_one_in(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        case.run(pipelines=["ingestion"], runner=InterruptedRunner())
    # The same process, as in a notebook: it would still hold its own lock.
    case.run(pipelines=["ingestion"], runtime_params={"universe": {"max_gap": 4}})
    files = sorted((case.output / "08_reporting" / "run_manifests").glob("*.json"))
    first, second = (json.loads(path.read_text()) for path in files)
    assert (first["outcome"], second["outcome"]) == ("interrupted", "finished")
    assert first["parameters"]["universe"]["max_gap"] == 5
    assert second["parameters"]["universe"]["max_gap"] == 4
    assert not (case.output / ".lock").exists()


def pieces(case: Case) -> set[str]:
    return {path.name for path in (case.output / "cache").rglob("*.safetensors")}


@pytest.mark.slow
@pytest.mark.xdist_group("finished")
def test_stages_run_one_by_one_and_agree_with_the_whole(
    finished: Case, bundled_prices: pd.DataFrame, tmp_path: Path
) -> None:
    case = stock_case(tmp_path, bundled_prices)
    # A piece is found again only where a stage was handed what it is handed in a whole run.
    shutil.copytree(finished.output / "cache", case.output / "cache")
    for stage in STAGES[:4]:
        case.run(pipelines=[stage])
    evaluation = ["trade_strategies", "measure_forecasts"]
    case.run(from_nodes=[*evaluation, "reporting.draw_search", "reporting.list_fit_failures"])
    assert pieces(case) == pieces(finished)
    pd.testing.assert_frame_equal(
        case.load("strategy_returns"), finished.load("strategy_returns"), check_exact=True
    )
    assert "report" in {path.parent.parent.stem for path in case.written}
