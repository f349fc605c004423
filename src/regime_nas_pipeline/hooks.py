"""What happens around a run: checks before it, a lock and a log during it, a last line after it.

Kedro imports this file for every command, be it a list of names: what brings the nodes and their
libraries is imported when a session begins.
"""

from __future__ import annotations

import atexit
import logging
import os
import time
from contextlib import nullcontext, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.io.core import AbstractVersionedDataset
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from threadpoolctl import threadpool_limits

from regime_nas_pipeline.cluster_checks import cluster_of, refuse_unfit_workers
from regime_nas_pipeline.command_errors import GOES_ON, readable, readable_errors
from regime_nas_pipeline.conf_faults import from_here
from regime_nas_pipeline.core.cache import PieceCounts, take_counts
from regime_nas_pipeline.core.cluster import connected
from regime_nas_pipeline.core.cluster_place import use_cluster
from regime_nas_pipeline.core.errors import FileError
from regime_nas_pipeline.core.files import clear_parts
from regime_nas_pipeline.core.folder_lock import FolderLock
from regime_nas_pipeline.core.stopping import OrderlyStop, end_with_parent
from regime_nas_pipeline.datasets.run_facts import RunFactsDataset

logger = logging.getLogger(__name__)

_KEDROS_DEFAULT_ENV = "local"


class ProjectHooks:
    """The project's Kedro hooks."""

    def __init__(self) -> None:
        self._facts: RunFactsDataset | None = None
        self._catalog: DataCatalog | None = None
        self._run: dict[str, Any] = {}
        self._parameters: dict[str, Any] = {}
        self._asked: dict[str, Any] = {}
        self._lock: FolderLock | None = None
        self._stop: OrderlyStop | None = None
        self._started: dict[str, float] = {}
        self._number = 0
        self._total = 0
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._follow_parent)

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Refuse unknown or unfitting parameters at any level, before anything is loaded."""
        from regime_nas_pipeline.run_checks import check_session  # noqa: PLC0415 - brings every node

        with readable_errors():
            self._parameters = check_session(context)

    @hook_impl
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> None:
        """Lock the environment's folder and note what runs."""
        from regime_nas_pipeline.run_checks import check_run  # noqa: PLC0415 - brings every node

        self._close_interrupted()
        with readable_errors():
            check_run(pipeline, self._parameters, catalog)
        facts = catalog["run_facts"]
        assert isinstance(facts, RunFactsDataset)  # noqa: S101 - tells the type checker
        env = run_params["env"]
        self._facts, self._catalog = facts, catalog
        self._run = {
            "run_id": run_params["run_id"],
            "env": "base" if env in {None, _KEDROS_DEFAULT_ENV} else env,
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        facts.begin(self._run)
        self._asked = {
            "parameters": self._parameters,
            "run": {key: value for key, value in run_params.items() if value},
        }
        self._total, self._number = len(pipeline.nodes), 0
        take_counts()
        self._hold(facts.filepath.parent)
        self._join_cluster(catalog)

    def _hold(self, root: Path) -> None:
        """Take the environment's folder for this run, and see to it that the run ends in order."""
        with readable_errors():
            self._lock = FolderLock(root, env=self._run["env"])
        clear_parts(root)
        atexit.register(self._end_stopped)
        self._stop = OrderlyStop()

    def _join_cluster(self, catalog: DataCatalog) -> None:
        """Send pieces of work to the cluster of the parameters, if they name one and it is fit."""
        cluster = cluster_of(self._parameters["compute"])
        if cluster is None:
            return
        try:
            with readable_errors(), connected(cluster) as client:
                refuse_unfit_workers(client, catalog, nodes=False)
        except BaseException:
            self._let_go()
            raise
        use_cluster(cluster)

    def _follow_parent(self) -> None:
        """In a forked process of a run: end when the run is killed."""
        command = click.get_current_context(silent=True)
        # Kedro's ParallelRunner forks one process before the run begins.
        if self._lock is not None or (command is not None and command.info_name == "run"):
            end_with_parent(os.getppid())

    def _end_stopped(self) -> None:
        """Close a run that a signal ended, of which Kedro tells no hook."""
        if self._lock is not None:
            self._close_interrupted()
            logger.warning("Stopped.%s", GOES_ON)

    def _close_interrupted(self) -> None:
        if self._lock is not None and self._catalog is not None:
            self._write_manifest(self._catalog, "interrupted")
            self._let_go()

    def _let_go(self) -> None:
        if self._lock is None:
            return
        use_cluster(None)
        self._lock.release()
        self._lock = None
        atexit.unregister(self._end_stopped)
        if self._stop is not None:
            self._stop.release()

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """Start the node's clock, on one BLAS thread so that results do not depend on cores."""
        threadpool_limits(limits=1)
        self._number += 1
        place = f"[{self._number}/{self._total}] " if self._total else ""
        logger.info("%s%s", place, node.name)
        self._started[node.name] = time.perf_counter()

    @hook_impl
    def after_node_run(self, node: Node) -> None:
        """Append the node's time and pieces to the run's facts; any process may do so."""
        seconds = time.perf_counter() - self._started.pop(node.name)
        # A worker of a cluster knows no run: whoever sent it the node notes it.
        if self._facts is not None:
            self._facts.note(node.name, min(node.tags, default="other"), seconds, take_counts())

    def _write_manifest(self, catalog: DataCatalog, outcome: str) -> None:
        """What ran, on what, with what, and how long: for every run that finished a node."""
        assert self._facts is not None  # noqa: S101 - set before any node runs
        nodes = self._facts.node_seconds(self._run["run_id"])
        if not nodes:
            return
        parameters = self._asked["parameters"]
        asked = {key: value for key, value in self._asked["run"].items() if key != "project_path"}
        known = catalog.exists("data_manifest")
        pieces = self._facts.pipeline_pieces(self._run["run_id"])
        manifest = {
            **self._run,
            "outcome": outcome,
            "git_sha": self._facts.load()["git_sha"],
            "data_sha256": catalog.load("data_manifest")["sha256"] if known else None,
            "seed": parameters["compute"]["seed"],
            "asked": asked,
            "parameters": parameters,
            "versions": self._facts.load()["versions"],
            "seconds": nodes,
            "pieces": {name: asdict(counts) for name, counts in pieces.items()},
        }
        # Where the disk is full the run has an error of its own to tell.
        with suppress(FileError) if outcome != "finished" else nullcontext():
            self._facts.write_manifest(manifest)

    @hook_impl
    def after_pipeline_run(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Write the manifest; after a whole run say where the report lies and what it found."""
        from regime_nas_pipeline.closing_lines import CLOSING_LINES  # noqa: PLC0415 - brings every node

        self._write_manifest(catalog, "finished")
        self._let_go()
        self._tell_pieces()
        for name, (summary, closing_line) in CLOSING_LINES.items():
            if name in pipeline.outputs():
                report = catalog[name]
                assert isinstance(report, AbstractVersionedDataset)  # noqa: S101 - for the types
                path = from_here(Path(report._get_load_path()))
                logger.info("%s Report: %s", closing_line(catalog.load(summary)), path)

    def _tell_pieces(self) -> None:
        assert self._facts is not None  # noqa: S101 - set before any node runs
        pieces = self._facts.pipeline_pieces(self._run["run_id"])
        if pieces:
            told = {name: f"{c.reused} of {c.reused + c.made}" for name, c in pieces.items()}
            total = sum(pieces.values(), PieceCounts())
            logger.info(
                "Reused %d of %d finished pieces (folds, trials, decisions): %s.",
                total.reused,
                total.reused + total.made,
                ", ".join(f"{name} {words}" for name, words in told.items()),
            )

    @hook_impl
    def on_pipeline_error(self, error: Exception, catalog: DataCatalog) -> None:
        """Write the manifest and show the project's own errors without a traceback."""
        self._write_manifest(catalog, f"failed: {type(readable(error)).__name__}")
        self._let_go()
        shown = readable(error)
        if shown is not error:
            raise shown from error
