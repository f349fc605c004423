"""The default job on a cluster: the same results, to the bit, as in one process."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from project_runs import STAGES, Case, stock_case

pytest.importorskip("distributed")

from dask_cluster import DaskCluster

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("finished")]

RUNNER = "--runner=regime_nas_pipeline.dask_runner.DaskRunner"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    started = DaskCluster(tmp_path_factory.mktemp("cluster"), n_workers=2)
    yield started
    started.stop()


@pytest.mark.parametrize("way", ["pieces", "nodes"])
def test_a_run_on_a_cluster_agrees_to_the_bit_with_one_process_though_a_worker_is_lost(
    finished: Case, bundled_prices: pd.DataFrame, cluster: DaskCluster, tmp_path: Path, way: str
) -> None:
    case = stock_case(tmp_path, bundled_prices, compute={"n_jobs": -1})
    stated = {"address": cluster.address, "timeout": 300}
    if way == "nodes":
        options = [RUNNER, "--runner-params=" + ",".join(f"{k}={v}" for k, v in stated.items())]
    else:
        named = (f"compute.cluster.{name}={value}" for name, value in stated.items())
        # Those that hand out pieces: what follows is one process's work in any case.
        options = ["--params=" + ",".join(named), f"--pipelines={','.join(STAGES[:5])}"]
    run = case.start(*options)
    while len(list((case.output / "cache").rglob("*.safetensors"))) < 20:
        assert run.poll() is None, case.said
        time.sleep(0.1)
    cluster.workers.pop(0).kill()
    cluster.workers.append(cluster.add_worker())
    assert run.wait() == 0, case.said
    for name in ("strategy_returns", "weights", "regimes", "regime_nas.forecasts"):
        pd.testing.assert_frame_equal(case.load(name), finished.load(name), check_exact=True)
    assert case.load("architecture") == finished.load("architecture")
    if way == "pieces":
        return
    assert case.load("summary")["strategies"] == finished.load("summary")["strategies"]
    known, wanted = case.load("run_facts"), finished.load("run_facts")
    assert set(known["seconds"]) == set(wanted["seconds"])
    assert known["run_id"] != wanted["run_id"]


def test_a_cluster_that_does_not_answer_is_told_before_anything_runs(
    finished: Case, bundled_prices: pd.DataFrame, tmp_path: Path
) -> None:
    case = stock_case(tmp_path, bundled_prices)
    nowhere = "address=tcp://127.0.0.1:1,timeout=0.5"
    cases = {
        (RUNNER,): "needs the address of a scheduler",
        (RUNNER, f"--runner-params={nowhere}"): "no scheduler of Dask answers",
        ("--params=compute.cluster.address=tcp://127.0.0.1:1,compute.cluster.timeout=0.5",): (
            "no scheduler of Dask answers"
        ),
    }
    for options, told in cases.items():
        result = case.command(*options)
        assert result.exit_code == 1, options
        assert told in result.output
        assert "Traceback" not in result.output
        assert not (case.output / ".lock").exists()
    assert not (case.output / "run_facts.jsonl").exists()
