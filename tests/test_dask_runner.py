"""Nodes in the workers of a cluster: the same files as in one process, whatever happens to it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("distributed")

from cloudpickle import dumps
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline, node
from kedro.runner import AbstractRunner, SequentialRunner

import cluster_work
from dask_cluster import DaskCluster
from regime_nas_pipeline.core.cache import code_version
from regime_nas_pipeline.core.cluster import Cluster, connected
from regime_nas_pipeline.core.errors import ClusterError, DataError, ParameterError
from regime_nas_pipeline.dask_runner import DaskRunner, run_node

pytestmark = pytest.mark.slow

TABLES = ("drawn", "sums", "upper", "lower")
PIPELINE = Pipeline(
    [
        node(cluster_work.draw, "params:seed", "drawn", name="draw"),
        node(cluster_work.sums_by_pieces, ["drawn", "params:pieces"], "sums", name="sums"),
        node(cluster_work.two_halves, "sums", ["upper", "lower"], name="halves"),
        node(cluster_work.judge, ["upper", "lower"], "verdict", name="judge", tags="verdict"),
    ]
)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    started = DaskCluster(tmp_path_factory.mktemp("cluster"), n_workers=2)
    yield started.address
    started.stop()


def catalog_in(folder: Path, **more: Any) -> DataCatalog:
    """Versioned datasets in a folder, as those of a run are; ``more`` parameters."""
    datasets = "regime_nas_pipeline.datasets"
    own = {"versioned": True, "type": f"{datasets}.whole_files.WholeParquetDataset"}
    config: dict[str, Any] = {
        name: {**own, "filepath": str(folder / f"{name}.parquet")} for name in TABLES
    }
    config["lower"]["type"] = "cluster_work.FatalDataset"
    kind = f"{datasets}.whole_files.WholeJSONDataset"
    config["verdict"] = {"type": kind, "filepath": str(folder / "verdict.json")}
    kind = f"{datasets}.run_facts.RunFactsDataset"
    config["run_facts"] = {"type": kind, "filepath": str(folder / "facts.jsonl")}
    folder.mkdir()
    catalog = DataCatalog.from_config(config, save_version="2020-01-01T00.00.00.000Z")
    for name, value in {"seed": 5, "pieces": str(folder / "cache"), **more}.items():
        catalog[f"params:{name}"] = MemoryDataset(value)
    return catalog


def run(runner: AbstractRunner, catalog: DataCatalog, pipeline: Pipeline = PIPELINE) -> None:
    runner.run(pipeline, catalog, hook_manager=_create_hook_manager(), run_id="now")


def stored(folder: Path) -> dict[str, bytes]:
    found = [each for each in folder.rglob("*.*") if each.is_file() and "cache" not in each.parts]
    kept = (each for each in found if each.suffix in {".parquet", ".json"})
    return {each.relative_to(folder).as_posix(): each.read_bytes() for each in kept}


def test_nodes_of_workers_leave_the_bits_of_one_process_though_one_is_lost(
    address: str, tmp_path: Path
) -> None:
    here, there = catalog_in(tmp_path / "here"), catalog_in(tmp_path / "there")
    (tmp_path / "here" / "ended").touch()
    run(SequentialRunner(), here)
    run(DaskRunner(address, workers=2, timeout=300.0), there)
    assert (tmp_path / "there" / "ended").exists()
    assert len(stored(tmp_path / "here")) == len(TABLES) + 1
    assert stored(tmp_path / "there") == stored(tmp_path / "here")
    lines = [json.loads(line) for line in (tmp_path / "there" / "facts.jsonl").open()]
    assert sorted(line["node"] for line in lines) == ["draw", "halves", "judge", "sums"]
    assert {line["node"]: line["made"] for line in lines}["sums"] == 4
    assert {line["pipeline"] for line in lines} == {"other", "verdict"}


def test_an_error_of_a_node_is_the_same_error_here(address: str, tmp_path: Path) -> None:
    failing = Pipeline(
        [
            node(cluster_work.draw, "params:seed", "drawn", name="draw"),
            node(cluster_work.forbid, "drawn", "sums", name="forbidden"),
        ]
    )
    with pytest.raises(DataError, match="forbidden: a node failed"):
        run(DaskRunner(address, timeout=300.0), catalog_in(tmp_path / "there"), failing)


def test_a_node_that_ends_every_worker_is_named(tmp_path: Path) -> None:
    started = DaskCluster(tmp_path, n_workers=2, SCHEDULER__ALLOWED_FAILURES="1")
    fatal = Pipeline([node(cluster_work.end_worker, "params:seed", "drawn", name="heavy")])
    told = "2 workers ended while they did the same node 'heavy'"
    try:
        with pytest.raises(ClusterError, match=told):
            run(DaskRunner(started.address, 2, 300.0), catalog_in(tmp_path / "there"), fatal)
    finally:
        started.stop()


def test_what_would_lie_in_memory_alone_is_refused_by_name(address: str, tmp_path: Path) -> None:
    pipeline = Pipeline(
        [
            node(cluster_work.draw, "params:seed", "drawn", name="draw"),
            node(cluster_work.sums_by_pieces, ["drawn", "params:pieces"], "fleeting", name="sums"),
        ]
    )
    with pytest.raises(ParameterError, match="'fleeting' would lie only in the memory"):
        run(DaskRunner(address), catalog_in(tmp_path / "there"), pipeline)
    assert stored(tmp_path / "there") == {}


def test_a_runner_without_a_scheduler_or_with_two_does_nothing(
    address: str, tmp_path: Path
) -> None:
    with pytest.raises(ParameterError, match="--runner-params=address="):
        DaskRunner()
    other = {"device": "cpu", "cluster": {"address": "tcp://127.0.0.2:1"}}
    with pytest.raises(ParameterError, match=r"and that of compute.cluster is 'tcp://127.0.0.2:1'"):
        run(DaskRunner(address), catalog_in(tmp_path / "two", compute=other))
    with pytest.raises(ClusterError, match=r"no scheduler of Dask answers at 'tcp://127.0.0.1:1'"):
        run(DaskRunner("tcp://127.0.0.1:1", timeout=0.5), catalog_in(tmp_path / "none"))
    assert stored(tmp_path / "two") == stored(tmp_path / "none") == {}


def test_a_node_whose_run_has_ended_ends_before_its_last_piece(
    address: str, tmp_path: Path
) -> None:
    image = dumps(
        (
            node(cluster_work.many_pieces, ["params:seed", "params:pieces"], "drawn", name="many"),
            catalog_in(tmp_path / "run", pieces=str(tmp_path)),
            False,
            "now",
        )
    )
    with connected(Cluster(address, timeout=300.0)) as client:
        sent = client.submit(run_node, code_version(), None, image)
        while not (tmp_path / "piece0").exists():
            assert not sent.done(), sent.exception()
            time.sleep(0.05)
        client.cancel(sent)
        while not (tmp_path / "stopped").exists():
            time.sleep(0.05)
    assert not (tmp_path / "piece1999").exists()
