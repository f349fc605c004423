from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from kedro.io import DataCatalog, MemoryDataset

from regime_nas_pipeline import cluster_checks
from regime_nas_pipeline.cluster_checks import (
    cluster_of,
    refuse_two_clusters,
    refuse_unfit_workers,
    stated_compute,
)
from regime_nas_pipeline.core.cluster import Cluster
from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.datasets.run_facts import RunFactsDataset
from regime_nas_pipeline.walkforward.parameters import Compute

WRITTEN = {"seed": 1, "device": "cpu", "cluster": {"address": "tcp://host:1", "workers": 2}}


@pytest.mark.parametrize("compute", [WRITTEN, Compute.model_validate(WRITTEN)])
def test_the_cluster_of_the_parameters_is_found_before_and_after_they_are_typed(
    compute: object,
) -> None:
    catalog = DataCatalog({"params:compute": MemoryDataset(compute)})
    stated = stated_compute(catalog)
    assert stated["device"] == "cpu"
    assert cluster_of(stated) == Cluster("tcp://host:1", 2, 30.0)
    refuse_two_clusters(Cluster("tcp://host:1"), catalog)
    with pytest.raises(ParameterError, match="state one of the two"):
        refuse_two_clusters(Cluster("tcp://host:2"), catalog)


def test_no_cluster_is_none() -> None:
    assert cluster_of({"seed": 1}) is None
    assert cluster_of({"seed": 1, "cluster": None}) is None
    refuse_two_clusters(Cluster("tcp://host:2"), DataCatalog())


@pytest.mark.parametrize(
    ("device", "nodes", "asked"),
    [
        ("cpu", False, set()),
        ("cpu", True, {"working directory"}),
        ("auto", False, {"device of compute.device 'auto'"}),
    ],
)
def test_workers_are_asked_what_the_run_depends_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, nodes: bool, asked: set[str]
) -> None:
    told: dict[str, Any] = {}
    monkeypatch.setattr(cluster_checks, "check_workers", lambda client, **kw: told.update(kw))
    catalog = DataCatalog(
        {
            "params:compute": MemoryDataset({"device": device}),
            "run_facts": RunFactsDataset(filepath=tmp_path / "run_facts.jsonl"),
        }
    )
    refuse_unfit_workers(None, catalog, nodes=nodes)
    assert told["folder"] == tmp_path
    assert set(told["also"]) == asked
    assert all(isinstance(ask(), str) for ask in told["also"].values())
