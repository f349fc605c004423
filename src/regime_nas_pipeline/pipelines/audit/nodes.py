"""Node of the audit."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from kedro.framework.project import pipelines

from regime_nas_pipeline.audit.causality import audit as audit_job
from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.pipelines.audit.declared import declared_for
from regime_nas_pipeline.pipelines.audit.facts import audit_facts
from regime_nas_pipeline.pipelines.audit.job import PipelineJob, borrowed, run_in_memory
from regime_nas_pipeline.pipelines.audit.manifest import (
    broken_rules,
    fold_manifest,
    trained_forecasters,
)
from regime_nas_pipeline.pipelines.audit.parameters import SEARCH_END, Audit, AuditDate, Clock
from regime_nas_pipeline.pipelines.audit.scope import PRICES, scope_of, typed
from regime_nas_pipeline.pipelines.common import folds_of, market_of
from regime_nas_pipeline.walkforward.building import Shared
from regime_nas_pipeline.walkforward.evaluation import decision_dates
from regime_nas_pipeline.walkforward.folds import Fold
from regime_nas_pipeline.walkforward.parameters import (
    Compute,
    Regimes,
    Training,
    Universe,
    WalkForward,
)

_LEAST_RETURNS = 3
"""Bars that a comparison of Sharpe ratios needs."""


def audit_pipelines(
    audit: Audit,
    universe: Universe,
    walk_forward: WalkForward,
    regimes: Regimes,
    training: Training,
    compute: Compute,
    **read: Any,
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Run the registered pipelines on prices with another and with no future, and compare.

    Args:
        audit: Dates, rules and exemptions.
        universe: As for the audited pipelines, like the next four.
        walk_forward: Gives the folds, and the lag and horizon that rules are written in.
        regimes: Its burn-in is the least history of an audit date.
        training: Its embargo holds in the fold manifest.
        compute: Its seed scrambles.
        **read: Everything else that the audited pipelines read, by dataset.

    Returns:
        The audit as JSON can hold it, and the fold manifest.

    Raises:
        ParameterError: A rule, an exemption or a pipeline is unknown.
        DataError: An audit date is outside of the sample, or a dataset has no dates and is not
            exempt.
    """
    own = (audit, universe, walk_forward, regimes, training, compute)
    names = ("audit", "universe", "walk_forward", "regimes", "training", "compute")
    read |= {f"params:{name}": value for name, value in zip(names, own, strict=True)}
    scope = scope_of(pipelines, audit.leave_out)
    declared = declared_for(audit, scope.audited.all_outputs(), scope.left_out.all_outputs())
    given = typed(read, scope.before + scope.audited)
    given |= {output.dataset: output.data for output in run_in_memory(scope.before, given)}
    market = market_of(given[PRICES], universe)
    folds = folds_of(market, walk_forward)
    clock = Clock(walk_forward.execution_lag, walk_forward.horizon, folds[0].train_end)
    dates = audit_dates(audit.dates, folds)
    cut_from = first_cut(market, folds, clock)
    with tempfile.TemporaryDirectory() as folder:
        runs = 1 + len(dates) + sum(date >= cut_from for date in dates)
        job = PipelineJob(scope.audited, borrowed(given, folder), runs=runs)
        result = audit_job(
            job,
            given[PRICES],
            dates,
            tolerance=audit.tolerance,
            exempt=declared.exempt,
            rules=declared.rules_at(clock),
            min_history=max(universe.min_history, regimes.burn_in),
            cut_from=cut_from,
            seed=compute.seed,
        )
    outputs = {output.dataset: output.data for output in job.first_outputs}
    manifest = _manifest(given, outputs, folds, universe, Shared(walk_forward, training, compute))
    about = {
        "forecasters": sorted(map(str, manifest["forecaster"].unique())),
        "rows": len(manifest),
        "violations": broken_rules(manifest, market.dates, embargo=training.embargo),
    }
    return audit_facts(result, about, audit.leave_out), manifest


def _manifest(
    given: Mapping[str, Any],
    outputs: Mapping[str, Any],
    folds: Sequence[Fold],
    universe: Universe,
    shared: Shared,
) -> pd.DataFrame:
    """The fold manifest of the forecasters that were trained on the original prices."""
    labelled = market_of(given[PRICES], universe, outputs.get("regimes"))
    return fold_manifest(trained_forecasters(given, outputs, shared), labelled, folds)


def audit_dates(asked: Sequence[AuditDate], folds: list[Fold]) -> list[pd.Timestamp]:
    """The audit dates that the parameters ask for, in order and each once."""
    decisions = decision_dates(folds)
    found = set()
    for date in asked:
        if date == SEARCH_END:
            found.add(folds[0].train_end)
        elif isinstance(date, float):
            found.add(pd.Timestamp(decisions[int(date * len(decisions))]))
        else:
            found.add(pd.Timestamp(date))
    return sorted(found)


def first_cut(market: Market, folds: list[Fold], clock: Clock) -> pd.Timestamp:
    """First bar at which the prices may end: the first decision's target and some returns known.

    Raises:
        DataError: The sample itself is shorter.
    """
    first = int(np.asarray(market.dates.get_indexer(folds[0].decisions[:1]))[0])
    row = first + clock.lag + max(clock.horizon, _LEAST_RETURNS)
    if row >= len(market.dates):
        raise DataError(
            "the out-of-sample part is too short to be audited: the first decision's target is "
            "not known by its end",
            source=PRICES,
            date=market.dates[-1],
            remedy="set walk_forward.first_oos earlier or bring later prices.",
        )
    return pd.Timestamp(market.dates[row])
