"""Nodes of the placebo and of the power experiment."""

from __future__ import annotations

from typing import Any

import pandas as pd
import plotly.graph_objects as go
from kedro.framework.project import pipelines

from regime_nas_pipeline.audit.panel_runs import p_value_table, run_panels
from regime_nas_pipeline.audit.panel_sets import judge_sets, rates_by_set
from regime_nas_pipeline.audit.panels import Panel, make_panels
from regime_nas_pipeline.audit.placebo import WITHDRAWN
from regime_nas_pipeline.audit.power import detection_rates
from regime_nas_pipeline.audit.power import smallest_edges as find_smallest
from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.pipelines.audit.scope import DEFAULT, PRICES
from regime_nas_pipeline.pipelines.placebo.inputs import (
    check_cheap,
    read_given,
    source_facts,
    told_of_run,
)
from regime_nas_pipeline.pipelines.placebo.job import (
    PanelPipeline,
    cheap_job,
    job_identity,
    oos_bars,
    panel_job,
    refuse_false_null,
    whole_job,
)
from regime_nas_pipeline.pipelines.placebo.parameters import Placebo, Power
from regime_nas_pipeline.pipelines.placebo.source import (
    edges_of,
    panel_dates,
    shock_facts,
    shocks_of,
)
from regime_nas_pipeline.report import figures_placebo as figures
from regime_nas_pipeline.report.placebo_page import render_placebo, render_power
from regime_nas_pipeline.walkforward.building import Shared
from regime_nas_pipeline.walkforward.parameters import (
    Compute,
    Portfolio,
    Training,
    Universe,
    WalkForward,
)
from regime_nas_pipeline.walkforward.verdict_parameters import Verdict

CHEAP, FULL = "cheap", "full"
"""The two jobs of the power experiment: without searches, and with them."""


def run_placebo(
    cache: PieceCache,
    placebo: Placebo,
    universe: Universe,
    portfolio: Portfolio,
    compute: Compute,
    **read: Any,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Run the registered pipelines, searches included, on every martingale panel.

    Args:
        cache: Where finished panels are kept.
        placebo: Panels.
        universe: As for the pipelines that are run, like the next two.
        portfolio: Costs and rate of interest must be zero.
        compute: Its processes share the panels.
        **read: Everything else that those pipelines read, by dataset.

    Returns:
        P-values of every test on every panel, and what the panels were drawn from.

    Raises:
        ParameterError: There are costs or a rate of interest.
        DataError: The prices are too short for the panels, or the job failed on one.
    """
    refuse_false_null(portfolio)
    stages = whole_job(pipelines[DEFAULT])
    given = read_given(
        stages, read, cache=cache, universe=universe, portfolio=portfolio, compute=compute
    )
    prices = given[PRICES]
    job = panel_job(stages.job, given, oos_share=placebo.oos_share)
    dates = panel_dates(prices, placebo.n_bars)
    shocks = {name: shocks_of(panels, prices, universe) for name, panels in placebo.sets.items()}
    tables = []
    for name, chosen in placebo.sets.items():
        panels = make_panels(
            shocks[name],
            dates=dates,
            n_panels=chosen.n_panels,
            seed=chosen.seed,
            benchmark=universe.benchmark,
        )
        table = _p_values(job, panels, cache, compute, f"placebo panels ({name})")
        table.insert(0, "set", name)
        tables.append(table)
    source = source_facts(given, dates, {name: shock_facts(each) for name, each in shocks.items()})
    return pd.concat(tables, ignore_index=True), source


def judge_placebo(
    p_values: pd.DataFrame,
    source: dict[str, Any],
    run_facts: dict[str, Any],
    placebo: Placebo,
    verdict: Verdict,
    compute: Compute,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Rates of false positives, and which tests are withdrawn; keys as in docs/placebo.md."""
    tests = judge_sets(p_values, level=verdict.level, familywise=placebo.familywise)
    verdicts = {
        "run": told_of_run(run_facts, source, compute),
        "sample": {
            "first": source["first"],
            "last": source["last"],
            "n_bars": placebo.n_bars,
            "oos_bars": oos_bars(placebo.n_bars, placebo.oos_share),
            "n_assets": len(next(iter(source["shocks"].values()))["assets"]),
            "sets": {
                name: {**panels.model_dump(mode="json"), "drawn_from": source["shocks"][name]}
                for name, panels in placebo.sets.items()
            },
        },
        "level": verdict.level,
        "familywise": placebo.familywise,
        "withdrawn": [test for test, found in tests.items() if found["verdict"] == WITHDRAWN],
        "tests": tests,
    }
    return rates_by_set(p_values, level=verdict.level), verdicts


def draw_placebo(rates: pd.DataFrame, verdicts: dict[str, Any]) -> go.Figure:
    """Rates of false positives beside the nominal ones."""
    return figures.false_positive_rates(rates, verdicts["tests"])


def write_placebo_report(
    rates: pd.DataFrame, verdicts: dict[str, Any], placebo_rates: go.Figure
) -> str:
    """The page of the placebo."""
    return render_placebo(rates=rates, verdicts=verdicts, figures={"placebo_rates": placebo_rates})


def run_power(
    cache: PieceCache,
    power: Power,
    universe: Universe,
    walk_forward: WalkForward,
    training: Training,
    portfolio: Portfolio,
    compute: Compute,
    **read: Any,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Run cheap forecasters on every panel with an edge, and the whole job on part of them.

    Args:
        cache: Where finished panels are kept.
        power: Panels and edges.
        universe: As for the pipelines that are run, like the next four.
        walk_forward: Its horizon and lag are those of a momentum edge.
        training: Shared by all networks.
        portfolio: Costs and rate of interest must be zero.
        compute: Its processes share the panels.
        **read: Everything else that those pipelines read, by dataset.

    Returns:
        P-values of every test on every panel, and what the panels were drawn from.

    Raises:
        ParameterError: There are costs or a rate of interest, an edge is larger than can be
            planted, or a cheap forecaster needs more history than an asset has.
        DataError: The prices are too short for the panels, or the job failed on one.
    """
    refuse_false_null(portfolio)
    check_cheap(power, universe, Shared(walk_forward, training, compute))
    stages = whole_job(pipelines[DEFAULT])
    shared = {
        "universe": universe,
        "walk_forward": walk_forward,
        "training": training,
        "portfolio": portfolio,
        "compute": compute,
    }
    given = read_given(stages, read, cache=cache, **shared)
    prices, edges = given[PRICES], edges_of(power, walk_forward)
    shocks = shocks_of(power.panels, prices, universe)
    chosen = {f"params:{name}.forecaster": each for name, each in power.forecasters.items()}
    cheap = panel_job(
        cheap_job(list(power.forecasters)), {**given, **chosen}, oos_share=power.oos_share
    )
    whole = panel_job(stages.job, given, oos_share=power.oos_share)
    parts = [(CHEAP, cheap, n_bars, power.panels.n_panels) for n_bars in power.n_bars]
    if power.full is not None:
        parts.append((FULL, whole, power.full.n_bars, power.full.n_panels))
    tables = []
    for name, job, n_bars, n_panels in parts:
        panels = make_panels(
            shocks,
            dates=panel_dates(prices, n_bars),
            n_panels=n_panels,
            seed=power.panels.seed,
            edges=edges,
            benchmark=universe.benchmark,
        )
        table = _p_values(job, panels, cache, compute, f"power, {name} job, {n_bars} bars")
        table.insert(0, "job", name)
        tables.append(table)
    dates = panel_dates(prices, power.n_bars[-1])
    return pd.concat(tables, ignore_index=True), source_facts(
        given, dates, {"panels": shock_facts(shocks)}
    )


def measure_power(
    p_values: pd.DataFrame, power: Power, verdict: Verdict
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Detection rates by size, and the smallest edge that each test finds, for each job."""
    rates: list[pd.DataFrame] = []
    smallest: list[pd.DataFrame] = []
    for name, group in p_values.groupby("job", sort=False):
        found = detection_rates(group, level=verdict.level)
        for tables, table in ((rates, found), (smallest, find_smallest(found, power=power.power))):
            table.insert(0, "job", str(name))
            tables.append(table)
    return pd.concat(rates, ignore_index=True), pd.concat(smallest, ignore_index=True)


def draw_power(rates: pd.DataFrame, power: Power) -> go.Figure:
    """Detection rates against the size of the edge."""
    return figures.detection_curves(rates, power=power.power)


def write_power_report(
    rates: pd.DataFrame,
    smallest: pd.DataFrame,
    source: dict[str, Any],
    run_facts: dict[str, Any],
    power: Power,
    verdict: Verdict,
    compute: Compute,
    power_detection: go.Figure,
) -> str:
    """The page of the power experiment."""
    return render_power(
        rates=rates,
        smallest=smallest,
        run=told_of_run(run_facts, source, compute),
        level=verdict.level,
        power=power.power,
        figures={"power_detection": power_detection},
    )


def _p_values(
    job: PanelPipeline, panels: list[Panel], cache: PieceCache, compute: Compute, description: str
) -> pd.DataFrame:
    outcomes = run_panels(
        job,
        panels,
        parameters=job_identity(job),
        cache=cache,
        n_jobs=compute.n_jobs,
        description=description,
    )
    return p_value_table(panels, outcomes)
