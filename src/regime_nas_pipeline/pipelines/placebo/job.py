"""A pipeline as the job of one panel: its prices in, every test of the report out."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.pipeline import Pipeline
from pydantic import BaseModel

from regime_nas_pipeline.audit.panel_runs import PanelOutcome
from regime_nas_pipeline.audit.report_tests import report_tests
from regime_nas_pipeline.core.cache import PieceCache, content_hash
from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.core.params import ClassChoice, load_class
from regime_nas_pipeline.pipelines import (
    baseline_training,
    regime_labelling,
    verdict,
    walk_forward_evaluation,
)
from regime_nas_pipeline.pipelines.audit.job import run_in_memory
from regime_nas_pipeline.pipelines.audit.scope import PRICES
from regime_nas_pipeline.walkforward.forecasts import class_content
from regime_nas_pipeline.walkforward.parameters import Portfolio

RETURNS, PAIRS, AMONG_ALL = "strategy_returns", "comparison_tests", "superior_strategies"
DEFLATED = "deflated_sharpes"
WANTED = (RETURNS, PAIRS, AMONG_ALL, DEFLATED)
"""What the whole job must make: the returns, and every table of the report that names a winner."""

_WALK_FORWARD = "params:walk_forward"
_COMPUTE = "params:compute"
_PIECES = "finished_pieces"
_RUN_FACTS = "run_facts"


@dataclass(frozen=True)
class PanelPipeline:
    """Runs a pipeline in memory on a panel's prices, in one process and without a word.

    Attributes:
        pipeline: What to run, from prices on.
        given: All else that it reads, parameters as their types.
        oos_share: Last part of a panel's bars that is out of sample.
    """

    pipeline: Pipeline
    given: Mapping[str, Any]
    oos_share: float

    def __call__(self, prices: pd.DataFrame) -> PanelOutcome:
        """The strategies' returns and the report's tests on these prices."""
        dates = pd.DatetimeIndex(prices["date"].unique()).sort_values()
        first = dates[len(dates) - oos_bars(len(dates), self.oos_share)].date()
        changed = self.given[_WALK_FORWARD].model_copy(update={"first_oos": first})
        with quietly():
            outputs = run_in_memory(
                self.pipeline, {**self.given, PRICES: prices, _WALK_FORWARD: changed}
            )
        made = {output.dataset: output.data for output in outputs}
        return PanelOutcome(
            made[RETURNS], report_tests(made[PAIRS], made[AMONG_ALL], made.get(DEFLATED))
        )


def oos_bars(n_bars: int, share: float) -> int:
    """Bars of a panel that are out of sample, at least one."""
    return max(1, round(share * n_bars))


def panel_job(pipeline: Pipeline, given: Mapping[str, Any], *, oos_share: float) -> PanelPipeline:
    """The job with what it needs and no more: one process inside, nothing kept piece by piece.

    Args:
        pipeline: What to run, from prices on.
        given: Datasets and typed parameters; more than the pipeline reads may be in it.
        oos_share: Last part of a panel's bars that is out of sample.
    """
    needed = {name: given[name] for name in pipeline.inputs() if name != PRICES}
    if _COMPUTE in needed:
        needed[_COMPUTE] = needed[_COMPUTE].model_copy(update={"n_jobs": 1})
    if _PIECES in needed:
        # The outcome of a panel is kept as a whole; its folds and trials would be read by nobody.
        needed[_PIECES] = PieceCache(None)
    return PanelPipeline(pipeline, needed, oos_share)


def job_identity(job: PanelPipeline) -> dict[str, Any]:
    """Everything that an outcome depends on beside prices and this package's code, as JSON."""
    # Who ran it and how long that took changes no outcome.
    aside = (_PIECES, _RUN_FACTS)
    read = {name: value for name, value in job.given.items() if name not in aside}
    classes = [cls for _, value in sorted(read.items()) for cls in _classes(value)]
    return {
        "oos_share": job.oos_share,
        "read": {name: _content(value) for name, value in read.items()},
        "classes": [class_content(cls) for cls in classes],
        "nodes": [[str(node), node.func.__module__] for node in job.pipeline.nodes],
    }


def _content(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, pd.DataFrame):
        rows = pd.util.hash_pandas_object(value).to_numpy()
        return content_hash([str(name) for name in value.columns], rows)
    return value


def _classes(value: Any) -> Iterator[type]:
    """Classes chosen by path, at any depth: they may be the user's own."""
    if isinstance(value, ClassChoice):
        yield load_class(value.class_path, object)
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _classes(getattr(value, name))


@dataclass(frozen=True)
class Stages:
    """The registered nodes of a panel's job.

    Attributes:
        before: What makes prices: run once, on the environment's source.
        job: What is run on every panel.
    """

    before: Pipeline
    job: Pipeline


def whole_job(whole: Pipeline) -> Stages:
    """Labels, searches, training, trading and tests, of the pipeline that a user registered.

    Raises:
        ParameterError: It lacks something that is to be counted.
    """
    missing = sorted({PRICES, *WANTED} - whole.all_outputs())
    if missing:
        raise ParameterError(
            f"the placebo needs the dataset '{missing[0]}', and no node of the default pipeline "
            "makes it."
        )
    before = whole.to_outputs(PRICES)
    return Stages(before, whole.to_outputs(*WANTED) - before)


def cheap_job(forecasters: Sequence[str]) -> Pipeline:
    """The same stages for forecasters without a search; each reads ``params:NAME.forecaster``."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "One or more dataset names contain '.'")
        stages = (
            regime_labelling.create_pipeline()
            + baseline_training.create_pipeline(forecasters, {})
            + walk_forward_evaluation.create_pipeline(forecasters)
            + verdict.create_pipeline(forecasters, {})
        )
        return stages.to_outputs(RETURNS, PAIRS, AMONG_ALL)


def refuse_false_null(portfolio: Portfolio) -> None:
    """Refuse costs and a rate of interest: with them, strategies truly differ on a martingale.

    Raises:
        ParameterError: ``portfolio.cost_bps`` or ``portfolio.risk_free`` is not zero.
    """
    reasons = {
        "cost_bps": "after costs, whoever trades less is truly better",
        "risk_free": "above a rate of interest, whoever risks less is truly better or worse",
    }
    for name, reason in reasons.items():
        value = getattr(portfolio, name)
        if value != 0.0:
            raise ParameterError(
                f"portfolio.{name} is {value:g} and must be 0 on simulated panels: {reason}, so "
                "that a test that says so is not wrong. Run with --env=placebo, or set it to 0."
            )


@contextmanager
def quietly() -> Iterator[None]:
    """Without the progress bars and the log of inner nodes; warnings of the log are still shown."""
    before = logging.root.manager.disable
    logging.disable(max(before, logging.INFO))
    try:
        # Progress bars write to whatever standard error is when they are made.
        with Path(os.devnull).open("w") as nowhere, redirect_stderr(nowhere):
            yield
    finally:
        logging.disable(before)
