"""What a run on a cluster needs, refused by name before any work starts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from kedro.io import DataCatalog
from kedro.pipeline import Pipeline

from regime_nas_pipeline.core.cluster import Cluster, check_workers
from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.datasets.run_facts import RunFactsDataset

_COMPUTE = "params:compute"


def cluster_of(compute: Mapping[str, Any]) -> Cluster | None:
    """The cluster that the parameters name, if any.

    Args:
        compute: The block of that name, already checked.
    """
    stated = compute.get("cluster")
    return None if stated is None else Cluster(**stated)


def stated_compute(catalog: DataCatalog) -> Mapping[str, Any]:
    """The block ``compute`` of a catalog's parameters; empty where it has none."""
    if _COMPUTE not in catalog:
        return {}
    stated = catalog.load(_COMPUTE)
    if isinstance(stated, Mapping):
        return stated
    chosen = stated.cluster
    return {**vars(stated), "cluster": None if chosen is None else chosen.model_dump()}


def facts_of(catalog: DataCatalog) -> RunFactsDataset | None:
    """Where the facts of a run are kept; its folder holds all results. None where nowhere."""
    found = catalog.get("run_facts")
    return found if isinstance(found, RunFactsDataset) else None


def refuse_unfit_workers(client: Any, catalog: DataCatalog, *, nodes: bool) -> None:
    """Refuse workers that could give other results than this process, or none.

    Args:
        client: A ``distributed.Client``.
        catalog: Of the run.
        nodes: Whether whole nodes run there, too; they may read files by relative paths.

    Raises:
        ClusterError: Names the worker, and what is wrong with it.
    """
    also = {"working directory": os.getcwd} if nodes else {}
    if stated_compute(catalog).get("device") == "auto":
        also["device of compute.device 'auto'"] = automatic_device
    facts = facts_of(catalog)
    check_workers(client, folder=facts.filepath.parent if facts is not None else None, also=also)


def automatic_device() -> str:
    """What ``compute.device: auto`` means in this process."""
    from regime_nas_pipeline.networks.training import resolve_device  # noqa: PLC0415 - takes seconds

    return str(resolve_device("auto"))


def refuse_memory_only(pipeline: Pipeline, catalog: DataCatalog) -> None:
    """Refuse results of nodes that no other process could read.

    Raises:
        ParameterError: Names them.
    """
    made = sorted(pipeline.all_outputs())
    lost = [name for name in made if getattr(catalog.get(name), "_EPHEMERAL", False)]
    if lost:
        raise ParameterError(
            f"{', '.join(map(repr, lost))} would lie only in the memory of the worker that made "
            "it, where no other can read it. Give each an entry in conf/base/catalog*.yml with a "
            "file on shared storage, or run this pipeline without DaskRunner: with "
            "compute.cluster its folds and trials still go to the cluster."
        )


def refuse_two_clusters(runners: Cluster, catalog: DataCatalog) -> None:
    """Refuse nodes on one cluster and their pieces on another: they go where their node is.

    Raises:
        ParameterError: ``compute.cluster`` names another address than the runner.
    """
    stated = cluster_of(stated_compute(catalog))
    if stated is not None and stated.address != runners.address:
        raise ParameterError(
            f"the runner's cluster is '{runners.address}' and that of compute.cluster is "
            f"'{stated.address}'. Pieces of a node go to the cluster that the node runs on: state "
            "one of the two."
        )
