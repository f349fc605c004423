"""What happens around a run: checks before it, a lock and a log during it, a last line after it."""

from __future__ import annotations

import atexit
import logging
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import click
from filelock import FileLock, Timeout
from kedro.framework.cli.utils import KedroCliError
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines
from kedro.io import DataCatalog
from kedro.io.core import AbstractVersionedDataset
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from kedro.validation.exceptions import ParameterValidationError
from threadpoolctl import threadpool_limits

from regime_nas_pipeline.core.errors import RegimeNasError
from regime_nas_pipeline.datasets.run_facts import RunFactsDataset
from regime_nas_pipeline.pipelines import open_holdout
from regime_nas_pipeline.pipelines.audit import facts as audit_facts
from regime_nas_pipeline.pipelines.checks import (
    check_forecasters,
    refuse_unfitting_values,
    refuse_unknown_parameters,
)
from regime_nas_pipeline.pipelines.open_holdout import facts as holdout_facts
from regime_nas_pipeline.pipelines.planted.checks import check_planted
from regime_nas_pipeline.report import placebo_words, planted_words
from regime_nas_pipeline.verdict import claims

logger = logging.getLogger(__name__)

_KEDROS_DEFAULT_ENV = "local"

_CLOSING_LINES: dict[str, tuple[str, Callable[[Any], str]]] = {
    "report": ("summary", claims.closing_line),
    "planted_report": ("planted_summary", planted_words.closing_line),
    "audit": ("audit", audit_facts.closing_line),
    "placebo_report": ("placebo_verdicts", placebo_words.placebo_closing_line),
    "power_report": ("smallest_edges", placebo_words.power_closing_line),
    "holdout_report": ("holdout_summary", holdout_facts.closing_line),
}
"""Report to the summary that it is about, and what is said of it at the end of a run."""


class RunStoppedError(KedroCliError):
    """What the command line shows of the project's own errors: the message, in red, alone."""

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the message; with ``kedro --verbose`` the traceback before it."""
        if self.VERBOSE_ERROR:
            click.echo("".join(traceback.format_exception(self)), file=file, err=True)
        click.secho(f"Error: {self.message}", file=file, err=True, fg="red")


@contextmanager
def readable_errors() -> Iterator[None]:
    """On the command line, show the project's own errors as one message without a traceback."""
    try:
        yield
    except (RegimeNasError, ParameterValidationError) as error:
        raise readable(error) from error


def readable(error: BaseException) -> BaseException:
    """The project's own error behind ``error``, in the form that Kedro's command line prints."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, RegimeNasError | ParameterValidationError):
        cause = cause.__cause__ or cause.__context__
    if cause is None or click.get_current_context(silent=True) is None:
        return cause or error
    return RunStoppedError(str(cause))


class ProjectHooks:
    """The project's Kedro hooks."""

    def __init__(self) -> None:
        self._facts: RunFactsDataset | None = None
        self._catalog: DataCatalog | None = None
        self._run: dict[str, Any] = {}
        self._parameters: dict[str, Any] = {}
        self._asked: dict[str, Any] = {}
        self._lock: FileLock | None = None
        self._started: dict[str, float] = {}
        self._number = 0
        self._total = 0

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Refuse unknown or unfitting parameters at any level, before anything is loaded."""
        with readable_errors():
            parameters = context.config_loader["parameters"]
            refuse_unknown_parameters(parameters, dict(pipelines))
            refuse_unfitting_values(parameters, dict(pipelines))
            check_forecasters(context.params)
            check_planted(context.params["planted"], context.params["compute"])
        self._parameters = parameters

    @hook_impl
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> None:
        """Lock the environment's folder and note what runs."""
        self._close_interrupted()
        with readable_errors():
            open_holdout.refuse_without_seal(pipeline, self._parameters)
        facts = catalog["run_facts"]
        assert isinstance(facts, RunFactsDataset)  # noqa: S101 - tells the type checker
        env = run_params["env"]
        self._facts, self._catalog = facts, catalog
        self._run = {
            "run_id": run_params["run_id"],
            "env": "base" if env in {None, _KEDROS_DEFAULT_ENV} else env,
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        self._asked = {
            "parameters": self._parameters,
            "run": {key: value for key, value in run_params.items() if value},
        }
        self._total, self._number = len(pipeline.nodes), 0
        self._acquire_lock(facts.filepath.parent)

    def _acquire_lock(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True)
        lock = FileLock(root / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise RunStoppedError(
                f"Another run is writing to '{root}'. Wait for it to end, or run another "
                "environment beside it."
            ) from error
        self._lock = lock
        atexit.register(self._close_interrupted)

    def _close_interrupted(self) -> None:
        """Close a run that Ctrl-C ended, of which Kedro tells no hook."""
        if self._lock is not None and self._catalog is not None:
            self._write_manifest(self._catalog, "interrupted")
            self._release_lock()

    def _release_lock(self) -> None:
        if self._lock is None:
            return
        path = Path(self._lock.lock_file)
        path.unlink(missing_ok=True)
        self._lock.release()
        self._lock = None
        atexit.unregister(self._close_interrupted)
        with suppress(OSError):
            # A run that wrote nothing leaves nothing, not even its folder.
            path.parent.rmdir()

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """Start the node's clock, on one BLAS thread so that results do not depend on cores."""
        threadpool_limits(limits=1)
        self._number += 1
        logger.info("[%d/%d] %s", self._number, self._total, node.name)
        self._started[node.name] = time.perf_counter()

    @hook_impl
    def after_node_run(self, node: Node) -> None:
        """Append the node's time to the run's facts; any process may do so."""
        if self._facts is not None:
            self._facts.append(
                {
                    **self._run,
                    "node": node.name,
                    "pipeline": min(node.tags, default="other"),
                    "seconds": time.perf_counter() - self._started.pop(node.name),
                }
            )

    def _write_manifest(self, catalog: DataCatalog, outcome: str) -> None:
        """What ran, on what, with what, and how long: for every run that finished a node."""
        assert self._facts is not None  # noqa: S101 - set before any node runs
        nodes = self._facts.node_seconds(self._run["run_id"])
        if not nodes:
            return
        parameters = self._asked["parameters"]
        asked = {key: value for key, value in self._asked["run"].items() if key != "project_path"}
        known = catalog.exists("data_manifest")
        self._facts.write_manifest(
            {
                **self._run,
                "outcome": outcome,
                "git_sha": self._facts.load()["git_sha"],
                "data_sha256": catalog.load("data_manifest")["sha256"] if known else None,
                "seed": parameters["compute"]["seed"],
                "asked": asked,
                "parameters": parameters,
                "versions": self._facts.load()["versions"],
                "seconds": nodes,
            }
        )

    @hook_impl
    def after_pipeline_run(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Write the manifest; after a whole run say where the report lies and what it found."""
        self._write_manifest(catalog, "finished")
        self._release_lock()
        for name, (summary, closing_line) in _CLOSING_LINES.items():
            if name in pipeline.outputs():
                report = catalog[name]
                assert isinstance(report, AbstractVersionedDataset)  # noqa: S101 - for the types
                path = _from_here(Path(report._get_load_path()))
                logger.info("%s Report: %s", closing_line(catalog.load(summary)), path)

    @hook_impl
    def on_pipeline_error(self, error: Exception, catalog: DataCatalog) -> None:
        """Write the manifest and show the project's own errors without a traceback."""
        self._write_manifest(catalog, f"failed: {type(readable(error)).__name__}")
        self._release_lock()
        shown = readable(error)
        if shown is not error:
            raise shown from error


def _from_here(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
